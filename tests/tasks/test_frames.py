"""Pixels as editors send them, and arrays: premultiplied alpha made straight."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from engine.client.pixels import Pixels
from engine.tasks.frames import to_picture


@pytest.mark.parametrize(("name", "dtype"), [("f16", np.float16), ("f32", np.float32)])
def test_colours_above_a_tiny_alpha_stay_finite(name, dtype):
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    stored = np.array([[[huge / 2, 0, -huge, tiny], [0.25, 0.5, 0, 0.5], [np.inf, 1, 0, tiny], [1, 1, 1, 0]]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = to_picture(Pixels(stored.tobytes(), 4, 1, "RGBA", name, alpha="premultiplied")).array[0]
    assert got[0].tolist() == [huge, 0, -huge, tiny]
    assert got[1].tolist() == [0.5, 1, 0, 0.5]
    assert got[2, 0] == np.inf  # and is refused as such
    assert got[3].tolist() == [0, 0, 0, 0]
