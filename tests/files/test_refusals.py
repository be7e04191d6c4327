"""What is refused, and with which code; and what --convert makes of it."""

from __future__ import annotations

import io
import os
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from engine.client import errors
from engine.files import check
from engine.files.read import read
from engine.files.write import write
from engine.tasks.base import Picture
from tests.files.pictures import SRGB, chunk, picture, png, profile, samples, saved


def refused(path, error: type[errors.PincelError], convert: bool = False) -> errors.PincelError:
    with pytest.raises(errors.PincelError) as caught:
        read(path, convert)
    assert type(caught.value) is error, repr(caught.value)
    assert caught.value.remedy and caught.value.sentence.endswith(".")
    return caught.value


def put(tmp_path, data: bytes, name: str = "a.png"):
    (tmp_path / name).write_bytes(data)
    return tmp_path / name


# ---- no picture at all ---------------------------------------------------------------------------------------------


def test_missing_folder_and_empty(tmp_path):
    refused(tmp_path / "none.png", errors.InputMissing)
    refused(tmp_path / "none.png" / "deeper.png", errors.InputMissing)
    refused("nul\0byte.png", errors.InputMissing)
    refused(tmp_path, errors.NotAPicture)
    refused(put(tmp_path, b""), errors.EmptyPicture)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    refused(tmp_path / "pipe.png", errors.NotAPicture)


def test_a_file_that_may_not_be_opened(tmp_path, monkeypatch):
    path = put(tmp_path, b"x")

    def deny(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", deny)
    refused(path, errors.InputMissing)


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"hello world, I am a text", "not a picture"),
        (b"8BPS\0\1" + bytes(40), "Photoshop"),
        (b"gimp xcf v011" + bytes(40), "GIMP"),
        (b"PK\3\4" + bytes(40), "ZIP"),
        (b"\0\0\0\x1cftypavif" + bytes(40), "AVIF"),
        (b"\0\0\0\x1cftypheic" + bytes(40), "HEIC"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"\x80\x04\x95", "not a picture"),
        (b"\0", "not a picture"),
    ],
)
def test_other_files_are_named(tmp_path, data, word):
    assert word in refused(put(tmp_path, data, "photo.jpg"), errors.NotAPicture).sentence


