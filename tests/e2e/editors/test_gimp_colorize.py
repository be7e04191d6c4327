"""Colorize Photo in a real GIMP 3, with a real engine and the shipped weights: the pixels of what comes back."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.editors.pictures import LUMA


def luma(array):
    return array[..., :3].astype(np.float64) @ LUMA


def rgb(grey):
    return np.ascontiguousarray(np.repeat(grey[..., None], 3, 2))


def chroma(array):
    return float(np.abs(array[..., :3].astype(float) - luma(array)[..., None]).mean())


def test_a_grey_image_becomes_a_coloured_one_and_keeps_its_luma(pictures, grey):
    pictures.new(grey[..., None])
    assert pictures.run("colorize", seed=7) == ["success", ""]
    assert pictures.tree() == ["Colorize Photo, seed 7", "photo"]
    assert pictures.gimp.ask("[made.get_name(), img.get_base_type().value_nick]") == ["Colorize Photo, seed 7", "rgb"]
    seen = pictures.exported()
    assert np.array_equal(np.rint(luma(seen)), grey)
    assert chroma(seen) > 1
    below, _ = pictures.take("l", 3)
    assert np.array_equal(below, rgb(grey))


PRECISIONS = {
    "U8_NON_LINEAR": np.uint8,
    "U16_NON_LINEAR": np.uint16,
    "U32_NON_LINEAR": np.float32,
    "U8_LINEAR": np.float32,
    "U16_LINEAR": np.float32,
    "U16_PERCEPTUAL": np.float32,
    "HALF_NON_LINEAR": np.float32,
    "HALF_LINEAR": np.float32,
    "FLOAT_LINEAR": np.float32,
    "FLOAT_PERCEPTUAL": np.float32,
    "DOUBLE_NON_LINEAR": np.float32,
}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_keeps_its_luma(pictures, grey, precision):
    dtype = PRECISIONS[precision]
    step = np.iinfo(dtype).max if dtype != np.float32 else 1
    source = rgb(grey).astype(np.float64) / 255
    source += np.linspace(0, 0.002, source.shape[1])[None, :, None]  # finer than 8 bits
    source = source.clip(0, 1) * step
    pictures.new((np.rint(source) if step > 1 else source).astype(dtype), precision)
    before, _ = pictures.take("l", 3, dtype)
    assert pictures.run("colorize") == ["success", ""]
    after, _ = pictures.take("made", 3, dtype)
    if step > 1:
        assert np.array_equal(np.rint(luma(after)), before[..., 0])
    else:  # what the image's own precision can hold
        # A step of linear light is up to 12.92 times as large in display values.
        held = {"HALF_NON_LINEAR": 1e-3, "HALF_LINEAR": 1e-3, "U16_LINEAR": 12.92 / 65535, "U8_LINEAR": 0.03}
        coarse = held.get(precision, 1e-5)
        assert np.abs(luma(after) - before[..., 0]).max() < coarse
    assert chroma(after / step) * 255 > 1


def test_an_image_with_another_profile(pictures, grey):
    pictures.new(rgb(grey), profile="Gimp.ColorProfile.new_rgb_adobe()")
    before, _ = pictures.take("l", 3, np.float32)
    assert pictures.run("colorize") == ["success", ""]
    after, _ = pictures.take("made", 3, np.float32)
    assert np.abs(luma(after) - luma(before)).max() < 1.5 / 255
    assert chroma(after) > 1 / 255


FEATHERED = "img.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 30, 60, 50); Gimp.Selection.feather(img, 8.0)"


def selected(pictures):
    """The selection's values on the canvas, float [H, W]."""
    return pictures.take("img.get_selection()", 1, np.float32)[0][..., 0]


def test_a_feathered_selection_is_the_layers_mask_and_the_rest_is_untouched(pictures, grey):
    pictures.new(rgb(grey))
    before = pictures.exported()
    pictures.gimp.do(FEATHERED)
    assert pictures.run("colorize", saturation=2.0) == ["success", ""]
    chosen = selected(pictures)
    mask, facts = pictures.take("made.get_mask()", 1, np.float32)
    rows, columns = np.nonzero(chosen)
    assert facts[1:] == [np.ptp(columns) + 1, np.ptp(rows) + 1, columns.min(), rows.min()]
    assert np.array_equal(mask[..., 0], chosen[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1])
    after = pictures.exported()
    assert np.array_equal(after[chosen == 0], before[chosen == 0])
    assert (after[chosen > 0.9] != before[chosen > 0.9]).any(-1).mean() > 0.9


def test_replacing_keeps_what_is_not_selected(pictures, grey):
    pictures.new(rgb(grey))
    pictures.gimp.do(FEATHERED)
    assert pictures.run("colorize", place="replace", saturation=2.0) == ["success", ""]
    assert pictures.tree() == ["photo"]
    chosen = selected(pictures)
    after, _ = pictures.take("l", 3)
    assert np.array_equal(after[chosen == 0], rgb(grey)[chosen == 0])
    assert (after[chosen > 0.9] != rgb(grey)[chosen > 0.9]).any(-1).mean() > 0.9


def test_replacing_a_grey_layer(pictures, grey):
    pictures.new(grey[..., None])
    assert pictures.run("colorize", place="replace") == ["success", ""]
    after, _ = pictures.take("l", 3)
    assert np.array_equal(np.rint(luma(after)), grey) and chroma(after) > 1


