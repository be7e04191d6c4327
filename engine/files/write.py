"""Writes PNG, JPEG, TIFF and WebP files beside their place, then moves them there whole, or not at all."""

from __future__ import annotations

import errno
import io
import operator
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from engine import disk
from engine.client.errors import OptionError, OutputError, OutputExists, OutputFormat, OutputIsSource
from engine.files import check, depth, exif, extras, icc, png, tiff
from engine.tasks.base import Origin, Picture

QUALITY = 95
# A JPEG segment holds at most 65533 bytes, its name among them.
_JPEG_EXIF_MAX, _JPEG_XMP_MAX = 65527, 65504
# Pixels up to which a JPEG's Huffman tables are made for the picture: that takes 6 bytes of memory a pixel more, beyond what
# the job itself took, for a file that is up to a tenth smaller.
_OPTIMIZED = 1 << 24
_SIDES = {"JPEG": 65500, "WEBP": 16383}
ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP"}


def write(
    picture: Picture,
    path: str | os.PathLike[str],
    overwrite: bool = False,
    quality: int | None = None,
    notices: list[str] | None = None,
) -> Path:
    """Write a picture in the format that the name's ending asks for (.png, .jpg, .jpeg, .tif, .tiff, .webp).

    PNG keeps 8 and 16 bits and turns floats into 16; TIFF keeps every depth; JPEG and WebP hold 8 bits, rounded to the
    nearest. ICC profile, EXIF and XMP go along. quality: 1..100 for JPEG and WebP (default 95; WebP at 100 is lossless,
    and that is the default for a picture from a lossless WebP file).
    notices: gets a sentence for each thing that the format could not hold, usually none. Returns the path.
    Raises OutputFormat, OutputExists, DiskFull, NotWritable, OutputError (also for a path that is none), NotFinite for a
    picture with NaN, or OptionError for a wrong quality. Whatever happens, there is either the whole new file or none, and
    without overwrite an existing file is never replaced.
    """
    path = _text(path)
    form = output_format(path)
    if quality is None:
        quality = 100 if form == "WEBP" and picture.origin.lossless else QUALITY
    quality = _whole(quality)
    if not overwrite and os.path.lexists(path):
        raise _exists(path)
    place(encoded(picture, form, quality, os.path.basename(path), [] if notices is None else notices), path, overwrite)
    return Path(path)


def _text(path: Any) -> str:
    """The path as text. Raises OutputError for what is none, such as an open file."""
    try:
        text = os.fsdecode(path)
    except TypeError:
        sentence = f"A result is saved under a path, not in a {type(path).__name__}."
        raise OutputError(sentence, "Give a path; `.image` and `.array` are the result in memory.") from None
    if "\0" in text:
        raise OutputError(f"No file can be called {text!r}: there is a zero byte in the name.")
    return text


def _whole(quality: Any) -> int:
    """The quality as a number. Raises OptionError."""
    try:
        number = operator.index(quality)
    except TypeError:
        number = 0
    if not 1 <= number <= 100:
        raise OptionError(
            f"quality must be a whole number from 1 to 100, not {quality!r}.",
            "Give 90 for JPEG or WebP; PNG and TIFF lose nothing.",
            option="quality",
        )
    return number


def output_format(path: str | os.PathLike[str]) -> str:
    """ "PNG", "JPEG", "TIFF" or "WEBP" by the name's ending. Raises OutputFormat."""
    name = os.path.basename(os.fspath(path))
    ending = os.path.splitext(name)[1].lower()
    if not ending:
        raise OutputFormat(f"The name {name!r} has no ending, which would say the format.")
    if ending not in ENDINGS:
        raise OutputFormat(f"Pincel does not write {ending}: {name}.")
    return ENDINGS[ending]


