"""Pixels (bytes on the wire) to Picture (an array) and back."""

from __future__ import annotations

import numpy as np

from engine.client.pixels import CHANNELS, Pixels
from engine.tasks.base import Picture

_DTYPES = {"u8": "|u1", "u16": "<u2", "f16": "<f2", "f32": "<f4"}


def to_picture(pixels: Pixels) -> Picture:
    """The picture that a frame describes: RGB order, straight alpha. The bytes are copied only where they must change."""
    shape = (pixels.height, pixels.width, CHANNELS[pixels.channels])
    array = np.frombuffer(pixels.data, _DTYPES[pixels.dtype]).reshape(shape)
    if pixels.channels.startswith("BGR"):
        array = array[..., [2, 1, 0, 3][: shape[2]]]
    if pixels.alpha == "premultiplied" and shape[2] in (2, 4):
        array = unpremultiplied(array)
    return Picture(array, linear=pixels.transfer == "linear", icc=bytes(pixels.icc))


def to_pixels(picture: Picture, like: Pixels | None = None) -> Pixels:
    """The frame of a picture, in the channel order and alpha mode of `like` (the frame the job came with)."""
    array = picture.array
    channels = {1: "GRAY", 2: "GRAYA", 3: "RGB", 4: "RGBA"}[array.shape[2]]
    alpha = "straight"
    if like is not None and like.alpha == "premultiplied" and picture.has_alpha:
        array, alpha = _premultiply(array), "premultiplied"
    if like is not None and like.channels.startswith("BGR") and channels.startswith("RGB"):
        array, channels = array[..., [2, 1, 0, 3][: array.shape[2]]], channels.replace("RGB", "BGR")
    dtype = {"uint8": "u8", "uint16": "u16", "float16": "f16", "float32": "f32"}[array.dtype.name]
    data = np.ascontiguousarray(array, _DTYPES[dtype])
    return Pixels(
        data.reshape(-1).view(np.uint8).data if data.size else b"",
        picture.width,
        picture.height,
        channels,
        dtype,
        transfer="linear" if picture.linear else "srgb",
        alpha=alpha,
        icc=picture.icc,
    )


def unpremultiplied(array: np.ndarray) -> np.ndarray:
    """[H, W, 2 or 4] with premultiplied alpha -> straight alpha, same dtype; colours under alpha 0 become 0.

    Colours that are larger than their alpha allows end at the largest value of the dtype; infinite ones stay infinite.
    """
    stored, alpha = array[..., :-1], array[..., -1:].astype(np.float64)
    whole = array.dtype.kind == "u"
    top, most = (float(np.iinfo(array.dtype).max),) * 2 if whole else (1.0, float(np.finfo(array.dtype).max))
    colours = np.divide(stored * top, alpha, out=np.zeros(stored.shape), where=alpha > 0)
    if whole:
        colours = np.rint(np.minimum(colours, most))
    else:
        # An alpha near 0 is no reason to call the picture infinite; what came as infinity is to be refused as such.
        np.clip(colours, -most, most, out=colours, where=np.isfinite(stored))
    return np.concatenate([colours.astype(array.dtype), array[..., -1:]], axis=-1)


def _premultiply(array: np.ndarray) -> np.ndarray:
    top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1.0
    colour = array[..., :-1] * (array[..., -1:].astype(np.float64) / top)
    if array.dtype.kind == "u":
        colour = np.rint(colour)
    return np.concatenate([colour.astype(array.dtype), array[..., -1:]], axis=-1)
