"""Reads picture files (PNG, JPEG, TIFF, WebP, BMP and GIF) upright, with their profile and metadata."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from engine.client.errors import EmptyPicture, Truncated
from engine.files import check, exif, extras, icc, png, tiff
from engine.files.convert import converted, named, plain
from engine.tasks.base import Origin, Picture

# The plug-ins are called by name: Image.open would try forty formats more, and its limit of size is a global of Pillow's
# that other users of the process share. JpegImageFile also reads a phone's multi-picture file as the one photograph it is.
OPENERS: dict[str, Any] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
}
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def read(path: str | os.PathLike[str], convert: bool = False) -> Picture:
    """Read a picture file.

    Returns [H, W, 1..4] in the file's own depth: uint8, uint16, and from TIFF float16 or float32 (float64 becomes
    float32). The EXIF orientation is applied to the pixels and set to 1 in the blocks; premultiplied alpha is made
    straight. Values count as display-encoded unless the file's ICC profile has straight tone curves: then Picture.linear.
    convert: turn CMYK, palette, 1-bit, Lab and other modes into grey or RGB, and take the first picture of several.
    Raises InputMissing, NotAPicture, Truncated, EmptyPicture, TooLarge, UnsupportedMode, Animated or NotFinite.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    with check.opened(path) as (file, form):
        if form == "TIFF":
            picture = tiff.read_tiff(file, name, convert)
        elif form == "PNG":
            picture = _read_png(file, name, convert)
        else:
            picture = _read_pillow(file, name, form, convert)
    check.values(picture.array, name)
    picture.origin = replace(picture.origin, path=os.path.abspath(path))
    return upright(picture)


def upright(picture: Picture) -> Picture:
    """The picture turned as its EXIF orientation says, and the orientation set to 1."""
    turn = exif.orientation(picture.exif, picture.xmp)
    array = picture.array
    if turn > 1:
        array = np.ascontiguousarray(_TURNS[turn](array))
    block, xmp = exif.upright(picture.exif, picture.xmp)
    return replace(picture, array=array, exif=block, xmp=xmp)


def _read_png(file: BinaryIO, name: str, convert: bool) -> Picture:
    survey = png.survey(file, name)
    check.size(survey.width, survey.height, name)
    check.frames(survey.frames, name, convert)
    profile = survey.icc
    if survey.depth in (8, 16) and survey.colour != 3:
        with check.coded(name):
            array = png.decoded(file)
    else:
        array, profile = _decoded(file, name, "PNG", convert, profile)
    origin = Origin(density=survey.density, texts={extras.TEXT: survey.text} if survey.text else {})
    return Picture(array, icc.is_linear(profile), profile, exif.cleaned(survey.exif), survey.xmp, origin)


def _read_pillow(file: BinaryIO, name: str, form: str, convert: bool) -> Picture:
    head = file.read(26)
    if form == "WEBP" and os.fstat(file.fileno()).st_size < 8 + int.from_bytes(head[4:8], "little"):
        raise Truncated(f"{name} ends too early.")
    # Pillow refuses an empty picture as if it were no picture: asked first.
    sides = {"GIF": (6, 2), "BMP": (18, 4)}.get(form)
    if sides and len(head) == 26:
        place, step = sides
        for side in (head[place : place + step], head[place + step : place + 2 * step]):
            if not any(side):
                raise EmptyPicture(f"{name} has no pixels: its header says so.")
    lossless = form == "WEBP" and _is_lossless(file)
    file.seek(0)
    with check.coded(name):
        image = OPENERS[form](file)
        info = image.info
        profile = bytes(info.get("icc_profile") or b"")
        block, xmp = exif.cleaned(bytes(info.get("exif") or b"")), bytes(info.get("xmp") or b"")
        origin = replace(extras.of_info(info, form), lossless=lossless)
    array, profile = _decoded(file, name, form, convert, profile)
    return Picture(array, icc.is_linear(profile), profile, block, xmp, origin)


def _is_lossless(file: BinaryIO) -> bool:
    """Whether a WebP file (RFC 9649) holds its (first) picture as VP8L."""
    place = 12
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[:4] in (b"VP8 ", b"VP8L"):
            return head[:4] == b"VP8L"
        size = int.from_bytes(head[4:], "little")
        place += 24 if head[:4] == b"ANMF" else 8 + size + size % 2  # a frame's chunks lie within it


def _decoded(file: BinaryIO, name: str, form: str, convert: bool, profile: bytes) -> tuple[np.ndarray, bytes]:
    """The first frame by Pillow, and the profile that holds for it."""
    file.seek(0)
    with check.coded(name):
        image: Image.Image = OPENERS[form](file)
    check.size(image.width, image.height, name)
    with check.coded(name):
        count = int(getattr(image, "n_frames", 1))
    check.frames(count, name, convert)
    # Pillow turns grey palettes into "L" on its own; a GIF holds a palette all the same, and the same rule goes for it.
    palette = form == "GIF" or image.mode in ("P", "PA")
    if (palette or image.mode not in ("L", "LA", "RGB", "RGBA")) and not convert:
        raise check.unsupported(name, "a palette" if palette else named(image))
    with check.coded(name):
        image.load()
    array = plain(image)
    return (array, profile) if array is not None else converted(image, name, profile)
