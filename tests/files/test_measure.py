"""A file measured from its head alone: the same size, and the same bytes a pixel, as read() gives."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.files.measure import measure
from engine.files.read import read
from engine.files.write import write
from engine.tasks.base import Picture
from tests.files.pictures import chunk, png, samples


def as_read(path) -> tuple[int, int, int]:
    array = read(path, convert=True).array
    return array.shape[1], array.shape[0], array.shape[2] * array.dtype.itemsize


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("ending", "dtype"),
    [(".png", np.uint8), (".png", np.uint16), (".webp", np.uint8)]
    + [(".tif", dtype) for dtype in (np.uint8, np.uint16, np.float16, np.float32)],
)
def test_every_depth_and_layout(tmp_path, ending, dtype, channels):
    path = write(Picture(samples(dtype, channels)), tmp_path / f"a{ending}")
    assert measure(path) == as_read(path)


@pytest.mark.parametrize(
    ("depth", "colour", "transparent"), [(8, 0, b"\0\7"), (8, 2, bytes(6)), (16, 0, b"\0\7"), (16, 2, bytes(6))]
)
def test_a_transparent_colour_is_a_channel(tmp_path, depth, colour, transparent):
    row = b"\0" + bytes(5 * (3 if colour else 1) * depth // 8)
    (tmp_path / "a.png").write_bytes(png(5, 4, depth, colour, 4 * row, extra=chunk(b"tRNS", transparent)))
    assert measure(tmp_path / "a.png") == as_read(tmp_path / "a.png")
    assert measure(tmp_path / "a.png")[2] == (4 if colour else 2) * depth // 8


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("1", "png"), ("P", "png"), ("P", "gif"), ("L", "gif"), ("P", "bmp"), ("CMYK", "jpg")]
    + [(mode, "tif") for mode in ("1", "P", "CMYK", "LAB", "YCbCr", "F")],
)
def test_what_is_converted(tmp_path, mode, ending):
    Image.new(mode, (7, 5)).save(tmp_path / f"a.{ending}")
    assert measure(tmp_path / f"a.{ending}") == as_read(tmp_path / f"a.{ending}")
