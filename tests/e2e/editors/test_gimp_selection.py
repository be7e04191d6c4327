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


def noted(path):
    """Code for GIMP: the selection's own bytes into a file."""
    code = (
        "import gi; gi.require_version('Babl', '0.1'); from gi.repository import Babl, Gegl; s = img.get_selection(); "
        "b = s.get_buffer().get(Gegl.Rectangle.new(0, 0, img.get_width(), img.get_height()), 1.0, "
        f"Babl.get_name(s.get_format()), Gegl.AbyssPolicy.NONE); open({str(path)!r}, 'wb').write(bytes(b))"
    )
    return f"exec({code!r}, dict(img=img))"


def alike(one, other, precision):
    """Whether two files of noted() say the same; doubles nearly, which GIMP itself passes through floats now and then."""
    a, b = one.read_bytes(), other.read_bytes()
    if precision == "DOUBLE_LINEAR":
        return bool(np.abs(np.frombuffer(a, "<f8") - np.frombuffer(b, "<f8")).max() < 1e-6)
    return a == b


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
    pictures.gimp.do("img.delete()")
    show(pictures, grey, precision, FIRST)
    theirs, kept = (pictures.gimp.folder / name for name in ("theirs", "kept"))
    meanwhile(f"{LATER[later]}; {noted(theirs)}")
    assert pictures.run("colorize", place="replace", saturation=2.0) == ["success", ""]
    after = pictures.take("l", 3, dtype)[0]
    # Doubles pass through floats, too; a step of 16 bits is 1.5e-5.
    assert np.abs(after.astype(float) - expected).max() <= (5e-7 if precision == "DOUBLE_LINEAR" else 0)
    inside = np.zeros(before.shape[:2])
    inside[: 140 - 12, 10:] = chosen[12:, : 160 - 10][: before.shape[0]]
    assert np.array_equal(after[inside == 0], before[inside == 0])
    assert (after[inside > 0.9] != before[inside > 0.9]).any(-1).mean() > 0.9
    pictures.gimp.do(noted(kept))
    assert alike(kept, theirs, precision) and any(kept.read_bytes()) == (later == "another")
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
    theirs, kept = (pictures.gimp.folder / name for name in ("theirs", "kept"))
    meanwhile(f"{LATER[later]}; {noted(theirs)}")
    assert pictures.run("colorize") == ["success", ""]
    mask, (_, width, height, x, y) = pictures.take("made.get_mask()", 1, np.float32)
    rows, columns = np.nonzero(chosen)
    assert (x, y, width, height) == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)
    assert np.array_equal(mask[..., 0], chosen[y : y + height, x : x + width])
    pictures.gimp.do(noted(kept))
    assert alike(kept, theirs, precision)