def refuse_source(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Raises OutputIsSource when both are the same file, also by a link or in other letter case."""
    target = _text(target)
    try:
        same = os.path.samefile(source, target)
    except (OSError, ValueError):
        same = os.path.normcase(os.path.realpath(source)) == os.path.normcase(os.path.realpath(target))
    if same:
        raise OutputIsSource(f"{target} is one of the pictures that are read.", path=target)


def encoded(picture: Picture, form: str, quality: int, name: str, notices: list[str]) -> bytes:
    """The file's bytes. form: as output_format gives it; name: for sentences; notices: gets new ones."""
    array = picture.array
    check.values(array, name)
    if max(array.shape[:2]) > _SIDES.get(form, 1 << 31):
        raise OutputFormat(
            f"{name}: {form} holds at most {_SIDES[form]} pixels a side, not {picture.width} x {picture.height}.",
            "Use a name that ends in .png or .tif.",
        )
    profile = picture.icc
    if icc.colour_space(profile) not in (("GRAY", "RGB") if array.shape[2] < 3 else ("RGB",)):
        if profile:
            notices.append("The colour profile is not one for this kind of picture and was left out.")
        profile = b""
    if picture.linear and not profile:
        # Without a profile that says so, every reader would take linear values for display values.
        array = depth.encoded_srgb(array)
    # Pixels in memory stand upright, whatever a block that came from elsewhere says.
    block, xmp = exif.upright(exif.cleaned(picture.exif), picture.xmp)
    block = exif.updated(block, picture.width, picture.height) if block else b""
    origin = picture.origin
    notices += extras.notices(origin, form)
    if form == "PNG":
        integers = array if array.dtype == np.uint8 else depth.to_integers(array, np.uint16)
        return png.encoded(integers, profile, block, xmp, origin.density, origin.texts.get(extras.TEXT, b""))
    if form != "JPEG":
        block = block or extras.block(origin)
    if form == "TIFF":
        return tiff.encoded(array, profile, block, xmp, notices)
    if picture.array.itemsize > 1:
        bits = 8 * picture.array.itemsize
        notices.append(f"The picture's {bits} bits a channel were rounded to the 8 that {form} holds.")
    return _by_pillow(array, form, quality, name, profile, block, xmp, origin, notices)


def _by_pillow(
    array: np.ndarray,
    form: str,
    quality: int,
    name: str,
    profile: bytes,
    block: bytes,
    xmp: bytes,
    origin: Origin,
    notices: list[str],
) -> bytes:
    array = depth.to_integers(array, np.uint8)
    if form == "JPEG" and array.shape[2] in (2, 4):
        if (array[..., -1] < 255).any():
            raise OutputFormat(
                f"{name}: JPEG cannot hold transparency.", "Use a name that ends in .png, .tif or .webp."
            )
        array = array[..., :-1]
    if form == "JPEG" and len(block) > _JPEG_EXIF_MAX:
        block = b""
        notices.append("The EXIF block is too large for JPEG and was left out.")
    if form == "JPEG" and len(xmp) > _JPEG_XMP_MAX:
        xmp = b""
        notices.append("The XMP block is too large for JPEG and was left out.")
    image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else np.ascontiguousarray(array))
    options: dict[str, object] = {"quality": quality, "exif": b"Exif\0\0" + block if block else b"", "xmp": xmp}
    if profile:
        options["icc_profile"] = profile
    if form == "JPEG":
        options |= extras.jpeg_options(origin)
        # Full resolution for chroma: half of it would undo what colorizing is for.
        options |= {"subsampling": 0, "optimize": array.shape[0] * array.shape[1] <= _OPTIMIZED}
    else:
        image = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
        options |= {"lossless": quality >= 100, "exact": True, "method": 4}
    return _saved(image, form, options)


def _saved(image: Image.Image, form: str, options: dict[str, object]) -> bytes:
    out = io.BytesIO()
    try:
        image.save(out, form, **options)
    except OSError:
        if not options.pop("optimize", False):
            raise
        # Optimizing wants the whole file in one buffer, which Pillow makes too small for noise and for narrow pictures.
        return _saved(image, form, options)
    return out.getvalue()


def place(data: bytes, path: str, overwrite: bool) -> None:
    """Put the bytes at path, whole or not at all. Raises OutputExists, DiskFull, NotWritable or OutputError."""
    target = os.path.realpath(path) if overwrite else path
    folder, name = os.path.split(target)
    # A name's length has a limit too: only its beginning goes into the name of the part.
    part = os.path.join(folder, f".{name[:40]}.{secrets.token_hex(4)}.part")
    try:
        _filled(part, data)
        try:
            if overwrite:
                _keep_mode(target, part)
                os.replace(part, target)
            else:
                _move_new(part, target)
            _sync_folder(folder or ".")
        finally:
            with suppress(OSError):
                os.unlink(part)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise disk.failure(path, error) from error


def _filled(part: str, data: bytes) -> None:
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest[: 1 << 26]) :]
            os.fsync(file)
        finally:
            os.close(file)
    except BaseException:
        # Ctrl-C too: nothing half-written stays.
        with suppress(OSError):
            os.unlink(part)
        raise


def _keep_mode(target: str, part: str) -> None:
    with suppress(OSError):
        os.chmod(part, os.stat(target).st_mode & 0o7777)


def _move_new(part: str, target: str) -> None:
    """Give the part its name. Raises FileExistsError when there is one already, even one of this very moment."""
    link: Callable[[str, str], None] | None = getattr(os, "link", None)
    try:
        if link is None:
            raise OSError(errno.ENOTSUP, "no hard links")
        link(part, target)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL):
            raise
        # FAT and some network disks have no hard links: take the name first, then put the file in its place.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            os.replace(part, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(target)
            raise


def _sync_folder(folder: str) -> None:
    if os.name != "posix":
        return
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _exists(path: str) -> OutputExists:
    return OutputExists(f"{path} is there already.", path=path)
