"""Small pictures for the tests of engine.files, and the pieces that Pillow cannot write."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from engine.tasks.base import Picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="A harbour"/></x:xmpmeta>'


def samples(dtype, channels: int, height: int = 9, width: int = 13, seed: int = 0) -> np.ndarray:
    """[height, width, channels] of noise over the dtype's whole range; alpha is never 0 everywhere."""
    noise = np.random.default_rng(seed).random((height, width, channels))
    if np.dtype(dtype).kind == "f":
        return noise.astype(dtype)
    return np.rint(noise * np.iinfo(dtype).max).astype(dtype)


def exif_block(orientation: int = 1, order: str = "<", width: int = 13) -> bytes:
    """A block as a camera writes it: maker, orientation, the Exif directory with sizes and a note, GPS, a thumbnail."""
    block = Image.Exif()
    block.endian = order
    block[0x010F] = "Pincel Cameras"
    block[0x0112] = orientation
    inner = block.get_ifd(0x8769)
    inner[0x9003] = "1936:07:18 10:20:30"
    inner[0xA002] = width
    inner[0x927C] = b"maker's note, 24 bytes.."
    block.get_ifd(0x8825)[1] = "N"
    data = bytearray(block.tobytes().removeprefix(b"Exif\0\0"))
    start = struct.unpack_from(order + "I", data, 4)[0]
    entries = struct.unpack_from(order + "H", data, start)[0]
    struct.pack_into(order + "I", data, start + 2 + 12 * entries, len(data))  # a second directory: the thumbnail's
    return bytes(data) + struct.pack(order + "HHHIII", 1, 0x0103, 3, 1, 6, 0)


def picture(dtype=np.uint8, channels: int = 3, orientation: int = 1, **blocks: bytes) -> Picture:
    known = {"icc": SRGB, "exif": exif_block(orientation), "xmp": XMP}
    return Picture(samples(dtype, channels), **(known | blocks))


def profile(space: bytes = b"RGB ", curve: bytes = b"curv\0\0\0\0\0\0\0\0") -> bytes:
    """The least that counts as an ICC profile: a colour space and three tone curves."""
    names = (b"kTRC",) if space == b"GRAY" else (b"rTRC", b"gTRC", b"bTRC")
    head = bytearray(128)
    head[16:20], head[36:40] = space, b"acsp"
    table = struct.pack(">I", len(names)) + b"".join(
        struct.pack(">4sII", name, 132 + 12 * len(names), len(curve)) for name in names
    )
    data = bytes(head) + table + curve
    return struct.pack(">I", len(data)) + data[4:]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, interlaced: bool = False, extra: bytes = b""
) -> bytes:
    """A PNG of rows that are filtered already, so that any header can be written, true or not."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )


def saved(image: Image.Image, form: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()
