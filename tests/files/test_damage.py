"""Damaged files: whatever the bytes are, there is a picture or a coded error, and never another exception."""

from __future__ import annotations

import io
import random
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.client.errors import InputError, Truncated
from engine.files.read import read
from engine.files.write import encoded, write
from engine.tasks.base import Picture
from tests.files.pictures import picture, samples, saved

# Pillow warns of what it finds odd in these files, as it should.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

QUICK = settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def tiff(**options) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, samples(np.uint8, 3, 24, 24), photometric="rgb", metadata=None, **options)
    return out.getvalue()


FILES = {
    "8.png": encoded(picture(np.uint8, 4), "PNG", 95, "a", []),
    "16.png": encoded(picture(np.uint16, 3), "PNG", 95, "a", []),
    "palette.png": saved(Image.fromarray(samples(np.uint8, 3)).quantize(8), "PNG"),
    "a.jpg": encoded(picture(np.uint8, 3, icc=b"", xmp=b""), "JPEG", 80, "a", []),
    "progressive.jpg": saved(Image.fromarray(samples(np.uint8, 3, 24, 24)), "JPEG", progressive=True),
    "grey.webp": encoded(picture(np.uint8, 1, icc=b"", xmp=b""), "WEBP", 80, "a", []),
    "lossless.webp": encoded(picture(np.uint8, 4, icc=b"", xmp=b""), "WEBP", 100, "a", []),
    "deflate.tif": encoded(picture(np.uint16, 3, icc=b"", xmp=b""), "TIFF", 95, "a", []),
    "float.tif": encoded(picture(np.float32, 3, icc=b"", xmp=b""), "TIFF", 95, "a", []),
    "plain.tif": tiff(),
    "lzw.tif": tiff(compression="lzw", predictor=True, rowsperstrip=5),
    "tiled.tif": tiff(compression="zstd", tile=(16, 16)),
    "jpeg.tif": tiff(compression="jpeg"),
    "a.bmp": saved(Image.fromarray(samples(np.uint8, 3)), "BMP"),
    "a.gif": saved(Image.fromarray(samples(np.uint8, 3)).quantize(8), "GIF"),
}


def attempt(path, data: bytes) -> Picture | InputError:
    path.write_bytes(data)
    try:
        result = read(path, convert=True)
    except InputError as error:
        return error
    assert result.array.ndim == 3 and result.array.size > 0 and 1 <= result.array.shape[2] <= 4
    return result


@pytest.mark.parametrize("name", FILES)
def test_the_files_are_whole(tmp_path, name):
    assert isinstance(attempt(tmp_path / name, FILES[name]), Picture)


@pytest.mark.parametrize("name", FILES)
def test_cut_anywhere(tmp_path, name):
    """Cut in the middle of the pixels it is an error; only what comes after them may be missing."""
    data = FILES[name]
    step = max(1, len(data) // 61)
    whole = read_array(tmp_path, data)
    for length in range(0, len(data), step):
        result = attempt(tmp_path / name, data[:length])
        if isinstance(result, Picture):
            np.testing.assert_array_equal(result.array, whole, err_msg=f"cut at {length}: neither refused nor whole")


def read_array(tmp_path, data: bytes) -> np.ndarray:
    (tmp_path / "whole").write_bytes(data)
    return read(tmp_path / "whole", convert=True).array


@pytest.mark.parametrize("name", ["8.png", "16.png", "palette.png", "a.webp", "lossless.webp", "a.bmp", "plain.tif"])
def test_half_a_file_is_called_truncated(tmp_path, name):
    data = FILES.get(name) or FILES["grey.webp"]
    assert isinstance(attempt(tmp_path / name, data[: len(data) // 2]), Truncated)


@pytest.mark.parametrize("name", FILES)
def test_flipped_bits(tmp_path, name):
    dice = random.Random(name)
    for _ in range(80):
        data = bytearray(FILES[name])
        for _ in range(dice.choice((1, 1, 3, 20))):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
        attempt(tmp_path / name, bytes(data))


@pytest.mark.parametrize("name", ["8.png", "16.png"])
def test_a_flipped_bit_in_the_pixels_of_a_png_is_noticed(tmp_path, name):
    data = bytearray(FILES[name])
    data[data.index(b"IDAT") + 40] ^= 4
    assert isinstance(attempt(tmp_path / name, bytes(data)), Truncated)


@pytest.mark.parametrize("name", ["8.png", "palette.png", "a.jpg", "lossless.webp", "plain.tif", "lzw.tif", "a.gif"])
def test_headers_set_to_extremes(tmp_path, name):
    """Every byte of the header as 0 and 255: sizes, counts and offsets at their ends."""
    for place in range(min(len(FILES[name]), 80)):
        for value in (0, 255):
            data = bytearray(FILES[name])
            data[place] = value
            attempt(tmp_path / name, bytes(data))


@QUICK
@given(st.binary(max_size=400), st.sampled_from([data[:16] for data in FILES.values()] + [b""]))
def test_random_bytes(tmp_path, noise, start):
    attempt(tmp_path / "a", start + noise)


@QUICK
@given(st.sampled_from(sorted(FILES)), st.data())
def test_pieces_out_of_place(tmp_path, name, data):
    """A piece of the file lost, doubled or overwritten with other bytes."""
    whole = FILES[name]
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 64)))
    piece = data.draw(st.sampled_from([b"", whole[start:end] * 2, b"\xff" * (end - start), b"\0" * (end - start)]))
    attempt(tmp_path / "a", whole[:start] + piece + whole[end:])


def test_metadata_that_are_damaged_within_do_not_keep_a_result_from_being_saved(tmp_path):
    pointing_nowhere = b"II*\0" + struct.pack("<IHHHIII", 8, 1, 0x8769, 4, 1, 1000, 0)
    picture = Picture(np.zeros((4, 5, 3), np.uint8), exif=pointing_nowhere)
    for ending in ("tif", "png", "jpg"):
        assert read(write(picture, tmp_path / f"a.{ending}")).array.shape == (4, 5, 3)
