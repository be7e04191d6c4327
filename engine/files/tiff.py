"""TIFF files by tifffile, in every depth and layout, their tags carried as an EXIF block."""

from __future__ import annotations

import io
import logging
import mmap
import os
import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image, TiffImagePlugin

from engine.client.errors import Truncated
from engine.files import check, exif, icc
from engine.files.convert import converted, plain
from engine.tasks.base import Picture
from engine.tasks.frames import unpremultiplied

# tifffile tells of a file's oddities in the log, which would reach the terminal of a user who can do nothing about them.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR, _LAB = 0, 1, 2, 3, 4, 5, 6, 8
_NAMES = {_PALETTE: "a palette", _MASK: "a 1-bit mask", _CMYK: "CMYK", _YCBCR: "YCbCr", _LAB: "Lab"}
_RAW = (32803, 34892)
_ASSOCIATED, _UNASSOCIATED = 1, 2
_ICC, _XMP = 34675, 700
# The tags without which the samples cannot be told.
_STRUCTURE = {256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 322, 323, 324, 325, 338, 339}
# Pages are looked through for pictures; more than this many are not asked about.
_PAGES = 64


@dataclass
class _Layout:
    """How a page stores its samples, as plain numbers: tifffile gives a damaged file's tags as they come."""

    width: int
    height: int
    depth: int
    photometric: int
    samples: int
    bits: int
    numbers: int  # TIFF's SampleFormat: 1 unsigned, 2 signed, 3 floating point
    compression: int
    planar: bool
    extra: tuple[int, ...]

    @classmethod
    def of(cls, page: Any) -> _Layout:
        return cls(
            int(page.imagewidth),
            int(page.imagelength),
            int(page.imagedepth),
            int(page.photometric),
            int(page.samplesperpixel),
            int(page.bitspersample),
            int(page.sampleformat),
            int(page.compression),
            int(page.planarconfig) == 2,
            tuple(int(extra) for extra in page.extrasamples),
        )

    @property
    def grey(self) -> bool:
        return self.photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO)

    @property
    def jpeg(self) -> bool:
        """YCbCr that the JPEG decoder turns into RGB by itself."""
        return self.photometric == _YCBCR and self.compression in (7, 34892)

    @property
    def alpha(self) -> bool:
        return bool(self.extra) and self.extra[0] in (_ASSOCIATED, _UNASSOCIATED)

    def oddity(self) -> str | None:
        """What keeps the page from being worked on as it is, in words, or None."""
        if not (self.grey or self.jpeg or self.photometric == _RGB):
            return _NAMES.get(self.photometric, f"photometric interpretation {self.photometric}")
        if self.depth > 1:
            return "a volume of several slices"
        if self.numbers == 3 and self.bits not in (16, 32, 64):
            return f"{self.bits}-bit floating point"
        if self.numbers not in (1, 3):
            return "signed or complex numbers"
        if self.numbers == 1 and self.bits not in (8, 16):
            return f"{self.bits}-bit integers"
        if self.samples != (1 if self.grey else 3) + len(self.extra) or len(self.extra) > 1:
            return f"{self.samples} channels"
        if self.extra and not self.alpha:
            return "colours and an extra channel that is not marked as alpha"
        return None


def read_tiff(file: BinaryIO, name: str, convert: bool) -> Picture:
    """The first picture of a TIFF file. Raises the errors of engine.files.check."""
    with check.coded(name):
        tif = tifffile.TiffFile(file)
        page: Any = tif.pages.first
        _require_tags(page, file, name)
        layout = _Layout.of(page)
        pages = len(tif.pages)
        pictures = sum(1 for number in range(min(pages, _PAGES)) if not _small(tif.pages[number]))
    check.size(layout.width, layout.height, name)
    check.frames(pictures, name, convert, more=pages > _PAGES)
    with check.coded(name):
        _require_segments(page, layout, file, name)
        blocks = _blocks(page, file)
    if layout.photometric in _RAW:
        raise check.unsupported(name, "camera raw data", "Develop it in a raw converter and save it as TIFF.")
    what = layout.oddity()
    if what and not convert:
        raise check.unsupported(name, what)
    if what and (layout.depth > 1 or layout.numbers not in (1, 3)):
        raise check.unsupported(name, what, "Save it in an editor as 16-bit TIFF.")
    if what and layout.photometric == _YCBCR and layout.bits == 8:
        # Only Pillow 13 and later read these; its formula is JPEG's, which TIFF's defaults name too.
        raw = Image.frombytes("YCbCr", (layout.width, layout.height), _samples(page, layout, name).tobytes())
        array = np.asarray(raw.convert("RGB"))
    elif what and (layout.bits == 1 or not (layout.grey or layout.photometric == _RGB)):
        array, blocks["icc"] = _by_pillow(file, name, blocks["icc"])
        # Pillow turns TIFF pictures by itself while it decodes them.
        blocks["exif"], blocks["xmp"] = exif.upright(blocks["exif"], blocks["xmp"])
    else:
        array = _samples(page, layout, name)
    return Picture(array, icc.is_linear(blocks["icc"]), blocks["icc"], blocks["exif"], blocks["xmp"])


def pixel_bytes(page: Any) -> int:
    """The bytes of a pixel that read_tiff() will give of a page."""
    layout = _Layout.of(page)
    if not (layout.grey or layout.photometric == _RGB):
        return 1 if layout.photometric == _MASK else 3
    sample = {16: 2, 32: 4, 64: 4}.get(layout.bits, 4) if layout.numbers == 3 else 1 if layout.bits <= 8 else 2
    return ((1 if layout.grey else 3) + layout.alpha) * sample


