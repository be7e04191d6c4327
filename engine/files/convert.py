"""Pillow's modes turned into those that Pincel works in, when the user allows it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from engine.files import check, icc

_PLAIN = ("L", "LA", "RGB", "RGBA")
_SIXTEEN = ("I;16", "I;16L", "I;16B", "I;16N")
_NAMES = {"1": "1 bit a pixel", "P": "a palette", "PA": "a palette", "I": "32-bit integers", "F": "32-bit values"}


def plain(image: Image.Image) -> np.ndarray | None:
    """The loaded image as [H, W, 1..4] uint8 or uint16, or None when its mode needs converting."""
    if image.mode in _PLAIN:
        if "transparency" in image.info and image.mode in ("L", "RGB"):
            image = image.convert(image.mode + "A")
        array = np.asarray(image)
    elif image.mode in _SIXTEEN:
        array = np.asarray(image).astype(np.uint16)
    else:
        return None
    return array[..., None] if array.ndim == 2 else array


def pixel_bytes(image: Image.Image) -> int:
    """The bytes of a pixel that plain(), else converted(), will give of an image that need not be loaded yet."""
    transparent = "transparency" in image.info
    if image.mode in ("1", "L", "RGB", "P"):
        return (3 if image.mode in ("RGB", "P") else 1) + transparent
    known = {"LA": 2, "La": 2, "RGBA": 4, "RGBa": 4, "PA": 4, "I": 2, "F": 4} | dict.fromkeys(_SIXTEEN, 2)
    return known.get(image.mode, 3)


def named(image: Image.Image) -> str:
    """The image's mode in words."""
    return _NAMES.get(image.mode, image.mode)


def converted(image: Image.Image, name: str, profile: bytes) -> tuple[np.ndarray, bytes]:
    """An image of any mode -> ([H, W, 1..4], the ICC profile that holds afterwards).

    CMYK and Lab go through their profile to sRGB (CMYK without one by Pillow's simple formula), palettes keep their
    transparency, 1 bit becomes grey, "I" is read as 16-bit values and "F" as values of 0..255, as Pillow writes them.
    """
    with check.coded(name):
        if image.mode == "1":
            image = image.convert("L")
        elif image.mode in ("P", "PA"):
            transparent = image.mode == "PA" or "transparency" in image.info
            image = image.convert("RGBA" if transparent else "RGB")
        elif image.mode in ("La", "RGBa"):
            image = image.convert(image.mode.upper())
        elif image.mode == "I":
            return np.clip(np.asarray(image), 0, 65535).astype(np.uint16)[..., None], profile
        elif image.mode == "F":
            return np.asarray(image).astype(np.float32)[..., None] / np.float32(255), profile
        elif image.mode in ("CMYK", "LAB"):
            image, profile = _to_srgb(image, profile), b""
        else:
            image, profile = image.convert("RGB"), b""
    array = plain(image)
    if array is None:
        raise check.unsupported(name, named(image), "Save it in an editor as RGB.")
    return array, profile


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """CMYK or Lab by the profile when it is one for this mode; perceptual intent, as for photographs."""
    source: ImageCms.ImageCmsProfile | ImageCms.core.CmsProfile
    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif icc.colour_space(profile) == "CMYK":
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return image.convert("RGB")
        srgb = ImageCms.createProfile("sRGB")
        done = ImageCms.profileToProfile(image, source, srgb, ImageCms.Intent.PERCEPTUAL, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):
        if image.mode == "LAB":
            raise
        done = None  # A damaged profile says as little as none.
    return done if done is not None else image.convert("RGB")
