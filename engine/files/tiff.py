"""TIFF (6.0, with floating point samples): read and written by tifffile, its tags carried as an EXIF block."""

from __future__ import annotations

import io
import logging
import mmap
import struct
from typing import Any, BinaryIO

import numpy as np
import tifffile

from engine.client.errors import Truncated
from engine.files import check, depth, exif, icc
from engine.files.convert import converted, plain
from engine.tasks.base import Picture

# tifffile tells of a file's oddities in the log, which would reach the terminal of a user who can do nothing about them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 4, 5, 6, 8
_NAMES = {_PALETTE: "a palette", _MASK: "a 1-bit mask", _CMYK: "CMYK", _YCBCR: "YCbCr", _LAB: "Lab"}
_RAW = (32803, 34892)
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ICC, _XMP = 34675, 700
# Pages are looked through for pictures; more than this many are not asked about.
_PAGES = 64


def read_tiff(file: BinaryIO, name: str, convert: bool) -> Picture:
    """The first picture of a TIFF file. Raises the errors of engine.files.check."""
    with check.coded(name):
        tif = tifffile.TiffFile(file, _multifile=False)
        page: Any = tif.pages.first
        width, height = page.imagewidth, page.imagelength
        pictures = sum(1 for number in range(min(len(tif.pages), _PAGES)) if not _small(tif.pages[number]))
    check.size(width, height, name)
    check.frames(pictures, name, convert)
    _complete(page, file, name)
    with check.coded(name):
        blocks = _blocks(page, file)
    if page.photometric in _RAW:
        raise check.unsupported(name, "camera raw data", "Develop it in a raw converter and save it as TIFF.")
    what = _oddity(page)
    if what and not convert:
        raise check.unsupported(name, what)
    if what and page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
        array, blocks["icc"] = _by_pillow(file, name, blocks["icc"])
    else:
        array = _samples(page, name)
    return Picture(array, linear=icc.is_linear(blocks["icc"]), **blocks)


def _small(page: Any) -> bool:
    """Whether the page is only a preview or a mask of another one."""
    return bool(page.is_reduced or page.is_mask)


def _complete(page: Any, file: BinaryIO, name: str) -> None:
    """Raise Truncated when a strip or tile is missing: tifffile would leave its place black."""
    file.seek(0, io.SEEK_END)
    end = file.tell()
    with check.coded(name):
        offsets, counts = page.dataoffsets, page.databytecounts
        segments = int(np.prod(page.chunked))
    if len(offsets) != segments or len(counts) != segments or min(offsets) <= 0 or min(counts) <= 0:
        raise Truncated(f"{name} is damaged: parts of the picture are missing.")
    if max(offset + count for offset, count in zip(offsets, counts, strict=True)) > end:
        raise Truncated(f"{name} ends too early.")
    if page.compression == 1 and sum(counts) < page.imagewidth * page.imagelength * _bits(page) // 8:
        raise Truncated(f"{name} is damaged: parts of the picture are missing.")


def _bits(page: Any) -> int:
    return int(page.samplesperpixel * page.bitspersample)


def _blocks(page: Any, file: BinaryIO) -> dict[str, bytes]:
    found = {"icc": bytes(page.iccprofile or b""), "exif": b"", "xmp": b""}
    if _XMP in page.tags:
        value = page.tags[_XMP].value
        found["xmp"] = value.encode() if isinstance(value, str) else bytes(value)
    if not page.parent.is_bigtiff:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                tags = exif.parsed(data, (*exif.DESCRIPTIVE, exif.ORIENTATION))  # type: ignore[arg-type]
                found["exif"] = exif.packed(tags) if tags.entries else b""
            except (struct.error, ValueError):
                pass
    return found


def _oddity(page: Any) -> str | None:
    """What keeps the page from being worked on as it is, in words, or None."""
    colours = 3 if page.photometric == _RGB else 1
    jpeg = page.photometric == _YCBCR and page.compression in (7, 34892)
    if page.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB) and not jpeg:
        return _NAMES.get(page.photometric, f"photometric interpretation {page.photometric}")
    if page.imagedepth > 1:
        return "a volume of several slices"
    if page.sampleformat == 3:
        if page.bitspersample not in (16, 32, 64):
            return f"{page.bitspersample}-bit floating point"
    elif page.sampleformat != 1:
        return "signed or complex numbers"
    elif page.bitspersample not in (8, 16):
        return f"{page.bitspersample}-bit integers"
    if jpeg:
        return None
    extra = tuple(page.extrasamples)
    if page.samplesperpixel != colours + len(extra) or len(extra) > 1:
        return f"{page.samplesperpixel} channels"
    if extra and extra[0] not in (_ASSOCIATED, _UNASSOCIATED):
        return "colours and an extra channel that is not marked as alpha"
    return None


