"""One undo step returns the very image, wherever the result went; in GIMP 3 with its window, by Ctrl+Z."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.editors.conftest import meddled

SELECTED = "img.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 12, 50, 40); Gimp.Selection.feather(img, 6.0)"
MASKED = "l.add_mask(l.create_mask(Gimp.AddMaskType.WHITE))"
# name: (task, what is done first, options, whether the image is grey)
CASES = {
    "a layer, from grey to colours": ("colorize", "", {}, True),
    "a layer, masked by a selection": ("colorize", SELECTED, {}, False),
    "a layer above one with a mask": ("colorize", MASKED, {}, False),
    "a group of variants": ("colorize", "", {"variants": 2}, True),
    "the colours alone": ("colorize", "", {"place": "color-layer"}, True),
    "pixels replaced in a selection": ("colorize", SELECTED, {"place": "replace"}, False),
    "pixels replaced, from grey to colours": ("colorize", "", {"place": "replace"}, True),
    "colours below the lines": ("sketch", "", {"place": "below"}, True),
    "a larger layer and canvas": ("upscale", "", {"scale": 2.0, "grow": True}, False),
    "a layer made larger": ("upscale", "", {"scale": 2.0, "place": "replace"}, True),
    "drawn from nothing": ("generate", SELECTED, {"count": 2}, True),
}


@pytest.mark.parametrize("case", CASES)
def test_one_undo_returns_the_very_image(desk, grey, case):
    task, first, given, is_grey = CASES[case]
    desk.engine.start()
    small = grey[:80, :100]
    pictures = desk.show(np.ascontiguousarray(small[..., None] if is_grey else np.repeat(small[..., None], 3, 2)))
    try:
        desk.gimp.do(first + "\nimg.clean_all()")
        before, layers = desk.state(), desk.layers()
        assert pictures.run(task, **given) == ["success", ""]
        after = desk.state()
        assert after != before
        undo_and_redo(desk, layers, before, after)
    finally:
        desk.put_away()


def test_one_undo_and_one_redo_where_the_selection_was_changed_meanwhile(desk, grey):
    desk.engine.start()
    pictures = desk.show(np.ascontiguousarray(np.repeat(grey[:80, :100, None], 3, 2)))
    put_back = meddled(desk.gimp, "img.select_rectangle(Gimp.ChannelOps.REPLACE, 5, 40, 70, 30)")
    try:
        desk.gimp.do(SELECTED + "\nimg.clean_all()")
        before, layers = desk.state(), desk.layers()
        assert pictures.run("colorize", place="replace") == ["success", ""]
        after = desk.state()
        assert after[6] != before[6] and after[7] != before[7]  # what is selected, and the layers
        before[6] = after[6]  # the user's own step comes before ours
        undo_and_redo(desk, layers, before, after)
    finally:
        put_back()
        desk.put_away()


def undo_and_redo(desk, layers, before, after):
    """Ctrl+Z and Ctrl+Y in the window, each once, lead to these states."""
    desk.gimp.do("Gimp.displays_flush()")
    desk.key_in_window("ctrl+z", layers)
    # A step that only changed pixels leaves the layers' names as they are: wait for the state.
    assert settled(desk, before) == before
    desk.screen.do("key", "ctrl+y")
    assert settled(desk, after) == after


def settled(desk, wanted):
    """The image's state, as soon as it is the wanted one, or after some seconds."""
    for _ in range(40):
        if (now := desk.state()) == wanted:
            return now
        desk.screen.do("sleep", "0.2")
    return now
