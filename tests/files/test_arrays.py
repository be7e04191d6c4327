"""Pictures from Python: paths, PIL images and numpy arrays, under the same rules as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.client import errors
from engine.files.arrays import picture_from, to_pil
from engine.files.write import write
from engine.tasks.base import Picture
from tests.files.pictures import SRGB, XMP, exif_block, picture, samples

DTYPES = [np.uint8, np.uint16, np.float16, np.float32]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays(dtype, channels):
    array = samples(dtype, channels)
    got = picture_from(array)
    np.testing.assert_array_equal(got.array, array)
    assert got.array.dtype == dtype and not got.linear and got.icc == b""


def test_grey_without_a_third_axis():
    assert picture_from(samples(np.uint8, 1)[..., 0]).array.shape == (9, 13, 1)


def test_other_orders_in_memory():
    array = samples(np.uint16, 3)
    np.testing.assert_array_equal(picture_from(array.astype(">u2")).array, array)
    np.testing.assert_array_equal(picture_from(array[::-1, ::2]).array, array[::-1, ::2])
    assert picture_from(array.astype(">u2")).array.dtype.isnative
    assert picture_from(array.astype(np.float64)).array.dtype == np.float32


@pytest.mark.parametrize(
    ("array", "error"),
    [
        (np.zeros((4, 4, 5), np.uint8), errors.FrameInvalid),
        (np.zeros((2, 4, 4, 3), np.uint8), errors.FrameInvalid),
        (np.zeros(4, np.uint8), errors.FrameInvalid),
        (np.zeros((4, 4), np.int32), errors.FrameInvalid),
        (np.zeros((4, 4), bool), errors.FrameInvalid),
        (np.zeros((4, 4), complex), errors.FrameInvalid),
        (np.array([["a"]]), errors.FrameInvalid),
        (np.zeros((0, 4, 3), np.uint8), errors.EmptyPicture),
        (np.zeros((4, 0), np.uint8), errors.EmptyPicture),
        (np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (50000, 10), (0, 0)), errors.TooLarge),
        (np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (20000, 20000), (0, 0)), errors.TooLarge),
        (np.full((4, 4, 3), np.nan, np.float32), errors.NotFinite),
        (np.full((4, 4), np.inf, np.float16), errors.NotFinite),
        (np.full((4, 4), 1e300), errors.NotFinite),
    ],
)
def test_arrays_that_are_refused(array, error):
    with pytest.raises(errors.PincelError) as caught:
        picture_from(array)
    assert type(caught.value) is error


@pytest.mark.parametrize("source", [None, 5, b"bytes", [[1, 2], [3, 4]], object()])
def test_other_things_are_refused(source):
    with pytest.raises(errors.NotAPicture):
        picture_from(source)


def test_paths_and_pictures(tmp_path):
    path = write(picture(), tmp_path / "a.png")
    for source in (str(path), Path(path), picture()):
        got = picture_from(source)
        np.testing.assert_array_equal(got.array, picture().array)
        assert got.icc == SRGB
    with pytest.raises(errors.NotFinite):
        picture_from(Picture(np.full((2, 2, 1), np.nan, np.float32)))
    with pytest.raises(errors.InputMissing):
        picture_from("none.png")


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
def test_pil_images_there_and_back(mode, channels):
    image = Image.fromarray(samples(np.uint8, channels)[..., 0] if channels == 1 else samples(np.uint8, channels))
    assert image.mode == mode
    back = to_pil(picture_from(image))
    assert back.mode == mode and back.tobytes() == image.tobytes()


def test_16_bit_grey_stays_deep():
    image = Image.fromarray(samples(np.uint16, 1)[..., 0])
    got = picture_from(image)
    assert got.array.dtype == np.uint16
    assert to_pil(got).mode == "I;16" and to_pil(got).tobytes() == image.tobytes()


def test_deep_colours_are_rounded_for_pillow():
    deep = samples(np.uint16, 3)
    np.testing.assert_array_equal(np.asarray(to_pil(Picture(deep))), np.rint(deep / 257.0).astype(np.uint8))
    np.testing.assert_array_equal(np.asarray(to_pil(Picture(np.float32([[[0, 0.5, 1]]])))), np.uint8([[[0, 128, 255]]]))


def test_blocks_go_along_with_pil(tmp_path):
    image = to_pil(Picture(samples(np.uint8, 3), icc=SRGB, exif=exif_block(), xmp=XMP.replace(b'"6"', b'"1"')))
    image.save(tmp_path / "a.png", exif=image.info["exif"])
    with Image.open(tmp_path / "a.png") as again:
        got = picture_from(again)
    assert got.icc == SRGB and got.exif == exif_block()


@pytest.mark.parametrize("mode", ["1", "P", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "RGBX", "RGBa", "La", "PA"])
def test_other_modes_are_refused_unless_converted(mode):
    image = Image.new(mode, (4, 4), 1 if mode in ("1", "P", "I", "F") else None)
    if mode in ("RGBa", "La", "PA"):
        image.putpixel((0, 0), {"RGBa": (10, 20, 30, 255), "La": (10, 255), "PA": (1, 255)}[mode])
    with pytest.raises(errors.UnsupportedMode):
        picture_from(image)
    assert picture_from(image, convert=True).array.shape[:2] == (4, 4)


def test_a_damaged_or_huge_pil_image(tmp_path):
    path = write(picture(), tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-60])
    with Image.open(path) as image, pytest.raises(errors.Truncated):
        picture_from(image)
    with pytest.raises(errors.TooLarge):
        picture_from(Image.new("1", (50000, 2)))
    with pytest.raises(errors.EmptyPicture):
        picture_from(Image.new("RGB", (0, 5)))


@pytest.mark.parametrize("ending", ["png", "jpg", "gif"])
def test_a_closed_pil_image_is_said_to_be_closed(tmp_path, ending):
    Image.new("L", (5, 4), 7).save(tmp_path / f"a.{ending}")
    with Image.open(tmp_path / f"a.{ending}") as left:
        pass
    shut = Image.new("L", (5, 4))
    shut.close()
    for image in (left, shut):
        with pytest.raises(errors.NotAPicture, match="was closed") as caught:
            picture_from(image)
        assert "load()" in caught.value.remedy


def test_a_pil_image_that_was_loaded_in_time_may_be_closed(tmp_path):
    Image.new("L", (5, 4), 7).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        image.load()
    assert picture_from(image).width == 5


def test_the_callers_array_is_never_changed():
    array = samples(np.uint8, 3)
    before = array.copy()
    made = picture_from(Image.fromarray(array))
    made.array[:] = 0
    np.testing.assert_array_equal(array, before)
