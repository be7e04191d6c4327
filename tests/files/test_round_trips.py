"""What goes out comes in again: pixels, profile, EXIF and XMP, in every format, depth and channel layout."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from engine.client.errors import OptionError, OutputFormat
from engine.files import arrays, depth, exif, icc
from engine.files.read import read
from engine.files.write import write
from engine.tasks.base import Picture
from tests.files.pictures import SRGB, exif_block, picture, profile, samples

LOSSLESS = [(".png", dtype) for dtype in (np.uint8, np.uint16)]
LOSSLESS += [(".tif", dtype) for dtype in (np.uint8, np.uint16, np.float16, np.float32)]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("ending", "dtype"), LOSSLESS)
def test_lossless(tmp_path, ending, dtype, channels, capfd):
    source = picture(dtype, channels)
    path = write(source, tmp_path / f"a{ending}")
    back = read(path)
    assert capfd.readouterr() == ("", "")  # libpng has opinions on a profile of RGB in a grey picture
    assert back.array.dtype == dtype
    np.testing.assert_array_equal(back.array, source.array)
    assert back.icc == SRGB and not back.linear
    assert b"A harbour" in back.xmp


@pytest.mark.parametrize("channels", [3, 4])
def test_webp_at_100_is_lossless(tmp_path, channels):
    source = picture(np.uint8, channels)
    back = read(write(source, tmp_path / "a.webp", quality=100))
    np.testing.assert_array_equal(back.array, source.array)


@pytest.mark.parametrize(("ending", "channels"), [(".jpg", 1), (".jpg", 3), (".jpeg", 3), (".webp", 3), (".webp", 4)])
def test_lossy_formats_stay_close(tmp_path, ending, channels):
    ramp = np.linspace(0, 65535, 64 * 64 * channels).reshape(64, 64, channels).astype(np.uint16)
    back = read(write(Picture(ramp), tmp_path / f"a{ending}"))
    assert back.array.shape == ramp.shape
    assert np.abs(back.array.astype(int) - np.rint(ramp / 257.0)).mean() < 2


def test_webp_has_no_grey(tmp_path):
    grey = samples(np.uint8, 2)
    back = read(write(Picture(grey), tmp_path / "a.webp", quality=100)).array
    np.testing.assert_array_equal(back, grey[..., [0, 0, 0, 1]])


def test_jpeg_keeps_chroma_at_full_resolution(tmp_path):
    write(picture(), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_large_jpegs_differ_in_their_tables_alone(tmp_path, monkeypatch):
    small = write(picture(), tmp_path / "a.jpg")
    monkeypatch.setattr("engine.files.write._OPTIMIZED", 100)
    large = write(picture(), tmp_path / "b.jpg")
    assert large.stat().st_size > small.stat().st_size
    np.testing.assert_array_equal(read(large).array, read(small).array)


def test_pillow_agrees_on_what_we_wrote(tmp_path):
    source = picture(np.uint8, 4)
    for ending in (".png", ".tif"):
        with Image.open(write(source, tmp_path / f"a{ending}")) as image:
            np.testing.assert_array_equal(np.asarray(image), source.array)
            assert image.info["icc_profile"] == SRGB


# ---- depth ---------------------------------------------------------------------------------------------------------


def test_every_16_bit_value_is_rounded_to_the_nearest_8_bit_one():
    deep = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(depth.to_integers(deep, np.uint8), np.rint(deep * (255 / 65535)).astype(np.uint8))


def test_8_bits_survive_16():
    shallow = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(depth.to_integers(depth.to_integers(shallow, np.uint16), np.uint8), shallow)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floats_become_16_bit_png(tmp_path, dtype):
    source = np.array([[[-0.5], [0.0], [0.5], [1.0], [1.5]]], dtype)
    back = read(write(Picture(source), tmp_path / "a.png"))
    assert back.array.dtype == np.uint16
    assert back.array.ravel().tolist() == [0, 0, 32768, 65535, 65535]


# ---- profiles and linear light -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "linear"),
    [
        (b"curv\0\0\0\0\0\0\0\0", True),
        (b"curv\0\0\0\0\0\0\0\1\1\0", True),
        (b"curv\0\0\0\0\0\0\0\1\2\x33", False),
        (b"curv\0\0\0\0\0\0\0\2\0\0\xff\xff", True),
        (b"curv\0\0\0\0\0\0\0\3\0\0\x20\0\xff\xff", False),
        (b"para\0\0\0\0\0\0\0\0\0\1\0\0", True),
        (b"para\0\0\0\0\0\0\0\0\0\2\0\0", False),
        (b"curv", False),
    ],
)
def test_linear_light_is_read_from_the_profile(tmp_path, curve, linear):
    block = profile(curve=curve)
    assert icc.is_linear(block) is linear
    back = read(write(Picture(samples(np.float32, 3), icc=block), tmp_path / "a.tif"))
    assert back.linear is linear and back.icc == block


def test_real_and_damaged_profiles():
    assert icc.colour_space(SRGB) == "RGB" and not icc.is_linear(SRGB)
    assert icc.colour_space(b"") == icc.colour_space(b"x" * 200) == ""
    assert not icc.is_linear(profile()[:140])


def test_linear_values_without_a_profile_are_encoded(tmp_path):
    light = np.array([[[0.0, 0.5], [0.0031308, 0.25], [0.21404114, 1.0], [1.0, 0.5], [2.0, 0.5]]], np.float32)
    back = read(write(Picture(light, linear=True), tmp_path / "a.tif")).array
    np.testing.assert_allclose(back[0, :, 0], [0, 0.04045, 0.5, 1, 1.3532], atol=1e-4)
    np.testing.assert_array_equal(back[..., 1], light[..., 1])
    integers = read(write(Picture(np.full((2, 2, 3), 14027, np.uint16), linear=True), tmp_path / "a.png")).array
    assert abs(int(integers[0, 0, 0]) - 32768) < 20


def test_a_grey_profile_does_not_go_into_a_colour_picture(tmp_path):
    notices: list[str] = []
    path = write(picture(icc=profile(b"GRAY")), tmp_path / "a.png", notices=notices)
    assert read(path).icc == b"" and len(notices) == 1
    assert read(write(picture(channels=1, icc=profile(b"GRAY")), tmp_path / "b.png")).icc != b""


# ---- EXIF and XMP --------------------------------------------------------------------------------------------------


def tags(block: bytes) -> tuple[dict, dict, dict]:
    found = Image.Exif()
    found.load(b"Exif\0\0" + block)
    return dict(found), dict(found.get_ifd(0x8769)), dict(found.get_ifd(0x8825))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
def test_exif_and_xmp_go_along(tmp_path, ending, order):
    path = write(picture(exif=exif_block(order=order)), tmp_path / f"a{ending}")
    back = read(path)
    main, inner, gps = tags(back.exif)
    assert main[0x010F] == "Pincel Cameras"
    assert inner[0x9003] == "1936:07:18 10:20:30" and inner[0x927C] == b"maker's note, 24 bytes.."
    assert gps[1] == "N"
    assert b"A harbour" in back.xmp and b'tiff:Orientation="1"' in back.xmp
    with Image.open(path) as image:  # and Pillow finds them too
        assert image.getexif()[0x010F] == "Pincel Cameras"
        assert image.getexif().get_ifd(0x8769)[0x9003] == "1936:07:18 10:20:30"
        assert image.getexif().get_ifd(0x8825)[1] == "N"


def test_blocks_travel_between_formats_without_loss(tmp_path):
    block = exif_block()
    through = read(write(picture(), tmp_path / "a.png"))
    for ending in (".jpg", ".webp", ".png"):
        through = read(write(through, tmp_path / f"b{ending}"))
    assert through.exif == exif.updated(block, 13, 9)


def test_sizes_are_brought_up_to_date_and_the_thumbnail_is_unlinked(tmp_path):
    big = Picture(samples(np.uint8, 3, 18, 26), exif=exif_block())
    block = read(write(big, tmp_path / "a.jpg")).exif
    assert tags(block)[1][0xA002] == 26
    assert exif.orientation(block) == 1
    found = Image.Exif()
    found.load(b"Exif\0\0" + exif_block())
    assert found.get_ifd(ExifTags.IFD.IFD1)
    found.load(b"Exif\0\0" + block)
    assert not found.get_ifd(ExifTags.IFD.IFD1)


def test_what_is_too_large_for_a_jpeg_is_left_out_with_a_notice(tmp_path):
    notices: list[str] = []
    long = picture(exif=exif_block() + bytes(70000), xmp=b"<x/>" + b" " * 70000)
    back = read(write(long, tmp_path / "a.jpg", notices=notices))
    assert back.exif == back.xmp == b"" and len(notices) == 2
    assert read(write(long, tmp_path / "a.png")).xmp == long.xmp


@pytest.mark.parametrize(
    "block", [b"", b"II", b"nonsense", b"II*\0\xff\xff\xff\xff", b"II*\0\x08\0\0\0\xff\xff" + bytes(9)]
)
def test_a_damaged_block_is_dropped(block):
    assert exif.cleaned(b"Exif\0\0" + block) == b""


def test_a_ring_of_directories_ends():
    ring = exif.Directory("<", {})
    data = bytearray(exif.packed(exif.Directory("<", {0x8769: (4, 1, ring)})))
    data[18:22] = (8).to_bytes(4, "little")
    with pytest.raises(ValueError, match="ring"):
        exif.parsed(bytes(data))


def oriented(path, array: np.ndarray, orientation: int) -> None:
    block = Image.Exif()
    block[0x0112] = orientation
    Image.fromarray(array).save(path, exif=block, **({"lossless": True} if path.suffix == ".webp" else {}))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
def test_the_orientation_is_applied_once(tmp_path, ending, orientation):
    from PIL import ImageOps

    stored = samples(np.uint8, 3)
    oriented(tmp_path / f"a{ending}", stored, orientation)
    with Image.open(tmp_path / f"a{ending}") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    upright = read(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(upright.array, expected)
    again = read(write(upright, tmp_path / f"b{ending}", quality=100))
    np.testing.assert_array_equal(again.array, expected)
    with Image.open(tmp_path / f"a{ending}") as image:
        np.testing.assert_array_equal(arrays.picture_from(image).array, expected)


@pytest.mark.parametrize("orientation", [3, 6])
def test_a_turned_jpeg(tmp_path, orientation):
    stored = np.zeros((32, 48, 3), np.uint8)
    stored[:16, :16] = 255
    oriented(tmp_path / "a.jpg", stored, orientation)
    upright = read(tmp_path / "a.jpg").array
    assert upright.shape == {3: (32, 48, 3), 6: (48, 32, 3)}[orientation]
    assert {3: upright[-8, -8], 6: upright[8, -8]}[orientation].min() > 240


# ---- names and options ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a", "a.gif", "a.jp2", "png", ".png"])
def test_other_endings_are_refused(tmp_path, name):
    with pytest.raises(OutputFormat):
        write(picture(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_capital_endings_are_fine(tmp_path):
    assert write(picture(), tmp_path / "A.PNG").exists()


def test_jpeg_refuses_real_transparency_only(tmp_path):
    with pytest.raises(OutputFormat) as caught:
        write(picture(channels=4), tmp_path / "a.jpg")
    assert ".png" in caught.value.remedy
    opaque = picture(channels=4)
    opaque.array[..., 3] = 255
    assert read(write(opaque, tmp_path / "a.jpg")).array.shape[2] == 3


def test_sides_that_the_format_cannot_hold(tmp_path):
    with pytest.raises(OutputFormat, match="16383"):
        write(Picture(np.zeros((1, 16384, 3), np.uint8)), tmp_path / "a.webp")


@pytest.mark.parametrize("quality", [0, 101, -5, 95.5, "95", b"95", float("nan"), []])
def test_quality_has_a_range(tmp_path, quality):
    with pytest.raises(OptionError, match="quality"):
        write(picture(), tmp_path / "a.jpg", quality=quality)
    assert write(picture(), tmp_path / "b.jpg", quality=np.int64(90)).exists()


def test_tiff_is_deflated_and_pillow_reads_its_exif_directory(tmp_path):
    write(Picture(np.zeros((200, 200, 3), np.uint16)), tmp_path / "a.tif")
    assert (tmp_path / "a.tif").stat().st_size < 4000
    with open(write(picture(), tmp_path / "b.tif"), "rb") as file:
        assert TiffImagePlugin.TiffImageFile(file).tag_v2[34853]


def test_the_profile_of_a_cmyk_picture_is_no_profile_of_an_rgb_one(tmp_path):
    assert read(write(picture(icc=profile(b"CMYK")), tmp_path / "a.tif")).icc == b""
    assert ImageCms.getProfileName(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")))
