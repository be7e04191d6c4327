"""Pictures that come from Python, as numpy arrays and PIL images, checked like files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from engine.client.errors import FrameInvalid, NotAPicture, Truncated
from engine.files import check, depth, exif, extras, icc
from engine.files.convert import converted, named, plain
from engine.files.read import read, upright
from engine.tasks.base import Picture

_SOURCES = "Give a path, a PIL image, a numpy array or a Picture."
_ARRAYS = "Give [H, W] or [H, W, 1..4] of uint8, uint16, float16, float32 or float64; floats 0..1."


def picture_from(source: Any, convert: bool = False) -> Picture:
    """A Picture from a path, a PIL image, a numpy array ([H, W] or [H, W, 1..4]; floats 0..1) or a Picture.

    uint8, uint16, float16 and float32 stay what they are, float64 becomes float32. Arrays count as display-encoded
    sRGB with straight alpha. A PIL image is turned upright by its EXIF block. convert: as in read().
    Raises what read() raises, and FrameInvalid for an array of another shape or dtype.
    """
    if isinstance(source, (str, os.PathLike)):
        return read(os.fspath(source), convert)
    if isinstance(source, Image.Image):
        picture = _from_pil(source, convert)
    elif isinstance(source, Picture):
        picture = replace(source, array=_array(source.array))
    elif isinstance(source, np.ndarray):
        picture = Picture(_array(source))
    else:
        raise NotAPicture(f"A {type(source).__name__} is not a picture.", _SOURCES)
    check.values(picture.array, "The picture")
    return picture


def _array(array: np.ndarray) -> np.ndarray:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4):
        raise FrameInvalid(f"An array of shape {array.shape} is not a picture.", _ARRAYS, shape=list(array.shape))
    check.size(array.shape[1], array.shape[0], "The array")
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):  # What is too large becomes infinity, and that is refused.
            array = array.astype(np.float32)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype not in depth.DTYPES:
        raise FrameInvalid(f"An array of {array.dtype} is not a picture.", _ARRAYS, dtype=str(array.dtype))
    return np.ascontiguousarray(array)


def _from_pil(image: Image.Image, convert: bool) -> Picture:
    name = os.path.basename(str(getattr(image, "filename", "") or "")) or "The image"
    check.size(image.width, image.height, name)
    if getattr(image, "format", None) != "MPO":
        with _still_open(image, name):
            count = int(getattr(image, "n_frames", 1))
        check.frames(count, name, convert)
    if image.mode not in ("L", "LA", "RGB", "RGBA") and not image.mode.startswith("I;16") and not convert:
        raise check.unsupported(name, named(image))
    with _still_open(image, name):
        image.load()
    profile = bytes(image.info.get("icc_profile") or b"")
    array = plain(image)
    if array is None:
        array, profile = converted(image, name, profile)
    block = exif.cleaned(bytes(image.info.get("exif") or b""))
    xmp = image.info.get("xmp") or b""
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    file = getattr(image, "filename", "")
    path = os.path.abspath(os.fsdecode(file)) if file else ""
    origin = replace(extras.of_info(image.info, getattr(image, "format", None)), path=path)
    return upright(Picture(np.array(array), icc.is_linear(profile), profile, block, xmp, origin))


@contextmanager
def _still_open(image: Image.Image, name: str) -> Iterator[None]:
    """As check.coded(), for what PIL reads only now: raises NotAPicture when the image has been closed before."""
    try:
        with check.coded(name):
            yield
    except Truncated as error:
        if getattr(image, "fp", image) is not None and "closed image" not in str(error.__cause__):
            raise
        remedy = "Use it inside its `with` block, load() it there, or give its path."
        raise NotAPicture(f"{name} was closed before its pixels were read.", remedy) from error


def to_pil(picture: Picture) -> Image.Image:
    """The picture as a PIL image of 8 bits (L, LA, RGB, RGBA), or of 16 (I;16) when it is grey without alpha.

    Pillow has no deeper colour modes; picture.array keeps the depth. The profile and blocks lie in image.info.
    """
    array = picture.array
    if picture.linear and not picture.icc:
        array = depth.encoded_srgb(array)
    deep = array.shape[2] == 1 and array.dtype != np.uint8
    array = depth.to_integers(array, np.uint16 if deep else np.uint8)
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
    for key, block in (("icc_profile", picture.icc), ("exif", picture.exif), ("xmp", picture.xmp)):
        if block:
            image.info[key] = b"Exif\0\0" + block if key == "exif" else block
    return image
