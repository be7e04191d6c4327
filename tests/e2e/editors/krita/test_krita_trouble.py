"""The plug-in in a real Krita when something is in the way: cancel, engines and documents that go, Krita that quits."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.editors.engines import until
from tests.e2e.editors.krita.conftest import photo, start

LONG = {"scale": 8.0, "quality": "best"}  # minutes of work


def test_cancel_by_the_docker_s_button(krita, krita_engine):
    krita.new(photo(100, 150))
    krita.begin("upscale", **LONG)
    krita.wait("run.state == 'working' and run.fraction is not None")
    assert krita.ask("panel.cancel_button.isEnabled() and panel.bar.isVisible() and bool(panel.status.text())")
    krita.do("panel.cancel_button.click()")
    krita.wait("run.done", 10)
    assert krita.error() == "cancelled" and krita.tree() == [["photo", []]]
    until(lambda: not krita_engine.working(), "the engine's rest", 10)


def test_an_engine_that_is_killed_and_one_that_is_started(krita, krita_engine):
    krita.new(photo(100, 150))
    krita.begin("upscale", **LONG)
    krita.wait("run.state == 'working' and run.fraction is not None")
    krita_engine.kill()
    krita.wait("run.done", 30)
    assert krita.error() in ("engine.not-answering", "engine.not-running") and krita.tree() == [["photo", []]]
    krita_engine.start()
    krita.run("colorize")
    assert krita.error() is None and len(krita.tree()) == 2


def test_a_document_closed_while_a_job_runs(krita, krita_engine):
    krita.new(photo(100, 150))
    krita.begin("upscale", **LONG)
    krita.wait("run.state == 'working'")
    krita.close()
    krita.wait("run.done", 10)
    assert krita.error() == "cancelled"
    until(lambda: not krita_engine.working(), "the engine's rest", 10)


def test_results_and_options_are_kept_in_the_file(krita):
    krita.new(photo(60, 80))
    krita.run("colorize", seed=5)
    path = krita.folder / "kept.kra"
    krita.do(f"""
        panel._save()
        doc.saveAs({str(path)!r}); doc.setModified(False); doc.close()
        doc = app.openDocument({str(path)!r}); app.activeWindow().addView(doc); app.setActiveDocument(doc)
    """)
    krita.wait("app.activeDocument() == doc and panel.key == hub.host.key(doc)")
    assert krita.ask("[panel.task.name, panel.form.values()['seed'], panel.entries.count()]") == ["colorize", 5, 1]


def test_krita_quits_while_a_job_runs(krita_stage, krita_engine):
    krita_engine.start()
    krita = start(krita_stage, "quits")
    try:
        krita.new(photo(100, 150))
        krita.begin("upscale", **LONG)
        krita.wait("run.state == 'working'")
        assert krita.quit() == 0
        left = [p for p in Path("/proc").glob("[0-9]*") if _environment(p).get("HOME") == str(krita.home)]
        assert left == []  # no orphan
        until(lambda: not krita_engine.working(), "the engine's rest", 15)
    finally:
        krita.kill()


def _environment(process: Path) -> dict[str, str]:
    try:
        pairs = (process / "environ").read_bytes().split(b"\0")
        return dict(os.fsdecode(pair).partition("=")[::2] for pair in pairs)
    except OSError:
        return {}