def _small(page: Any) -> bool:
    """Whether the page is only a preview or a mask of another one."""
    return bool(page.is_reduced or page.is_mask)


def _require_tags(page: Any, file: BinaryIO, name: str) -> None:
    """Raise Truncated when a tag could not be read: tifffile would go on without it."""
    tiff = page.parent.tiff
    file.seek(page.offset)
    (count,) = struct.unpack(tiff.tagnoformat, file.read(tiff.tagnosize))
    entries = file.read(count * tiff.tagsize)
    codes = {struct.unpack_from(tiff.byteorder + "H", entries, n * tiff.tagsize)[0] for n in range(count)}
    if any(code not in page.tags for code in (codes & _STRUCTURE) | {256, 257}):
        raise Truncated(f"{name} is damaged: its description of the picture is not whole.")


def _require_segments(page: Any, layout: _Layout, file: BinaryIO, name: str) -> None:
    """Raise Truncated when a strip or tile is missing: tifffile would leave its place black."""
    offsets, sizes = page.dataoffsets, page.databytecounts
    expected = int(np.prod(page.chunked))
    if len(offsets) != expected or len(sizes) != expected or min(offsets) <= 0 or min(sizes) <= 0:
        raise Truncated(f"{name} is damaged: parts of the picture are missing.")
    if max(offset + size for offset, size in zip(offsets, sizes, strict=True)) > os.fstat(file.fileno()).st_size:
        raise Truncated(f"{name} ends too early.")
    if layout.compression == 1 and sum(sizes) * 8 < layout.width * layout.height * layout.samples * layout.bits:
        raise Truncated(f"{name} is damaged: parts of the picture are missing.")


def _blocks(page: Any, file: BinaryIO) -> dict[str, bytes]:
    found = {"icc": bytes(page.iccprofile or b""), "exif": b"", "xmp": b""}
    if _XMP in page.tags:
        value = page.tags[_XMP].value
        found["xmp"] = value.encode() if isinstance(value, str) else bytes(value)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            tags = exif.parsed(data, (*exif.DESCRIPTIVE, exif.ORIENTATION))  # type: ignore[arg-type]
            if _writers_note(tags):
                del tags.entries[exif.DESCRIPTION]
            found["exif"] = exif.packed(tags) if tags.entries else b""
        except (struct.error, ValueError):
            pass
    return found


def _writers_note(tags: exif.Directory) -> bool:
    """Whether the description is tifffile's own note of the array's shape, which a result has no more."""
    return bytes(tags.entries.get(exif.DESCRIPTION, (2, 0, b""))[2]).lstrip().startswith(b'{"shape":')  # type: ignore[arg-type]


def _samples(page: Any, layout: _Layout, name: str) -> np.ndarray:
    """The page as [H, W, 1..4] in one of depth.DTYPES with straight alpha; channels past what it can hold are left."""
    with check.coded(name):
        array = np.asarray(page.asarray())
        if layout.planar and layout.samples > 1:
            array = np.moveaxis(array, 0, -1)
        array = array.reshape(layout.height, layout.width, -1)
        channels = (1 if layout.grey else 3) + layout.alpha
        if array.shape[2] < channels:
            raise Truncated(f"{name} is damaged: it holds fewer channels than its kind of picture has.")
    array = array[..., :channels]
    array = _full_range(array, layout.bits)
    if layout.photometric == _WHITE_IS_ZERO:
        top = np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1
        array = np.concatenate([top - array[..., :1], array[..., 1:]], axis=2, dtype=array.dtype)
    if layout.alpha and layout.extra[0] == _ASSOCIATED:
        array = unpremultiplied(array)
    return np.ascontiguousarray(array)


def _full_range(array: np.ndarray, bits: int) -> np.ndarray:
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # What is too large for float32 becomes infinity, and that is refused.
            return array.astype(np.float32 if array.dtype.itemsize == 8 else array.dtype.newbyteorder("="))
    if bits in (8, 16):
        return array.astype(array.dtype.newbyteorder("="))
    dtype: Any = np.uint8 if bits < 8 else np.uint16
    return np.rint(array * (np.iinfo(dtype).max / (2.0**bits - 1))).astype(dtype)


def _by_pillow(file: BinaryIO, name: str, profile: bytes) -> tuple[np.ndarray, bytes]:
    file.seek(0)
    with check.coded(name):
        image = TiffImagePlugin.TiffImageFile(file)
        image.load()
    array = plain(image)
    return (array, profile) if array is not None else converted(image, name, profile)


def encoded(array: np.ndarray, profile: bytes, block: bytes, xmp: bytes, notices: list[str]) -> bytes:
    """A deflated TIFF file of [H, W, 1..4] pixels in their own dtype (straight alpha) with these blocks; notices: gets a
    sentence where they cannot be written.
    """
    try:
        tags = exif.parsed(block) if block else exif.Directory("<", {})
    except (struct.error, ValueError):
        tags = exif.Directory("<", {})  # damaged further in, where other formats carry it along unread
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
        # BigTIFF, past 4 GB: its directories have another form.
        if profile or block or xmp:
            notices.append("The file is larger than 4 GB: colour profile, EXIF and XMP were left out.")
        return plain_file
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
