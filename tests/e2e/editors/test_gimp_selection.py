"""A selection that the user changes while the real GIMP 3 waits for the engine: what was selected before counts."""

from __future__ import annotations

import numpy as np
import pytest

FIRST = "img.select_ellipse(Gimp.ChannelOps.REPLACE, 40, 30, 60, 50); Gimp.Selection.feather(img, 8.0)"
LATER = {
    "none": "Gimp.Selection.none(img)",
    "another": "img.select_ellipse(Gimp.ChannelOps.REPLACE, 70, 10, 50, 60); Gimp.Selection.feather(img, 5.0)",
}
PRECISIONS = {
    "U8_NON_LINEAR": np.uint8,
    "U16_NON_LINEAR": np.uint16,
    "U32_LINEAR": np.float32,
    "HALF_LINEAR": np.float32,
    "FLOAT_NON_LINEAR": np.float32,
    "DOUBLE_LINEAR": np.float32,
}


def selected(pictures):
    """The selection's values on the canvas, float [H, W]."""
    return pictures.take("img.get_selection()", 1, np.float32)[0][..., 0]


def show(pictures, grey, precision, first):
    """A photograph beside the canvas's corner, finer than 8 bits where it can be, and what is selected in it."""
    dtype = PRECISIONS[precision]
    step = np.iinfo(dtype).max if dtype != np.float32 else 1
    photo = np.repeat(grey[..., None], 3, 2) / 255 + np.linspace(0, 0.002, grey.shape[1])[None, :, None]
    photo = photo.clip(0, 1) * step
    pictures.new((np.rint(photo) if step > 1 else photo).astype(dtype), precision, canvas=(150, 140), at=(-10, 12))
    pictures.gimp.do(first)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("later", LATER)
def test_replaced_pixels_are_those_of_an_unchanged_selection(pictures, grey, meanwhile, precision, later):
    dtype = PRECISIONS[precision]
    show(pictures, grey, precision, FIRST)
    before, chosen = pictures.take("l", 3, dtype)[0], selected(pictures)
    assert pictures.run("colorize", place="replace", saturation=2.0) == ["success", ""]
    expected = pictures.take("l", 3, dtype)[0]
    pictures.gimp.do(LATER[later])
    theirs = selected(pictures)
    pictures.gimp.do("img.delete()")
    show(pictures, grey, precision, FIRST)
    meanwhile(LATER[later])
    assert pictures.run("colorize", place="replace", saturation=2.0) == ["success", ""]
    after = pictures.take("l", 3, dtype)[0]
    # GIMP blends doubles in single precision, and not always by the same way there.
    assert np.abs(after.astype(float) - expected).max() <= (5e-7 if precision == "DOUBLE_LINEAR" else 0)
    inside = np.zeros(before.shape[:2])
    inside[: 140 - 12, 10:] = chosen[12:, : 160 - 10][: before.shape[0]]
    assert np.array_equal(after[inside == 0], before[inside == 0])
    assert (after[inside > 0.9] != before[inside > 0.9]).any(-1).mean() > 0.9
    assert np.array_equal(selected(pictures), theirs)
    assert pictures.gimp.ask("[names(img.get_channels()), names(img.get_selected_layers())]") == [[], ["photo"]]


@pytest.mark.parametrize("task", ["colorize", "upscale"])
def test_all_of_a_layer_is_replaced_where_nothing_was_selected(pictures, grey, meanwhile, task):
    show(pictures, grey, "U8_NON_LINEAR", "")
    given = {"scale": 2.0} if task == "upscale" else {}
    assert pictures.run(task, place="replace", **given) == ["success", ""]
    expected, facts = pictures.take("l", 3)
    pictures.gimp.do("img.delete()")
    show(pictures, grey, "U8_NON_LINEAR", "")
    meanwhile(FIRST)
    assert pictures.run(task, place="replace", **given) == ["success", ""]
    after, placed = pictures.take("l", 3)
    assert placed == facts and np.array_equal(after, expected)
    assert 0 < selected(pictures).mean() < 1


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("later", LATER)
def test_a_new_layer_is_masked_by_what_was_selected(pictures, grey, meanwhile, precision, later):
    show(pictures, grey, precision, FIRST)
    chosen = selected(pictures)
    meanwhile(LATER[later])
    assert pictures.run("colorize") == ["success", ""]
    mask, (_, width, height, x, y) = pictures.take("made.get_mask()", 1, np.float32)
    rows, columns = np.nonzero(chosen)
    assert (x, y, width, height) == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert np.array_equal(mask[..., 0], chosen[y : y + height, x : x + width])
    theirs = selected(pictures)
    pictures.gimp.do(LATER[later])
    assert np.array_equal(selected(pictures), theirs)
