"""Upscale in a real GIMP 3: layers, selections, new images, and a canvas that grows only when asked."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Engine


@pytest.fixture(scope="module")
def small():
    """A piece of a colour photograph (scikit-image's chelsea, CC0), u8 [40, 52, 3]."""
    from skimage import data

    return np.ascontiguousarray(data.chelsea()[100:140, 140:192])


@pytest.fixture(scope="module")
def expected(small):
    """scale -> what the shipped weights make of it in this process."""
    from engine import paths

    models = paths.shipped("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINCEL_MODELS", str(models))
        with Engine(device="cpu") as inside:
            yield {scale: inside.upscale(small, scale=float(scale)).array for scale in (2, 4)}


@pytest.mark.parametrize("scale", [2, 4])
def test_a_layer_larger_and_the_canvas_as_it_was(pictures, small, expected, scale):
    pictures.new(small, canvas=(100, 80), at=(10, 5))
    assert pictures.run("upscale", scale=float(scale)) == ["success", ""]
    assert pictures.tree() == ["Upscale", "photo"]
    after, facts = pictures.take("made", 3)
    assert facts[1:] == [52 * scale, 40 * scale, 10, 5]
    assert np.array_equal(after, expected[scale])
    assert pictures.gimp.ask("[img.get_width(), img.get_height()]") == [100, 80]


def test_the_canvas_grows_when_asked(pictures, small):
    pictures.new(small, canvas=(100, 60), at=(-10, 5))
    assert pictures.run("upscale", scale=2.0, grow=True) == ["success", ""]
    assert pictures.take("made", 3)[1][1:] == [104, 80, 0, 5]
    assert pictures.take("l", 3)[1][1:] == [52, 40, 0, 5]
    assert pictures.gimp.ask("[img.get_width(), img.get_height()]") == [110, 85]


def test_a_new_image_four_times_as_large(pictures, small, expected):
    pictures.new(small)
    pictures.gimp.do("img.set_resolution(150.0, 150.0)")
    assert pictures.run("upscale", place="new-image") == ["success", ""]
    assert pictures.tree() == ["photo"]
    assert np.array_equal(pictures.exported("made.get_image()"), expected[4])
    assert pictures.gimp.ask("list(made.get_image().get_resolution())[1:]") == [150, 150]
    pictures.gimp.do("made.get_image().delete()")


def test_a_grey_layer_stays_grey(pictures, small):
    pictures.new(np.ascontiguousarray(small[..., :1]))
    assert pictures.run("upscale", scale=2.0) == ["success", ""]
    assert pictures.gimp.ask("[img.get_base_type().value_nick, made.is_gray()]") == ["gray", True]


def test_sixteen_bits_and_alpha(pictures, small, expected):
    wide = np.dstack([small, np.full(small.shape[:2], 255, np.uint8)]).astype(np.uint16) * 257
    pictures.new(np.ascontiguousarray(wide), "U16_NON_LINEAR")
    assert pictures.run("upscale", scale=2.0) == ["success", ""]
    after, _ = pictures.take("made", 4, np.uint16)
    assert (after[..., 3] == 65535).all()
    assert np.abs(after[..., :3] / 257 - expected[2]).max() < 0.51


def test_a_selection_with_its_feather(pictures, small, expected):
    pictures.new(small)
    pictures.gimp.do("img.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 12, 16, 14); Gimp.Selection.feather(img, 3.0)")
    assert pictures.run("upscale", scale=2.0) == ["success", ""]
    bounds = pictures.gimp.ask("list(Gimp.Selection.bounds(img))[2:]")
    left, top, right, bottom = bounds
    after, facts = pictures.take("made", 3)
    assert facts[1:] == [2 * (right - left), 2 * (bottom - top), left, top]
    part = expected[2][2 * top : 2 * bottom, 2 * left : 2 * right]
    assert np.abs(after.astype(int) - part).max() <= 1  # it saw 16 pixels around itself: nearly the whole way
    mask, facts = pictures.take("made.get_mask()", 1, np.float32)
    assert facts[1:3] == [2 * (right - left), 2 * (bottom - top)]
    assert 0 < mask.mean() < 1 and mask.max() > 0.9


def test_replacing_makes_the_layer_itself_larger(pictures, small, expected):
    pictures.new(small, at=(3, 4))
    assert pictures.run("upscale", scale=2.0, place="replace") == ["success", ""]
    after, facts = pictures.take("l", 3)
    assert facts == ["photo", 104, 80, 3, 4]
    assert np.array_equal(after, expected[2])


def test_an_exact_width(pictures, small):
    pictures.new(small)
    assert pictures.run("upscale", width=130) == ["success", ""]
    assert pictures.take("made", 3)[1][1:3] == [130, 100]
