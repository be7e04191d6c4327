"""The live preview in a real Krita: it waits for the brush to rest, and a newer one takes the place of the one before."""

from __future__ import annotations

import pytest

from engine.client.pixels import Pixels
from tests.e2e.editors.engines import until
from tests.e2e.editors.krita.conftest import photo

STROKE = "hints.setPixelData(bytes([0, {0}, 230, 255]) * 400, {0}, 20, 20, 20); doc.refreshProjection()"


@pytest.fixture
def painting(krita):
    """Krita with a photograph, a layer of hints that is chosen, and live previews."""
    krita.new(photo(120, 160))
    krita.do("hints = doc.createNode('hints', 'paintlayer'); doc.rootNode().addChildNode(hints, None)")
    krita.do(STROKE.format(10))
    krita.choose("hints")
    krita.do("""
        panel.choose_task("colorize"); panel._fill_choices()
        panel.form.set_values({"hints": hub.host.id(hints)})
        panel._watch.preview = None
        panel.live.setChecked(True)
    """)
    yield krita
    krita.do("panel.live.setChecked(False); hub.timer.setInterval(250)")


def jobs(engine) -> int:
    """How many jobs wait or run."""
    with engine.session() as session:
        state = session.status()
    return len(state["queue"]) + sum(1 for worker in state["workers"] if worker["job"])


def test_a_newer_preview_supersedes_the_one_that_still_waits(painting, krita_engine):
    krita = painting
    large = Pixels(photo(200, 300).tobytes(), 300, 200, "BGRA", "u8")
    with krita_engine.session() as other:  # somebody else's jobs keep the engine busy
        long = [other.submit("upscale", {"scale": 8.0, "quality": "best"}, {"source": large}) for _ in range(3)]
        until(
            lambda: other.step(0.01) or jobs(krita_engine) >= 3, f"the long jobs' start {[j.error for j in long]}", 20
        )
        krita.wait("panel._watch.preview is not None and panel._watch.preview._work is not None")
        krita.do("first = panel._watch.preview")
        assert not krita.ask("first.done")
        krita.do(STROKE.format(60))
        krita.wait("panel._watch.preview is not first and first.done")
        assert krita.ask("first.error.code") == "cancelled"
        krita.wait("panel._watch.preview._work is not None")
        until(lambda: jobs(krita_engine) <= 4, "only the newer preview is left", 20)
        for job in long:
            job.cancel()
        until(lambda: other.step(0.05) or all(job.done for job in long), "the long jobs' end", 60)
    krita.wait("panel._watch.preview.done and panel._watch.preview.error is None")
    assert krita.ask("panel.wipe.caption == 'preview' and panel.wipe.after is panel._watch.preview.after")
    assert len(krita.tree()) == 2  # the picture is not touched


def test_no_preview_before_the_brush_rests(painting):
    krita = painting
    krita.wait("panel._watch.preview is not None and panel._watch.preview.done")
    krita.do(f"""
        from PyQt5.QtCore import QTimer
        seen, strokes = panel._watch.preview, []
        def stroke():
            strokes.append(panel._watch.preview is seen)
            n = 20 + 5 * len(strokes)
            {STROKE.replace("{0}", "n")}
        painter = QTimer(); painter.timeout.connect(stroke); painter.start(100)
    """)
    krita.wait("len(strokes) >= 20")
    krita.do("painter.stop()")
    assert krita.ask("all(strokes)")  # two seconds of painting began none
    krita.wait("panel._watch.preview is not seen and panel._watch.preview.done")
