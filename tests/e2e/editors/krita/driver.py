"""A real Krita 5 under a private X server, with the plug-in that `pincel install krita` puts there, driven by Python text.

What it needs on Debian and Ubuntu: krita python3-pyqt5 python3-pyqt5.sip xvfb xdotool. $PINCEL_TEST_KRITA names the program.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from pathlib import Path

import numpy as np

from engine.install import common, krita
from tests.e2e.editors.engines import until
from tests.e2e.editors.xvfb import Xvfb

HERE = Path(__file__).parent
SIZE = (1500, 950)
_DTYPES = {"U8": np.uint8, "U16": np.uint16, "F16": np.float16, "F32": np.float32}


def why_not() -> str:
    """Why there is no Krita to test, or ""."""
    if not shutil.which(os.environ.get("PINCEL_TEST_KRITA", "krita")):
        return "Krita is not installed"
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    return f"{' and '.join(missing)} not installed" if missing else ""


class Krita:
    """folder: its home and everything else; environ: added to its environment. picture: a file to open."""

    def __init__(self, folder: Path, environ: dict[str, str], picture: Path) -> None:
        self.folder, self.home = folder, folder / "home"  # absolute: a relative home breaks Krita's paths
        resources = self.home / ".local/share/krita"
        for path in (resources / "pykrita", self.home / ".config", folder / "tmp", folder / "run"):
            path.mkdir(parents=True, mode=0o700)
        [profile] = common.found(krita.EDITOR, None, common.Surroundings(self.home, {}, "linux"))
        self.plugin = common.install(krita.EDITOR, profile)
        shutil.copytree(HERE / "kdrive", profile.plugins / "kdrive")
        (profile.plugins / "kdrive.desktop").write_text(
            "[Desktop Entry]\nType=Service\nServiceTypes=Krita/PythonPlugin\nX-KDE-Library=kdrive\n"
            "X-Python-2-Compatible=false\nX-Krita-Manual=\nName=Test driver\nComment=Tests only\n"
        )
        with (self.home / ".config/kritarc").open("a") as settings:
            settings.write("enable_kdrive=true\n")
        # Without a GL driver Krita's canvas crashes as it opens.
        (self.home / ".config/kritadisplayrc").write_text("[General]\nOpenGLRenderer=none\n")
        self.screen = Xvfb(folder / "screen", SIZE)
        self.socket = folder / "k.sock"
        self.environ = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "QT_QPA_PLATFORM": "xcb",
            "KDRIVE_SOCK": str(self.socket),
            "DISPLAY": self.screen.display,
            **environ,
        }
        with (folder / "krita.log").open("w") as log:
            self.process = subprocess.Popen(
                [os.environ.get("PINCEL_TEST_KRITA", "krita"), "--nosplash", str(picture)],
                env=self.environ,
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        try:
            self.wait("app.activeDocument() is not None and app.activeDocument().activeNode() is not None", 200)
            self.do(_PREPARE % SIZE)
        except BaseException:
            self.kill()
            raise

    def do(self, source: str, patience: float = 60.0):
        """Run Python in Krita; what it leaves in `value`."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(patience)
            sock.connect(str(self.socket))
            sock.sendall(textwrap.dedent(source).encode())
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := sock.recv(1 << 20):
                answer += piece
        if not answer:
            raise RuntimeError("Krita died: " + (self.folder / "krita.log").read_text(errors="replace")[-3000:])
        answer = json.loads(answer)
        assert answer["ok"], answer["out"]
        return answer["value"]

    def ask(self, expression: str):
        return self.do(f"value = ({expression})")

    def wait(self, expression: str, patience: float = 60.0):
        def there():
            assert self.process.poll() is None, f"Krita ended with {self.process.returncode}"
            try:
                return self.ask(expression)
            except (FileNotFoundError, ConnectionRefusedError):
                return False

        return until(there, expression, patience)

    # ---- documents -----------------------------------------------------------------------------------------------

    def new(self, array: np.ndarray, depth: str = "U8", profile: str = "", canvas=None, at=(0, 0)) -> None:
        """A new document `doc` whose one layer "photo" holds the array [H, W, C] (C = 2: grey; 4: in Krita's order)."""
        height, width, channels = array.shape
        canvas = canvas or (width, height)
        path = self.folder / "in.raw"
        path.write_bytes(np.ascontiguousarray(array).tobytes())
        self.do(f"""
            doc = app.createDocument({canvas[0]}, {canvas[1]}, "test", {"GRAYA" if channels == 2 else "RGBA"!r}, {depth!r},
                                     {profile!r}, 72.0)
            doc.setBatchmode(True)
            app.activeWindow().addView(doc)
            app.setActiveDocument(doc)
            layer = doc.createNode("photo", "paintlayer")
            layer.setPixelData(open({str(path)!r}, "rb").read(), {at[0]}, {at[1]}, {width}, {height})
            background = doc.rootNode().childNodes()[0]
            doc.rootNode().addChildNode(layer, background)
            background.remove()
            doc.waitForDone()
        """)
        self.choose("photo")

    def choose(self, name: str) -> None:
        """Bring `doc` to the front and choose a layer. Both happen later, and a picture that opens may come between."""
        node = f"doc.nodeByName({name!r})"
        self.wait(f"""(app.activeDocument() == doc and doc.activeNode().name() == {name!r})
                      or app.setActiveDocument(doc) or doc.setActiveNode({node})""")

    def close(self) -> None:
        """Close the document."""
        self.do("doc.waitForDone(); doc.setBatchmode(True); doc.setModified(False); doc.close()")

    def pixels(self, node: str, depth: str = "U8", channels: int = 4, rect=None, projection=False) -> np.ndarray:
        """A node's pixels [H, W, C]; node: an expression."""
        path = self.folder / "out.raw"
        rect = rect or self.ask("[0, 0, doc.width(), doc.height()]")
        way = "projectionPixelData" if projection else "pixelData"
        self.do(f"doc.waitForDone(); open({str(path)!r}, 'wb').write(bytes(({node}).{way}(*{tuple(rect)})))")
        return np.fromfile(path, _DTYPES[depth]).reshape(rect[3], rect[2], channels)

    def tree(self) -> list:
        """[name, [children]] of each layer, from the bottom upwards."""
        return self.do("""
            def tree(node): return [[n.name(), tree(n)] for n in node.childNodes()]
            value = tree(doc.rootNode())
        """)

    def undo(self) -> None:
        self._press("edit_undo")

    def redo(self) -> None:
        self._press("edit_redo")

    def _press(self, action: str) -> None:
        """Choose an entry of the Edit menu."""
        self.wait(f"app.action({action!r}).isEnabled()")
        self.do(f"doc.waitForDone(); app.action({action!r}).trigger(); doc.waitForDone()")
        time.sleep(0.5)  # the plug-in looks four times a second
        self.wait("not any(steps.restless for steps in hub.together)")

    # ---- the plug-in ---------------------------------------------------------------------------------------------

    def run(self, task: str, patience: float = 120.0, **values) -> None:
        """Run a task by its action with these values in the docker, and wait for its end; `run` is the Run."""
        self.begin(task, **values)
        self.wait("run.done", patience)
        self.do("doc.waitForDone()")

    def begin(self, task: str, **values) -> None:
        self.do(f"""
            panel.choose_task({task!r})
            panel._follow()
            defaults = {{c.name: c.default for c in panel.form.controls}}
            panel.form.set_values(dict(defaults, **{values!r}))
            before = list(hub.runs)
            app.action("pincel_" + {task!r}).trigger()
            run = [r for r in hub.runs if r not in before][-1]
        """)

    def error(self):
        """The code of the last run's error, or None."""
        return self.ask("run.error and run.error.code")

    def shot(self, path: Path, box=None):
        time.sleep(0.3)
        return self.screen.shot(path, box)

    def quit(self) -> int:
        """Quit as from the menu; the exit status."""
        self.do("""
            from PyQt5.QtCore import QTimer
            for d in app.documents():
                d.setBatchmode(True); d.setModified(False)
            QTimer.singleShot(0, app.action("file_quit").trigger)
        """)
        return self.process.wait(40)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.screen.close()


_PREPARE = """
import sys
from PyQt5.QtWidgets import QApplication
window = app.activeWindow().qwindow()
window.setGeometry(0, 0, %d, %d)  # without a window manager Krita opens at two thirds of the screen
for docker in app.dockers():
    if docker.objectName() == "pincel_docker":
        docker.setVisible(True); docker.raise_()
plugin = sys.modules["pincel.docker"]
panel, hub = plugin.dockers[0].panel, plugin.hub()
"""


def selection(rect, feather: int = 0) -> str:
    """Python that selects a rectangle of `doc`."""
    return (
        "from krita import Selection\n"
        f"s = Selection(); s.select({rect[0]}, {rect[1]}, {rect[2]}, {rect[3]}, 255)\n"
        + (f"s.feather({feather})\n" if feather else "")
        + "doc.setSelection(s)\ndoc.waitForDone()\n"
    )
