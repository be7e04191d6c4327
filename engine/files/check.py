"""What Pincel refuses to read, said before anything large is decoded, and every decoder's failure as a coded error."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import Image

from engine.client.errors import (
    Animated,
    EmptyPicture,
    InputMissing,
    NotAPicture,
    NotFinite,
    PincelError,
    TooLarge,
    Truncated,
    UnsupportedMode,
)
from engine.client.pixels import SIDE_MAX

# Together with SIDE_MAX: what is refused from the header alone, before memory is asked for.
PIXELS_MAX = 300_000_000

_MAGIC = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
}
# Pictures that people have and Pincel does not read: named, so that the sentence helps.
_FOREIGN = {
    b"8BPS": "a Photoshop document",
    b"gimp xcf": "a GIMP document",
    b"%PDF": "a PDF document",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"<?xml": "an XML or SVG file",
    b"<svg": "an SVG drawing",
    b"PK\x03\x04": "a ZIP archive or a Krita or OpenRaster document",
}


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, str]]:
    """The file open for reading and its format ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"), known by its first bytes.

    Raises InputMissing, NotAPicture, EmptyPicture or Truncated.
    """
    name = os.path.basename(path) or path
    try:
        # Asked first: opening a named pipe would wait for ever.
        kind = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputMissing(f"{path} cannot be read: {reason}.", path=path) from error
    if stat.S_ISDIR(kind.st_mode):
        raise NotAPicture(f"{path} is a folder.", "Name the pictures in it.", path=path)
    if not stat.S_ISREG(kind.st_mode):
        raise NotAPicture(f"{path} is no ordinary file.", "Copy the picture to a file first.", path=path)
    if kind.st_size == 0:
        raise EmptyPicture(f"{name} is an empty file.", "Copy or download the picture again.", path=path)
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below; only opening it may raise InputMissing
    except OSError as error:
        raise InputMissing(f"{path} cannot be read: {error.strerror}.", path=path) from error
    with file:
        form = sniffed(file.read(32), name)
        file.seek(0)
        yield file, form


def sniffed(head: bytes, name: str) -> str:
    """The format that a file's first 32 bytes show. Raises NotAPicture or Truncated."""
    for form, magics in _MAGIC.items():
        if head.startswith(magics):
            return form
        if len(head) < 8 and any(magic.startswith(head) for magic in magics):
            raise Truncated(f"{name} ends after {len(head)} bytes.")
    if head[:4] == b"RIFF" and (head[8:12] == b"WEBP" or len(head) < 12):
        return "WEBP"
    if head[4:8] == b"ftyp":
        brand = "an AVIF picture" if head[8:12] in (b"avif", b"avis") else "an HEIC picture or a video"
        raise NotAPicture(f"{name} is {brand}, which Pincel does not read.")
    for magic, foreign in _FOREIGN.items():
        if head.startswith(magic):
            raise NotAPicture(f"{name} is {foreign}, which Pincel does not read.")
    raise NotAPicture(f"{name} is not a picture that Pincel knows.")


@contextmanager
def coded(name: str) -> Iterator[None]:
    """Around a decoder, and nothing else: whatever it raises leaves as Truncated or TooLarge.

    The decoders (Pillow, tifffile, imagecodecs, zlib) raise a dozen types on damaged bytes, from struct.error to
    ZeroDivisionError, so all are caught here; our own code stays outside, where a fault of ours keeps its name.
    """
    try:
        yield
    except PincelError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooLarge(f"{name} is too large for this computer's memory.", reason=str(error)) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise Truncated(f"{name} is damaged or ends too early.", reason=reason) from error


def size(width: int, height: int, name: str) -> None:
    """Raises EmptyPicture or TooLarge; call it with what the header says, before decoding."""
    if width < 1 or height < 1:
        raise EmptyPicture(f"{name} is {width} x {height} pixels.", width=width, height=height)
    if max(width, height) > SIDE_MAX:
        sentence = f"{name} is {width} x {height} pixels; at most {SIDE_MAX} a side are possible."
        raise TooLarge(sentence, width=width, height=height)
    if width * height > PIXELS_MAX:
        sentence = f"{name} has {width * height / 1e6:.0f} megapixels; at most {PIXELS_MAX // 1_000_000} are possible."
        raise TooLarge(sentence, width=width, height=height)


def values(array: np.ndarray, name: str) -> None:
    """array: [H, W, 1..4]. Raises NotFinite. (All transparent is refused by the tasks: as hints it means none.)"""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(array.size - np.isfinite(array).sum())
        raise NotFinite(f"{name} holds NaN or infinity in {bad} of its values.", values=bad)


def unsupported(name: str, what: str, remedy: str | None = None) -> UnsupportedMode:
    """The error for a picture in a mode that Pincel does not work in; what: "CMYK", "a palette"..."""
    return UnsupportedMode(f"{name} is stored as {what}.", remedy, mode=what)


def frames(count: int, name: str, convert: bool, more: bool = False) -> None:
    """Raises Animated for a file of several pictures, unless convert allows to take the first. more: or of more than that."""
    if count > 1 and not convert:
        raise Animated(f"{name} holds {count}{' or more' if more else ''} pictures.", frames=count)
