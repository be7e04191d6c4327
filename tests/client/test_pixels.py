"""A frame's description that does not add up is refused before anything is made of it."""

from __future__ import annotations

import pytest

from engine.client.errors import EmptyPicture, FrameInvalid, TooLarge
from engine.client.pixels import ICC_MAX, SIDE_MAX, Pixels, from_header

GOOD = Pixels(bytes(24), 4, 2, "RGB", "u8", x=-3, canvas=(10, 20)).header("source")


def test_there_and_back():
    data, icc = bytes(range(32)), b"profile"
    sent = Pixels(data, 2, 2, "GRAYA", "f32", "linear", "premultiplied", icc, 5, -6, (100, 200))
    read = from_header(sent.header("mask"), memoryview(data), memoryview(icc))
    assert vars(read) == vars(sent)
    assert read.data.obj is data


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"width": 0}, EmptyPicture),
        ({"height": 0}, EmptyPicture),
        ({"width": SIDE_MAX + 1}, TooLarge),
        ({"height": 2**31 - 1}, TooLarge),
        ({"width": 2**31}, FrameInvalid),
        ({"width": 5}, FrameInvalid),
        ({"width": -4}, FrameInvalid),
        ({"width": True}, FrameInvalid),
        ({"width": 4.0}, FrameInvalid),
        ({"width": "4"}, FrameInvalid),
        ({"height": None}, FrameInvalid),
        ({"channels": "RGBX"}, FrameInvalid),
        ({"channels": ["RGB"]}, FrameInvalid),
        ({"dtype": "u16"}, FrameInvalid),
        ({"dtype": "u32"}, FrameInvalid),
        ({"transfer": "gamma"}, FrameInvalid),
        ({"alpha": None}, FrameInvalid),
        ({"x": 0.5}, FrameInvalid),
        ({"y": False}, FrameInvalid),
        ({"x": 2**40}, FrameInvalid),
        ({"canvas": []}, FrameInvalid),
        ({"canvas": [1]}, FrameInvalid),
        ({"canvas": [10, 0]}, FrameInvalid),
        ({"canvas": [10, True]}, FrameInvalid),
        ({"canvas": {"w": 1}}, FrameInvalid),
        ({"icc": 1}, FrameInvalid),
        ({"icc": None}, FrameInvalid),
        ({"icc": False}, FrameInvalid),
    ],
)
def test_lies(changes, error):
    with pytest.raises(error):
        from_header({**GOOD, **changes}, bytes(24))


@pytest.mark.parametrize("name", sorted(set(GOOD) - {"name"}))
def test_missing_fields(name):
    with pytest.raises(FrameInvalid):
        from_header({k: v for k, v in GOOD.items() if k != name}, bytes(24))


def test_results_may_be_wider_than_sources():
    wide = {**GOOD, "width": SIDE_MAX + 1, "height": 1, "channels": "GRAY"}
    with pytest.raises(TooLarge):
        from_header(wide, bytes(SIDE_MAX + 1))
    assert from_header(wide, bytes(SIDE_MAX + 1), side_max=None).width == SIDE_MAX + 1


def test_profiles_have_a_limit():
    with pytest.raises(FrameInvalid):
        from_header({**GOOD, "icc": ICC_MAX + 1}, bytes(24), bytes(ICC_MAX + 1))


def test_pixels_that_are_no_bytes():
    with pytest.raises(FrameInvalid):
        Pixels("text", 1, 1, "GRAY", "u8")
    with pytest.raises(FrameInvalid):
        Pixels(memoryview(bytes(10))[::2], 5, 1, "GRAY", "u8")
    with pytest.raises(FrameInvalid):
        Pixels(b"x", 1, 1, "GRAY", "u8", icc=None)
