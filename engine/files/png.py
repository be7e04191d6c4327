"""PNG (ISO/IEC 15948) with 16 bits in every channel layout, its chunks checked before decoding."""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from typing import BinaryIO

import imagecodecs
import numpy as np

from engine.client.errors import Truncated

_XMP_KEYWORD = b"XML:com.adobe.xmp"
# Compressed chunks may unpack to gigabytes: a profile or an XMP packet is never that large.
_LARGEST = 64 << 20
_TEXT_MAX = 1 << 20
# ImageMagick's way to put EXIF and others into text: of the picture as it was.
_RAW = b"Raw profile type "
# By IHDR's colour type; a transparent colour (tRNS) is one more.
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
# Half the time of zlib's usual 6 for files about a fifth larger.
_LEVEL = 3


@dataclass
class Survey:
    """What the chunks say. colour: 0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha."""

    width: int
    height: int
    depth: int
    colour: int
    frames: int = 1
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    density: tuple[float, float] | None = None
    text: bytes = b""  # whole chunks


def survey(file: BinaryIO, name: str) -> Survey:
    """Walk over the chunks without decoding. Raises Truncated when one is damaged or the file ends before IEND."""
    file.seek(8)
    found: Survey | None = None
    end = os.fstat(file.fileno()).st_size
    while True:
        head = file.read(8)
        if len(head) < 8:
            raise Truncated(f"{name} ends before its last chunk.")
        length, kind = struct.unpack(">I4s", head)
        if file.tell() + length + 4 > end:
            raise Truncated(f"{name} ends in the middle of a chunk.")
        data = file.read(length)
        whole = struct.unpack(">I", file.read(4))[0] == zlib.crc32(data, zlib.crc32(kind))
        # A chunk with a capital first letter is needed to show the picture; a damaged one of the others is left out.
        if not whole and not kind[0] & 0x20:
            raise Truncated(f"{name} is damaged: the checksum of its {kind.decode('latin-1')} chunk is wrong.")
        if found is None:
            if kind != b"IHDR" or length != 13:
                raise Truncated(f"{name} is damaged: it does not start with its header.")
            found = Survey(*struct.unpack(">IIBB", data[:10]))
        elif kind == b"IEND":
            return found
        elif whole:
            _note(found, kind, data)


def _note(found: Survey, kind: bytes, data: bytes) -> None:
    if kind == b"acTL" and len(data) == 8:
        found.frames = struct.unpack(">I", data[:4])[0]
    elif kind == b"eXIf":
        found.exif = data
    elif kind == b"iCCP":
        found.icc = _unzipped(data.partition(b"\0")[2][1:])
    elif kind == b"pHYs" and len(data) == 9:
        across, down, unit = struct.unpack(">IIB", data)
        found.density = (across, down) if unit == 1 and across and down else None
    elif kind == b"iTXt" and data.startswith(_XMP_KEYWORD + b"\0"):
        compressed, rest = data[len(_XMP_KEYWORD) + 1 :][:1], data[len(_XMP_KEYWORD) + 3 :]
        text = rest.partition(b"\0")[2].partition(b"\0")[2]
        found.xmp = _unzipped(text) if compressed == b"\1" else text
    elif kind in (b"tEXt", b"zTXt", b"iTXt") and not data.startswith(_RAW):
        # What is larger is no text for people.
        found.text += _chunk(kind, data) if len(found.text) + len(data) < _TEXT_MAX else b""


def _unzipped(data: bytes) -> bytes:
    """The data unpacked, or b"" when it is damaged or far too large: the picture does not need it."""
    unpacker = zlib.decompressobj()
    try:
        out = unpacker.decompress(data, _LARGEST)
    except zlib.error:
        return b""
    return out if unpacker.eof else b""


def decoded(file: BinaryIO) -> np.ndarray:
    """The pixels of an 8- or 16-bit PNG without a palette: [H, W, 1..4]; a transparent colour (tRNS) becomes alpha."""
    file.seek(0)
    data = bytearray(os.fstat(file.fileno()).st_size)
    file.readinto(data)  # type: ignore[attr-defined]
    # Without its colour profile: survey() has it, and of some libpng prints its opinion on the terminal.
    place = 8
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"iCCP":
            del data[place : place + length + 12]  # in place: the picture is not copied
        if kind in (b"iCCP", b"IDAT"):
            break
        place += length + 12
    array = imagecodecs.png_decode(data)
    return array[..., None] if array.ndim == 2 else array


def encoded(
    array: np.ndarray,
    icc: bytes,
    exif: bytes,
    xmp: bytes,
    density: tuple[float, float] | None = None,
    text: bytes = b"",
) -> bytes:
    """A PNG file of [H, W, 1..4] uint8 or uint16 pixels with these blocks (each may be b""). density: pixels a metre; text:
    whole chunks, as survey() gives them.
    """
    plain = imagecodecs.png_encode(np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array), level=_LEVEL)
    chunks = []
    if icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc)))
    if exif:
        chunks.append(_chunk(b"eXIf", exif))
    if xmp:
        chunks.append(_chunk(b"iTXt", _XMP_KEYWORD + b"\0\0\0\0\0" + xmp))
    if density is not None and all(0.5 < side < 1 << 31 for side in density):
        chunks.append(_chunk(b"pHYs", struct.pack(">IIB", round(density[0]), round(density[1]), 1)))
    chunks.append(text)
    # The signature and IHDR take 33 bytes; iCCP must come before the pixels.
    return b"".join([plain[:33], *chunks, plain[33:]])


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