def _samples(page: Any, name: str) -> np.ndarray:
    """The page as [H, W, 1..4] in one of depth.DTYPES with straight alpha; channels past what it can hold are left."""
    if page.imagedepth > 1 or page.sampleformat not in (1, 3):
        raise check.unsupported(name, _oddity(page) or "something else", "Save it in an editor as 16-bit TIFF.")
    with check.coded(name):
        array = np.asarray(page.asarray())
        if array.ndim == 2:
            array = array[..., None]
        elif page.planarconfig == 2 and page.samplesperpixel > 1:
            array = np.moveaxis(array, 0, -1)
        array = array.reshape(page.imagelength, page.imagewidth, -1)
    colours = 1 if page.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) else 3
    extra = tuple(page.extrasamples)
    alpha = bool(extra) and extra[0] in (_ASSOCIATED, _UNASSOCIATED)
    array = array[..., : colours + alpha]
    if array.dtype == bool:
        array = array.astype(np.uint8)
    array = _full_range(array, page.bitspersample)
    if page.photometric == _WHITE_IS_ZERO:
        top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
        array = np.concatenate([top - array[..., :1], array[..., 1:]], axis=2, dtype=array.dtype)
    if alpha and extra[0] == _ASSOCIATED:
        array = depth.unpremultiplied(array)
    return np.ascontiguousarray(array)


def _full_range(array: np.ndarray, bits: int) -> np.ndarray:
    if array.dtype.kind == "f":
        return array.astype(np.float32 if array.dtype.itemsize == 8 else array.dtype.newbyteorder("="))
    if bits in (8, 16):
        return array.astype(array.dtype.newbyteorder("="))
    dtype: Any = np.uint8 if bits < 8 else np.uint16
    return np.rint(array * (np.iinfo(dtype).max / (2.0**bits - 1))).astype(dtype)


def _by_pillow(file: BinaryIO, name: str, profile: bytes) -> tuple[np.ndarray, bytes]:
    from PIL import TiffImagePlugin

    file.seek(0)
    with check.coded(name):
        image = TiffImagePlugin.TiffImageFile(file)
        # The reader of engine.files turns the pixels itself, by the EXIF block.
        image.load()
    array = plain(image)
    return (array, profile) if array is not None else converted(image, name, profile)


def encoded(array: np.ndarray, profile: bytes, block: bytes, xmp: bytes) -> bytes:
    """A deflated TIFF file of [H, W, 1..4] pixels in their own dtype (straight alpha) with these blocks."""
    tags = exif.parsed(block) if block else exif.Directory("<", {})
    channels = array.shape[2]
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        array[..., 0] if channels == 1 else array,
        byteorder=tags.order,  # type: ignore[arg-type]
        photometric="rgb" if channels > 2 else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        compression="deflate",
        predictor=True,
        metadata=None,
        software=False,
    )
    plain_file = out.getvalue()
    order = tags.order
    if plain_file[2:4] != struct.pack(order + "H", 42):
        return plain_file  # BigTIFF, past 4 GB: its directories have another form.
    # The directory is written anew at the end, with the picture's own tags in it; the pixels stay where they are.
    main = exif.parsed(plain_file)
    main.entries.update({tag: value for tag, value in tags.entries.items() if tag in exif.DESCRIPTIVE})
    main.entries[exif.ORIENTATION] = (3, 1, struct.pack(order + "H", 1))
    for tag, kind, data in ((_ICC, 7, profile), (_XMP, 1, xmp)):
        if data:
            main.entries[tag] = (kind, len(data), data)
    plain_file += b"\0" * (len(plain_file) % 2)
    start = len(plain_file)
    return plain_file[:4] + struct.pack(order + "I", start) + plain_file[8:] + exif.placed(main, start)
