"""The docker's panel without Krita, beside a picture: `python -m tests.panel [PICTURE]`. PINCEL_TEST_QT=5 for PyQt5.

The document is the fake Krita's (tests/fakes/krita.py), the engine is the real one, started if none runs.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from engine.install import common, krita
from tests.fakes import krita as fake

MAJOR = int(os.environ.get("PINCEL_TEST_QT", "6"))


def picture(path: str | None) -> np.ndarray:
    """A picture file, or scikit-image's camera (CC0), as [H, W, 4] in Krita's order."""
    if path:
        array = np.asarray(Image.open(path).convert("RGBA"))
    else:
        from skimage import data

        array = np.asarray(Image.fromarray(data.camera()).resize((384, 384)).convert("RGBA"))
    return np.ascontiguousarray(array[..., [2, 1, 0, 3]])


def install(folder: Path) -> Path:
    """The plug-in as `pincel install krita` puts it; the folder to import it from."""
    (folder / ".local/share/krita").mkdir(parents=True)
    [profile] = common.found(krita.EDITOR, None, common.Surroundings(folder, {}, "linux"))
    common.install(krita.EDITOR, profile)
    return profile.plugins


def build(qt, app, array):
    """(window, panel): the panel on the right of a view of the document in front."""
    document = fake.Document(app, array.shape[1], array.shape[0], name="picture")
    document.put("photo", array.tobytes(), 0, 0, array.shape[1], array.shape[0])
    app.setActiveDocument(document)
    hub = importlib.import_module("pincel.hub").Hub(importlib.import_module("pincel.host").Host())
    panel = importlib.import_module("pincel.panel").Panel(hub)
    view = qt.QLabel()

    def draw(*_):
        shown = app.activeDocument()
        tops = [n for n in shown.rootNode().childNodes() if n.blendingMode() == "normal" and n._data]
        width, height = shown.width(), shown.height()
        data = tops[-1].pixelData(0, 0, width, height)
        format = app._qt.QtGui.QImage.Format.Format_ARGB32
        view.setPixmap(app._qt.QtGui.QPixmap.fromImage(app._qt.QtGui.QImage(data, width, height, width * 4, format)))

    hub.finished.connect(draw)
    draw()
    window = qt.QWidget()
    row = qt.QHBoxLayout(window)
    row.addWidget(view)
    panel.setFixedWidth(320)
    row.addWidget(panel)
    window.setWindowTitle("Pincel's docker outside Krita")
    window.resize(760, 820)
    return window, panel


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(install(Path(folder))))
        qt = importlib.import_module(f"PyQt{MAJOR}.QtWidgets")
        app = fake.put_into_modules(MAJOR)
        application = qt.QApplication(sys.argv[:1])
        window, panel = build(qt, app, picture(sys.argv[1] if len(sys.argv) > 1 else None))
        window.show()
        status = application.exec()
        panel.hub.close()
        return status


if __name__ == "__main__":
    sys.exit(main())
