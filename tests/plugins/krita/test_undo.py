"""One Undo takes back all that a result changed, one Redo brings all of it back; what the artist does by hand stays."""

from __future__ import annotations

import pytest

from tests.fakes import krita as fake
from tests.plugins.krita.test_panel import go, names, panel, turn  # noqa: F401


def quiet(panel, turns=30):  # noqa: F811
    """Let the hub look around for a while."""
    for _ in range(turns):
        panel.hub.tick()


def facts(document):
    root = document.rootNode()
    return document.width(), [(n.name(), n.blendingMode()) for n in root.childNodes()]


CASES = {
    "growing": ("upscale", {"scale": 2.0, "grow": True}, 2),
    "scaling": ("upscale", {"scale": 2.0, "grow": True, "others": True}, 2),
    "below the lowest": ("sketch", {"place": "below"}, 2),
    "below the lowest, in Multiply": ("sketch", {"place": "below", "multiply": True}, 3),
    "flats": ("sketch", {"place": "flats", "multiply": True}, 3),
    "above": ("sketch", {}, 1),
}


@pytest.mark.parametrize("case", CASES)
def test_one_undo_and_one_redo_for_all(panel, document, case):  # noqa: F811
    task, values, steps = CASES[case]
    before = facts(document)
    panel.choose_task(task)
    assert go(panel, **values).error is None
    quiet(panel)
    after = facts(document)
    assert len(document._undo) == steps and after != before
    if "below" in case or case == "flats":
        assert names(document)[1] == "photo" and after[1][1][1] == ("multiply" if values.get("multiply") else "normal")
    for _ in range(2):
        fake.Krita.instance().action("edit_undo").trigger()
        quiet(panel)
        assert facts(document) == before and document._undo == []
        fake.Krita.instance().action("edit_redo").trigger()
        quiet(panel)
        assert facts(document) == after and document._redo == []


def test_what_was_done_before_and_after_is_left_alone(panel, document):  # noqa: F811
    document.resizeImage(0, 0, 50, 30)
    panel.choose_task("upscale")
    assert go(panel, scale=2.0, grow=True).error is None
    document.did("Brush Stroke", lambda: None, lambda: None)
    document.undo()
    quiet(panel)
    assert document.width() == 80 and len(names(document)) == 2
    document.undo()
    quiet(panel)
    assert document.width() == 50 and [step[0] for step in document._undo] == ["Resize Image"]


def test_a_layer_deleted_by_hand_is_no_undo(panel, document):  # noqa: F811
    panel.choose_task("upscale")
    assert go(panel, scale=2.0, grow=True).error is None
    document.rootNode().childNodes()[1].remove()
    quiet(panel)
    assert document.width() == 80
    document.undo()
    quiet(panel)
    assert document.width() == 80 and len(names(document)) == 2
    document.undo()
    quiet(panel)
    assert (document.width(), len(names(document))) == (40, 1)


def test_another_document_s_undo_is_not_pressed(panel, app, document):  # noqa: F811
    panel.choose_task("upscale")
    assert go(panel, scale=2.0, grow=True).error is None
    document.undo()
    other = fake.Document(app, 4, 3)
    other.resizeImage(0, 0, 80, 60)
    app.setActiveDocument(other)
    quiet(panel)
    assert (other.width(), document.width()) == (80, 80)
    app.setActiveDocument(document)
    quiet(panel)
    assert (other.width(), document.width()) == (80, 40)