def test_the_ending_of_the_name_does_not_matter(tmp_path):
    write(picture(), tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    assert read(tmp_path / "a.jpg").width == 13


# ---- sizes ---------------------------------------------------------------------------------------------------------


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def tiff(width: int, height: int) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4, 3), np.uint8), metadata=None)
    data = bytearray(out.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as tif:
        for code, value in ((256, width), (257, height)):
            tag = tif.pages.first.tags[code]
            struct.pack_into({3: "<HxxI", 4: "<I"}[tag.dtype][:2], data, tag.valueoffset, value)
    return bytes(data)


@pytest.mark.parametrize(("width", "height"), [(50000, 10), (10, 50000), (20000, 20000)])
def test_too_large_is_known_from_the_header(tmp_path, monkeypatch, width, height):
    """The decoders are taken away: asking them for anything would fail with another error."""
    monkeypatch.setattr("engine.files.png.decoded", None)
    monkeypatch.setattr("tifffile.TiffPage.asarray", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    files = {
        "a.png": png(width, height, 8, 2, b""),
        "p.png": png(width, height, 8, 3, b"", extra=chunk(b"PLTE", bytes(768))),
        "a.bmp": bmp(width, height),
        "a.gif": b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\0;",
        "a.tif": tiff(width, height),
    }
    jpeg = bytearray(saved(Image.new("RGB", (8, 8)), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    files["a.jpg"] = bytes(jpeg)
    for name, data in files.items():
        error = refused(put(tmp_path, data, name), errors.TooLarge)
        assert str(width) in error.sentence or "megapixels" in error.sentence


def test_40000_a_side_are_possible(tmp_path):
    assert read(write(Picture(np.zeros((1, 40000, 1), np.uint8)), tmp_path / "a.png")).width == 40000


@pytest.mark.parametrize(
    "data", [png(0, 5, 8, 2, b""), png(5, 0, 8, 2, b""), bmp(0, 5), bmp(5, 0), tiff(0, 4), b"GIF89a" + bytes(30)]
)
def test_no_pixels(tmp_path, data):
    refused(put(tmp_path, data), errors.EmptyPicture)


def test_the_limit_is_not_a_global_of_pillow(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    read(write(picture(), tmp_path / "a.jpg"))
    assert before == Image.MAX_IMAGE_PIXELS


def test_no_memory_is_a_coded_error():
    with pytest.raises(errors.TooLarge), check.coded("a.png"):
        raise MemoryError


# ---- values --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_nan_and_infinity(tmp_path, bad, dtype):
    array = samples(dtype, 3)
    array[2, 3, 1] = bad
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb")
    assert refused(tmp_path / "a.tif", errors.NotFinite).detail["values"] == 1
    with pytest.raises(errors.NotFinite):
        write(Picture(array.astype(np.float32)), tmp_path / "b.tif")
    assert not (tmp_path / "b.tif").exists()


# ---- modes ---------------------------------------------------------------------------------------------------------

COLOURS = Image.fromarray(np.repeat(np.repeat(samples(np.uint8, 3, 4, 4), 8, 0), 8, 1))
PALETTE = COLOURS.quantize(16)
MODES = {
    "cmyk.jpg": (saved(COLOURS.convert("CMYK"), "JPEG"), 3),
    "cmyk.tif": (saved(COLOURS.convert("CMYK"), "TIFF"), 3),
    "palette.png": (saved(PALETTE, "PNG"), 3),
    "clear.png": (saved(PALETTE, "PNG", transparency=3), 4),
    "palette.tif": (saved(PALETTE, "TIFF"), 3),
    "palette.bmp": (saved(PALETTE, "BMP"), 3),
    "palette.gif": (saved(PALETTE, "GIF"), 3),
    "grey.gif": (saved(COLOURS.convert("L"), "GIF"), 3),
    "bits.png": (saved(COLOURS.convert("1"), "PNG"), 1),
    "bits.tif": (saved(COLOURS.convert("1"), "TIFF"), 1),
    "fax.tif": (saved(COLOURS.convert("1"), "TIFF", compression="group4"), 1),
    "bits.bmp": (saved(COLOURS.convert("1"), "BMP"), 1),
    "ycbcr.tif": (saved(COLOURS.convert("YCbCr"), "TIFF"), 3),
}


@pytest.mark.parametrize("name", MODES)
def test_other_modes_are_refused_unless_converted(tmp_path, name):
    data, channels = MODES[name]
    refused(put(tmp_path, data, name), errors.UnsupportedMode)
    picture = read(tmp_path / name, convert=True)
    assert picture.array.shape == (32, 32, channels) and picture.array.dtype == np.uint8
    expected = np.asarray(COLOURS.convert("L").convert("RGB") if name == "grey.gif" else COLOURS).astype(float)
    got = picture.array[..., :3] if channels > 1 else picture.array[..., 0]
    if "bits" in name or "fax" in name:
        assert set(np.unique(got)) == {0, 255}
    else:
        assert np.abs(got - expected).mean() < 12
    if channels == 4:
        assert 0 < (picture.array[..., 3] == 0).mean() < 1


@pytest.mark.parametrize("mode", ["P", "CMYK", "1"])
def test_a_converted_tiff_is_turned_once(tmp_path, mode):
    stored = COLOURS.crop((0, 0, 32, 16)).convert(mode)
    tags = Image.Exif()
    tags[0x0112] = 6
    stored.save(tmp_path / "a.tif", exif=tags)
    expected = np.asarray(stored.convert("L" if mode == "1" else "RGB").transpose(Image.Transpose.ROTATE_270))
    got = read(tmp_path / "a.tif", convert=True).array
    np.testing.assert_array_equal(got[..., 0] if mode == "1" else got, expected)


def test_cmyk_goes_through_its_profile(tmp_path, monkeypatch):
    """A profile of CMYK's own is rare on test machines: that it is asked is what can be seen here."""
    asked = []
    monkeypatch.setattr("PIL.ImageCms.ImageCmsProfile", lambda source: asked.append(source.read()) or SRGB)
    monkeypatch.setattr("PIL.ImageCms.profileToProfile", lambda image, *_, **__: image.convert("RGB"))
    put(tmp_path, saved(COLOURS.convert("CMYK"), "JPEG", icc_profile=profile(b"CMYK")), "a.jpg")
    picture = read(tmp_path / "a.jpg", convert=True)
    assert asked == [profile(b"CMYK")]
    assert picture.icc == b"", "the result is sRGB: the CMYK profile no longer holds"


def test_a_damaged_cmyk_profile_is_left_aside(tmp_path):
    put(tmp_path, saved(COLOURS.convert("CMYK"), "JPEG", icc_profile=profile(b"CMYK")), "a.jpg")
    assert read(tmp_path / "a.jpg", convert=True).array.shape == (32, 32, 3)


def lab_tiff() -> bytes:
    lab = ImageCms.profileToProfile(
        COLOURS, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    return saved(lab, "TIFF")


def test_lab(tmp_path):
    refused(put(tmp_path, lab_tiff(), "a.tif"), errors.UnsupportedMode)
    got = read(tmp_path / "a.tif", convert=True).array
    assert np.abs(got.astype(float) - np.asarray(COLOURS)).mean() < 6


def test_a_transparent_colour_becomes_alpha(tmp_path):
    array = samples(np.uint16, 3)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    key = chunk(b"tRNS", array[0, 0].astype(">u2").tobytes())
    got = read(put(tmp_path, png(13, 9, 16, 2, rows, extra=key))).array
    np.testing.assert_array_equal(got[..., :3], array)
    assert got[0, 0, 3] == 0 and (got[..., 3] == 65535).sum() == 13 * 9 - 1


def test_interlaced_16_bit_png(tmp_path):
    array = samples(np.uint16, 3, 16, 16)
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = b"".join(
        b"\0" + row.astype(">u2").tobytes() for y, x, down, right in passes for row in array[y::down, x::right]
    )
    np.testing.assert_array_equal(read(put(tmp_path, png(16, 16, 16, 2, rows, interlaced=True))).array, array)


@pytest.mark.parametrize("depth", [2, 4])
def test_shallow_grey_png_is_plain_grey(tmp_path, depth):
    got = read(put(tmp_path, png(4, 1, depth, 0, b"\0" + bytes([0b00011011] if depth == 2 else [0x05, 0xAF])))).array
    assert got.ravel().tolist() == [0, 85, 170, 255]


# ---- several pictures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_animations_and_pages(tmp_path, form):
    frames = [Image.fromarray(samples(np.uint8, 3, seed=n)) for n in range(3)]
    options = {"lossless": True} if form == "WEBP" else {}
    put(tmp_path, saved(frames[0], form, save_all=True, append_images=frames[1:], **options))
    assert "3" in refused(tmp_path / "a.png", errors.Animated).sentence
    np.testing.assert_array_equal(read(tmp_path / "a.png", convert=True).array, np.asarray(frames[0]))


def test_an_animated_gif(tmp_path):
    frames = [Image.new("RGB", (8, 8), (90 * n, 0, 0)) for n in range(3)]
    put(tmp_path, saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    refused(tmp_path / "a.png", errors.Animated)
    assert read(tmp_path / "a.png", convert=True).width == 8


def test_a_phones_multi_picture_jpeg_is_one_photograph(tmp_path):
    frames = [Image.fromarray(samples(np.uint8, 3, 16, 16, seed=n)) for n in range(2)]
    frames[0].save(tmp_path / "a.mpo", "MPO", save_all=True, append_images=frames[1:])
    assert read(tmp_path / "a.mpo").array.shape == (16, 16, 3)


def test_a_tiff_with_a_preview_is_one_picture(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tif:
        tif.write(samples(np.uint8, 3), photometric="rgb")
        tif.write(samples(np.uint8, 3, 4, 6), photometric="rgb", subfiletype=1)
    assert read(tmp_path / "a.tif").width == 13
