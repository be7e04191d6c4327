"""The docker's panel on a fake Krita, with a real engine and tiny networks: from the button to the layer."""

from __future__ import annotations

import json
import time

import pytest

from tests.fakes import krita as fake


@pytest.fixture
def panel(plugin, hub, document):
    made = plugin("panel").Panel(hub)
    hub.tick()
    return made


def turn(hub, until, patience=60.0):
    end = time.monotonic() + patience
    while not until():
        assert time.monotonic() < end, [r.text for r in hub.runs + hub.ghosts] or hub.sentence
        hub.tick()
        time.sleep(0.003)


def go(panel, **values):
    panel.form.set_values(values)
    run = panel.run()
    turn(panel.hub, lambda: run.done and run not in panel.hub.runs)
    return run


def names(document):
    return [n.name() for n in document.rootNode().childNodes()]


def test_the_button_makes_a_layer_above_with_the_photographs_luma(panel, document):
    panel.choose_task("colorize")
    run = go(panel)
    assert run.error is None and names(document) == ["photo", "photo (Colorize Photo, seed 0)"]
    made = document.rootNode().childNodes()[1].pixelData(0, 0, 40, 30)
    for n in range(0, 4800, 4):
        luma = 0.114 * made[n] + 0.587 * made[n + 1] + 0.299 * made[n + 2]
        assert abs(luma - (n // 4) % 200) <= 0.51
    assert made[3::4] == b"\xff" * 1200
    assert len(document._undo) == 1
    assert panel.wipe.after is run.after[0] and panel.entries.count() == 1


def test_a_colour_only_layer_is_in_krita_s_color_mode(panel, document):
    panel.choose_task("colorize")
    go(panel, place="color-layer")
    assert document.rootNode().childNodes()[1].blendingMode() == "color"


def test_a_selection_becomes_the_results_mask(panel, document):
    panel.choose_task("colorize")
    chosen = fake.Selection()
    chosen.select(10, 5, 12, 8, 128)
    document.setSelection(chosen)
    go(panel)
    made = document.rootNode().childNodes()[1]
    assert made._box == (10, 5, 12, 8)
    assert made.childNodes()[0].pixelData(9, 5, 3, 1) == b"\x00\x80\x80"


def test_variants_wait_to_be_chosen(panel, document):
    panel.choose_task("colorize")
    run = go(panel, variants=2)
    assert names(document) == ["photo"] and panel.variants.count() == 2 and len(run.after) == 2
    panel.put(1)
    turn(panel.hub, lambda: run.done and run not in panel.hub.runs)
    assert names(document)[1:] == ["photo (Colorize Photo, seed 1)"]
    panel.put(None)
    turn(panel.hub, lambda: run.done and run not in panel.hub.runs)
    assert "Colorize Photo" in names(document)


@pytest.mark.parametrize(("others", "canvas"), [(False, (80, 60)), (True, (80, 60))])
def test_upscale_grows_the_canvas_only_when_asked(panel, document, others, canvas):
    panel.choose_task("upscale")
    go(panel, scale=2.0)
    assert (document.width(), document.height()) == (40, 30)
    made = document.rootNode().childNodes()[1]
    assert made._box == (0, 0, 80, 60)
    document.setActiveNode(document.rootNode().childNodes()[0])
    go(panel, scale=2.0, grow=True, others=others)
    assert (document.width(), document.height()) == canvas
    assert hasattr(document, "scaled") == others


def test_upscale_of_the_document_is_a_new_document(panel, app, document):
    panel.choose_task("upscale")
    run = go(panel, scale=2.0, of="document", place="new-image")
    assert run.error is None
    new = app.activeDocument()
    assert new is not document and (new.width(), new.height()) == (80, 60) and new._file == ""
    assert names(new) == ["test (Upscale)"] and names(document) == ["photo"]


def test_line_art_is_coloured_below_its_lines_by_hints(panel, app, document):
    panel.choose_task("sketch")
    document.put("lines", bytes([0, 0, 0, 255]) * 300 + bytes([255, 255, 255, 255]) * 900, 0, 0, 40, 30)
    hints = document.put("hints", bytes([0, 0, 255, 255]) * 100, 10, 10, 10, 10)
    document.setActiveNode(document.rootNode().childNodes()[1])
    panel._fill_choices()
    run = go(panel, hints=panel.host.id(hints), place="below", multiply=True)
    assert run.error is None, run.text
    assert names(document) == ["photo", "lines (Colour Line Art, seed 0)", "lines", "hints"]
    assert document.rootNode().childNodes()[2].blendingMode() == "multiply"


def test_errors_are_one_sentence_and_nothing_is_inserted(panel, app):
    document = fake.Document(app, 4, 3, "CMYKA", "U8")
    document.put("print", bytes(60), 0, 0, 4, 3)
    app.setActiveDocument(document)
    panel.hub.tick()
    panel.choose_task("colorize")
    run = go(panel)
    assert run.error.code == "input.mode" and "CMYK" in panel.status.text() and names(document) == ["print"]


def test_cancel_leaves_the_document_as_it_is(panel, document):
    panel.choose_task("upscale")
    panel.form.set_values({"scale": 16.0, "quality": "best"})
    run = panel.run()
    turn(panel.hub, lambda: run.state == "working")
    panel.cancel()
    turn(panel.hub, lambda: run.done)
    assert run.error.code == "cancelled" and names(document) == ["photo"]


def test_a_document_closed_in_the_middle_ends_its_run(panel, app, document):
    panel.choose_task("upscale")
    run = panel.run()
    turn(panel.hub, lambda: run.state == "working")
    document.close()
    turn(panel.hub, lambda: run.done)
    assert run.error.code == "cancelled"


@pytest.mark.parametrize("place", ["layer", "new-image"])
def test_a_fault_elsewhere_ends_a_run_that_is_placing_without_a_document_of_ours(panel, app, document, place):
    panel.choose_task("colorize")
    panel.form.set_values({"place": place})
    chosen = fake.Selection()
    chosen.select(10, 5, 12, 8, 128)
    document.setSelection(chosen)
    run = panel.run()
    turn(panel.hub, lambda: len(app.documents()) == 2)
    panel.hub.tickers.append(lambda: 1 / 0)
    panel.hub.tick()
    assert run.error.code == "internal" and app.documents() == [document] and names(document) == ["photo"]


def test_the_state_is_kept_in_the_document(plugin, panel, hub, app, document):
    panel.choose_task("colorize")
    go(panel, seed=7, strength=0.5)
    panel._save()
    kept = json.loads(document._annotations["pincel/state"])
    assert kept["values"]["colorize"]["seed"] == 7 and len(kept["entries"]) == 1
    other = fake.Document(app, 8, 8)
    other.put("x", bytes(256), 0, 0, 8, 8)
    other._annotations = dict(document._annotations)  # as if the file had been opened again
    app.setActiveDocument(other)
    again = plugin("panel").Panel(hub)
    hub.tick()
    assert again.task.name == "colorize" and again.form.values()["strength"] == 0.5
    assert again.entries.count() == 1 and again.state.entries[0].after.width() > 0
    app.setActiveDocument(document)


def test_documents_keep_their_options_while_one_of_another_task_is_in_front(panel, hub, app, document):
    def chosen(seed):  # as a user does it
        panel.form.set_values({"seed": seed})
        panel.form.changed.emit()

    def in_front(which):
        app.setActiveDocument(which)
        hub.tick()

    chosen(7)
    other = fake.Document(app, 8, 8)
    in_front(other)
    chosen(3)
    panel.choose_task("upscale")
    in_front(document)
    assert panel.form.values()["seed"] == panel.state.values["colorize"]["seed"] == 7
    in_front(other)
    assert panel.task.name == "upscale" and panel.forms["colorize"].values()["seed"] == 3


def test_a_result_of_the_history_is_applied_again(panel, document):
    panel.choose_task("colorize")
    go(panel, seed=3)
    first = document.rootNode().childNodes()[1].pixelData(0, 0, 40, 30)
    panel.state.entries[0].run = None  # its pixels are gone: it is made anew
    document.setActiveNode(document.rootNode().childNodes()[0])
    panel.apply_again(0)
    turn(panel.hub, lambda: not panel.hub.runs)
    assert document.rootNode().childNodes()[1].pixelData(0, 0, 40, 30) == first
    panel.apply_again(0)
    turn(panel.hub, lambda: not panel.hub.runs)
    assert len(document.rootNode().childNodes()) == 4


def test_a_preview_follows_the_hints_and_supersedes_the_one_before(plugin, panel, app, document, monkeypatch):
    monkeypatch.setattr(plugin("preview"), "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(plugin("preview"), "REST_SECONDS", 0.02)
    monkeypatch.setattr(panel.live, "isVisible", lambda: True)
    panel.choose_task("colorize")
    hints = document.put("hints", bytes([0, 0, 255, 255]) * 25, 2, 2, 5, 5)
    panel._fill_choices()
    panel.form.set_values({"hints": panel.host.id(hints)})
    panel.live.setChecked(True)
    turn(panel.hub, lambda: panel._watch.preview is not None)
    first = panel._watch.preview
    hints.setPixelData(bytes([255, 0, 0, 255]) * 100, 20, 10, 10, 10)
    turn(panel.hub, lambda: panel._watch.preview is not first)
    turn(panel.hub, lambda: panel.wipe.caption == "preview")
    assert first.done and panel.wipe.after.width() == 40 and names(document) == ["photo", "hints"]
    document.busy = True  # a stroke is being painted
    seen = panel._watch.preview
    hints.setPixelData(bytes([0, 255, 0, 255]) * 100, 0, 10, 10, 10)
    for _ in range(20):
        panel.hub.tick()
    assert panel._watch.preview is seen


def test_the_engine_line_and_freeing(panel, hub):
    turn(hub, lambda: hub.engine == "ready")
    assert "ready" in panel.engine_label.text() and panel.free_button.isEnabled()
    hub.free()
    turn(hub, lambda: hub._free.done)
    assert hub._free.answer is not None


def test_without_an_engine_the_run_ends_with_the_remedy(plugin, host, document, tmp_path):
    environ = {
        "PINCEL_RUNTIME_DIR": str(tmp_path),
        "PINCEL_ENGINE": "/nowhere/pincel",
        "PATH": "",
        "HOME": str(tmp_path),
    }
    hub = plugin("hub").Hub(host, environ)
    panel = plugin("panel").Panel(hub)
    hub.tick()
    run = panel.run()
    turn(hub, lambda: run.done)
    assert run.error.code == "engine.start" and "pincel serve" in panel.status.text()
    hub.close()


def test_every_task_has_its_form_and_an_action(panel, plugin):
    from xml.etree import ElementTree

    from engine import paths

    tasks = plugin("pincel_client.options").TASKS
    for name, task in tasks.items():
        panel.choose_task(name)
        shown = set(panel.form.values())
        assert {o.name for o in task.options} - {"output", "preview"} <= shown
    actions = ElementTree.parse(paths.shipped("plugin_krita") / "pincel.action")
    found = {a.get("name"): a.find("shortcut").text for a in actions.iter("Action")}
    assert set(found) == {"pincel_" + name for name in tasks} | {"pincel_cancel"}
    assert len(set(found.values())) == len(found)


def test_the_docker_says_what_a_run_would_take_once_the_engine_knows(panel, hub, document):
    panel.show()
    panel.choose_task("colorize")
    go(panel)
    turn(hub, lambda: panel.forecast.text())
    assert panel.forecast.text().startswith("About ") and panel.forecast.isVisible()
    first = panel.forecast.text()
    panel.form.set_values({"variants": 16})
    turn(hub, lambda: panel.forecast.text() != first)
    panel.hide()


def test_krita_s_pictures_are_drawings_until_said_otherwise(panel):
    panel.choose_task("upscale")
    assert panel.form.values()["content"] == "drawing"
    panel.form.set_values({"content": "clean"})
    assert panel.form.values()["content"] == "clean"


class Recorder:
    """A session whose jobs never end, and that notes which of them were cancelled."""

    def __init__(self):
        self.jobs, self.cancelled = [], []

    def submit(self, *asked):
        self.jobs.append(self)
        return self

    def step(self, timeout):
        return False

    def cancel(self):
        self.cancelled.append(self)


def test_a_fault_cancels_the_jobs_that_nobody_waits_for_any_more(plugin, host, document):
    fault = plugin("pincel_client.errors").InternalError("It failed.")
    task, photo = plugin("pincel_client.options").TASKS["colorize"], document.activeNode()
    for made in (
        plugin("run").Run(host, document, task, {}),
        plugin("preview").Preview(host, document, task, {}, photo, {}),
    ):
        session = Recorder()
        for _ in range(4):
            made.step(session)
        assert len(session.jobs) == 1 and session.cancelled == []
        made.fail(fault, whatever=True)
        assert made.done and made.error is fault and len(session.cancelled) == 1
