"""A real GIMP for tests: with or without a window, on this machine or in a chroot, driven by Python sent to it.

$PINCEL_TEST_GIMP says where it is: a chroot's folder (tests/e2e/editors/make_chroot.sh makes one), or "native".
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.e2e.editors.xvfb import Xvfb
from tests.house.tree import ROOT

HERE = Path(__file__).parent
SETTINGS = "(show-welcome-dialog no)\n(check-updates no)\n(save-session-info no)\n(restore-session no)\n"


def where() -> tuple[Path | None, str]:
    """(the chroot or None for this machine, why there is no GIMP 3 or "")."""
    named = os.environ.get("PINCEL_TEST_GIMP", "native")
    if named != "native":
        chroot = Path(named)
        if not (chroot / "usr/bin/gimp-console-3.0").exists():
            return chroot, f"there is no GIMP 3 in {chroot}"
        return chroot, "" if os.getuid() == 0 else "a chroot needs root"
    program = shutil.which("gimp-console")
    if program is None:
        return None, "GIMP is not installed, and PINCEL_TEST_GIMP names no chroot"
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return None, "" if re.search(r"version 3\.", version) else f"GIMP here is {version.split()[-1]}, not 3"


class Gimp:
    """folder: where it has its home. environ: added to its environment. window: give it an Xvfb.

    The plug-in is put there by `pincel install`, as a user would do it.
    """

    def __init__(self, folder: Path, environ: dict[str, str] | None = None, window: bool = False) -> None:
        chroot, why = where()
        assert not why, why
        self.folder, self.home, self.screen = folder, folder / "home", None
        self.socket, self.log = folder / "socket", folder / "gimp.log"
        for name in ("home", "tmp", "run"):
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        sockets = [Path("/tmp/.X11-unix")] if window else []
        for place in sockets:
            if not place.exists():  # no X server has run yet
                place.mkdir()
                place.chmod(0o1777)
        binds = {str(p) for p in (folder, ROOT, sys.prefix, sys.base_prefix, *sockets)}
        self._in = ["bash", str(HERE / "in_chroot.sh"), str(chroot), ":".join(sorted(binds))] if chroot else []
        self.environ = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": str(self.home),
            "TMPDIR": str(folder / "tmp"),
            "LANG": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "PINCEL_TEST_SOCKET": str(self.socket),
            "PINCEL_RUNTIME_DIR": str(folder / "run"),
            **(environ or {}),
        }
        version = self._run(["gimp-console", "--version"]).split()[-1]
        self.profile = self.home / ".config/GIMP" / ".".join(version.split(".")[:2])
        self.profile.mkdir(parents=True, exist_ok=True)
        (self.profile / "gimprc").write_text(f'(config-version "{version}")\n{SETTINGS}')
        install = [sys.executable, "-m", "engine", "install", "gimp", "--folder", str(self.profile)]
        subprocess.run(install, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        if window:
            self.screen = Xvfb(folder / "screen")
            self.environ["DISPLAY"] = self.screen.display
        self._start(["gimp", "-n", "-s"] if window else ["gimp-console", "-idfc"])

    def _run(self, command: list[str]) -> str:
        return subprocess.run(
            [*self._in, *command], env=self.environ, capture_output=True, text=True, check=True
        ).stdout

    def _start(self, command: list[str]) -> None:
        boot = f"exec(open({str(HERE / 'in_gimp.py')!r}).read())"
        command += ["--stack-trace-mode=never", "--quit", "--batch-interpreter=python-fu-eval", "-b", boot]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*self._in, *command],
                env=self.environ,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        end = time.monotonic() + 180
        while not self.socket.exists():
            if self.process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError(f"GIMP did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.05)
        self.do(PRELUDE)

    def do(self, code: str, timeout: float = 300.0) -> object:
        """Execute Python in GIMP and give what it assigned to `value`."""
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(timeout)
            link.connect(str(self.socket))
            link.sendall(code.encode())
            link.shutdown(socket.SHUT_WR)
            said = json.loads(b"".join(iter(lambda: link.recv(1 << 20), b"")))
        assert said["ok"], said["out"]
        return said["value"]

    def ask(self, expression: str) -> object:
        return self.do(f"value = ({expression})")

    def close(self) -> None:
        """End it; what does not end by itself is killed, with all that it started."""
        if self.process.poll() is None and self.socket.exists():
            with contextlib.suppress(Exception):
                self.do("quit", 10)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        if self.screen is not None:
            self.screen.close()


# What the tests' pieces of Python can use inside GIMP.
PRELUDE = '''
B, P, T, M = Gimp.ImageBaseType, Gimp.Precision, Gimp.ImageType, Gimp.LayerMode
def run(task, image, layers, **given):
    """Call a procedure as a script does: [status, error, layer]."""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-pincel-" + task)
    config = procedure.create_config()
    config.set_property("image", image)
    config.set_core_object_array("drawables", layers)
    config.set_property("run-mode", Gimp.RunMode.NONINTERACTIVE)
    for name, value in given.items():
        name = name.replace("_", "-")
        config.set_property(name, value)
    values = procedure.run(config)
    status = values.index(0)
    good = status == Gimp.PDBStatusType.SUCCESS
    global made
    made = values.index(1) if good else None
    return [status.value_nick, "" if good else Gimp.get_pdb().get_last_error()]
def load(path):
    return Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
def save(image, path):
    assert Gimp.file_save(Gimp.RunMode.NONINTERACTIVE, image, Gio.File.new_for_path(path), None)
def layer(image, width, height, kind, parent=None, at=(0, 0), name="L"):
    new = Gimp.Layer.new(image, name, width, height, kind, 100, M.NORMAL)
    image.insert_layer(new, parent, 0)
    new.set_offsets(*at)
    return new
def put(drawable, path, format):
    """Fill a drawable with raw pixels from a file."""
    place = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    buffer = drawable.get_buffer()
    buffer.set(place, format, open(path, "rb").read())
    buffer.flush()
    drawable.update(0, 0, drawable.get_width(), drawable.get_height())
def take(drawable, path, format):
    """Write a drawable's raw pixels to a file and say its place, kind and mode."""
    w, h = drawable.get_width(), drawable.get_height()
    with open(path, "wb") as file:
        file.write(drawable.get_buffer().get(Gegl.Rectangle.new(0, 0, w, h), 1.0, format, Gegl.AbyssPolicy.NONE))
    return [drawable.get_name(), w, h, drawable.get_offsets().offset_x, drawable.get_offsets().offset_y]
def names(items):
    return [[i.get_name(), names(i.get_children())] if i.is_group() else i.get_name() for i in items]
'''
