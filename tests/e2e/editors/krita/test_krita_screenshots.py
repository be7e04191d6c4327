"""Screenshots of the docker at work, kept in $PINCEL_SHOTS (else the test's folder): docs/krita.md shows them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tests.e2e.editors import drawing
from tests.e2e.editors.krita.driver import SIZE

# Only our docker and the layers stay, so that it is seen whole.
TIDY = """
from PyQt5.QtWidgets import QDockWidget
window = app.activeWindow().qwindow()
ours = [d for d in app.dockers() if d.objectName() == "pincel_docker"][0]
for d in window.findChildren(QDockWidget):
    if d.objectName() not in ("pincel_docker", "KisLayerBox", "ToolBox"):
        d.hide()
ours.show(); ours.raise_()
layers = [d for d in app.dockers() if d.objectName() == "KisLayerBox"][0]
window.resizeDocks([layers, ours], [200, 680], 2)
window.resizeDocks([ours], [340], 1)
"""


def folder(tmp_path) -> Path:
    made = Path(os.environ.get("PINCEL_SHOTS") or tmp_path)
    made.mkdir(parents=True, exist_ok=True)
    return made


def cat() -> np.ndarray:
    """A photograph without its colours (scikit-image's Chelsea, CC0)."""
    from skimage import color, data

    grey = (color.rgb2gray(data.chelsea()) * 255).round().astype(np.uint8)
    return np.dstack([grey, grey, grey, np.full_like(grey, 255)])


def test_the_docker_after_and_at_work(krita, tmp_path):
    krita.new(cat())
    krita.do(TIDY)
    krita.run("colorize")
    assert krita.error() is None
    krita.do("panel.wipe.position = 0.5; panel.wipe.update()")
    shown = np.asarray(krita.shot(folder(tmp_path) / "krita-colorize.png"))
    assert shown.shape[:2] == SIZE[::-1] and len(np.unique(shown.reshape(-1, 3), axis=0)) > 1000
    krita.choose("photo (Colorize Photo, seed 0)")
    krita.begin("upscale", scale=8.0, quality="best", grow=True)
    krita.wait("run.state == 'working' and (run.fraction or 0) > 0.02 and hub.engine == 'busy'")
    krita.shot(folder(tmp_path) / "krita-working.png")
    krita.do("panel.cancel_button.click()")
    krita.wait("run.done")
    assert krita.error() == "cancelled"


def test_line_art_before_and_after(krita, tmp_path):
    size = (960, 720)
    lines, strokes = drawing.line_art(size), drawing.hints(size, 14)
    krita.new(np.dstack([lines, lines, lines, np.full_like(lines, 255)]))
    path = krita.folder / "hints.raw"
    path.write_bytes(np.ascontiguousarray(strokes[..., [2, 1, 0, 3]]).tobytes())
    krita.do(TIDY)
    krita.do(f"""
        doc.nodeByName("photo").setName("lines")
        hints = doc.createNode("hints", "paintlayer")
        hints.setPixelData(open({str(path)!r}, "rb").read(), 0, 0, {size[0]}, {size[1]})
        doc.rootNode().addChildNode(hints, None)
        doc.waitForDone(); panel.choose_task("sketch"); panel._fill_choices()
    """)
    krita.choose("lines")
    krita.shot(folder(tmp_path) / "krita-line-art-before.png")
    krita.run("sketch", place="below", multiply=True, hints=krita.ask("hub.host.id(hints)"))
    assert krita.error() is None
    krita.do("hints.setVisible(False); doc.refreshProjection(); panel.wipe.position = 0.5; panel.wipe.update()")
    shown = np.asarray(krita.shot(folder(tmp_path) / "krita-line-art.png"))
    assert len(np.unique(shown.reshape(-1, 3), axis=0)) > 1000
