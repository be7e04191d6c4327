"""Changes of depth and transfer curve, always rounded to the nearest value, never dithered."""

from __future__ import annotations

import numpy as np

DTYPES = (np.uint8, np.uint16, np.float16, np.float32)


def to_integers(array: np.ndarray, dtype: type) -> np.ndarray:
    """array of uint8, uint16 or floats 0..1 (clipped) -> the full range of dtype (np.uint8 or np.uint16)."""
    if array.dtype == dtype:
        return array
    top = int(np.iinfo(dtype).max)
    if array.dtype.kind == "f":
        # float32 holds every 16-bit value exactly, float16 does not.
        scaled = np.clip(array.astype(np.float32), 0, 1) * np.float32(top)
        return np.rint(scaled).astype(dtype)
    if dtype == np.uint16:
        return array.astype(np.uint16) * np.uint16(257)
    return ((array.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)


def encoded_srgb(array: np.ndarray) -> np.ndarray:
    """Linear light -> the sRGB curve (IEC 61966-2-1), alpha untouched; keeps float dtypes, integers become float32.

    Values below 0 or above 1 follow the curve mirrored at 0, so floats lose nothing.
    """
    colours = array.shape[2] - (array.shape[2] in (2, 4))
    out = array.astype(np.float32)
    if array.dtype.kind == "u":
        out /= np.float32(np.iinfo(array.dtype).max)
    light = np.abs(out[..., :colours])
    curve = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    out[..., :colours] = np.copysign(curve, out[..., :colours])
    return out if array.dtype.kind == "u" else out.astype(array.dtype)