@pytest.mark.parametrize("at", [(-30, 25), (400, 300)], ids=["partly", "wholly"])
def test_a_layer_off_the_canvas_inside_a_group(pictures, grey, at):
    pictures.new(rgb(grey), canvas=(100, 90), at=at, group=True)
    assert pictures.run("colorize") == ["success", ""]
    assert pictures.tree() == [["G", ["Colorize Photo, seed 0", "photo"]]]
    after, facts = pictures.take("made", 3)
    assert facts[1:] == [160, 120, *at]
    assert np.array_equal(np.rint(luma(after)), grey)


def test_a_selection_on_a_layer_with_an_offset(pictures, grey):
    pictures.new(rgb(grey), canvas=(300, 200), at=(50, 40))
    pictures.gimp.do("img.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 120, 100)")
    assert pictures.run("colorize") == ["success", ""]
    after, facts = pictures.take("made", 3)
    assert facts[1:] == [70, 60, 50, 40]
    assert np.array_equal(np.rint(luma(after)), grey[:60, :70])


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_kept(pictures, grey, channels):
    alpha = np.add.outer(np.arange(120), np.arange(160)).clip(0, 255).astype(np.uint8)
    pictures.new(np.ascontiguousarray(np.dstack([*[grey] * (channels - 1), alpha])))
    assert pictures.run("colorize") == ["success", ""]
    after, _ = pictures.take("made", 4)
    assert np.array_equal(after[..., 3], alpha)
    assert np.array_equal(np.rint(luma(after))[alpha > 0], grey[alpha > 0])


def test_a_layers_own_mask_hides_in_the_result_what_it_hides(pictures, grey):
    pictures.new(np.ascontiguousarray(np.dstack([rgb(grey), np.full_like(grey, 255)])))
    pictures.gimp.do("""
img.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 80, 120)
l.add_mask(l.create_mask(Gimp.AddMaskType.SELECTION))
img.select_rectangle(Gimp.ChannelOps.REPLACE, 60, 0, 60, 120)
""")
    assert pictures.run("colorize", layers="[l.get_mask()]") == ["success", ""]  # the mask is being edited
    mask, facts = pictures.take("made.get_mask()", 1, np.float32)
    assert facts[1:] == [60, 120, 60, 0]
    assert (mask[:, :20] == 1).all() and (mask[:, 20:] == 0).all()


def test_only_the_colours_in_a_layer_of_colour_mode(pictures, grey):
    pictures.new(rgb(grey))
    assert pictures.run("colorize", place="color-layer", saturation=2.0) == ["success", ""]
    assert pictures.gimp.ask("made.get_mode() == M.LCH_COLOR")
    colours, _ = pictures.take("made", 3)
    assert np.abs(luma(colours) - 128).max() < 2 and chroma(colours) > 1
    seen = pictures.exported()
    assert chroma(seen) > 1
    assert np.corrcoef(luma(seen).ravel(), grey.ravel())[0, 1] > 0.995


def test_a_new_image(pictures, grey):
    pictures.new(grey[..., None])
    assert pictures.run("colorize", place="new-image") == ["success", ""]
    assert pictures.tree() == ["photo"] and pictures.gimp.ask("img.get_base_type().value_nick") == "gray"
    seen = pictures.exported("made.get_image()")
    assert np.array_equal(np.rint(luma(seen)), grey)
    pictures.gimp.do("made.get_image().delete()")


def test_variants_are_a_group_with_the_first_one_shown(pictures, grey):
    pictures.new(rgb(grey))
    assert pictures.run("colorize", seed=5, variants=3) == ["success", ""]
    names = [f"Colorize Photo, seed {seed}" for seed in (5, 6, 7)]
    assert pictures.tree() == [["Colorize Photo (3)", names], "photo"]
    assert pictures.gimp.ask("[c.get_visible() for c in made.get_children()]") == [True, False, False]


@pytest.mark.parametrize("wanted", [(190, 95, 85), (80, 120, 200), (170, 120, 60)], ids=["rust", "blue", "amber"])
def test_hints_are_obeyed(pictures, grey, wanted):
    """A square on the meadow, in a layer smaller than the photograph; colours that its lightness can have."""
    pictures.new(rgb(grey))
    square = np.zeros((40, 40, 4), np.uint8)
    square[5:29, 10:34] = (*wanted, 255)
    pictures.add("h", square, "hints", (100, 80))
    assert pictures.run("colorize") == ["success", ""]
    free, _ = pictures.take("made", 3)
    assert pictures.run("colorize", hints="=h") == ["success", ""]
    hinted, _ = pictures.take("made", 3)
    spot = np.s_[87:107, 112:132]
    assert off(hinted[spot], wanted) < min(6.0, off(free[spot], wanted) / 2)
    assert np.array_equal(np.rint(luma(hinted)), grey)


def off(seen, wanted):
    """Mean CIEDE2000 of u8 [H, W, 3] from the wanted colour at the photograph's own lightness, which hints never change."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    given = rgb2lab(seen)
    asked = np.broadcast_to(rgb2lab(np.array(wanted)[None, None] / 255), given.shape).copy()
    asked[..., 0] = given[..., 0]
    return float(deltaE_ciede2000(given, asked).mean())
