"""The EXIF block set upright, brought up to date, and moved between files without loss.

A block is a small TIFF file: a header of 8 bytes, then directories (IFDs) of 12-byte entries whose values lie elsewhere in
the block (Exif 2.32, section 4.6; TIFF 6.0, section 2). In a Picture it has no "Exif\\0\\0" prefix. Changes are made in
place, byte by byte, because camera makers' notes hold offsets of their own that a rewritten block would break.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
_POINTERS = (EXIF_IFD, GPS_IFD, INTEROP_IFD)
_WIDTHS, _HEIGHTS = (0x0100, 0xA002), (0x0101, 0xA003)
# What describes the picture in a TIFF file's first directory; the rest there says how its pixels are stored.
DESCRIPTION = 0x010E
DESCRIPTIVE = (DESCRIPTION, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x8298, EXIF_IFD, GPS_IFD)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BIG_POINTERS = {16: 8, 18: 8}  # BigTIFF's own types
# A directory may point at the same bytes many times over: what one block may grow to.
_LARGEST = 16 << 20
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)([1-8])")


@dataclass
class Directory:
    """One IFD. order: "<" or ">"; entries: tag -> (type, count, the value's bytes, or the Directory it points at)."""

    order: str
    entries: dict[int, tuple[int, int, bytes | Directory]]


def cleaned(block: bytes) -> bytes:
    """The block without its prefix, or b"" when it is none."""
    block = block.removeprefix(b"Exif\0\0")
    try:
        _first(block)
    except (struct.error, ValueError):
        return b""
    return block


def orientation(block: bytes, xmp: bytes = b"") -> int:
    """How the stored pixels are turned, 1..8 as in the EXIF standard; XMP is asked when EXIF is silent; else 1."""
    if block:
        order, start = _first(block)
        for tag, kind, _, place in _entries(block, start, order):
            if tag == ORIENTATION and kind == 3:
                value = int(struct.unpack_from(order + "H", block, place)[0])
                return value if 1 <= value <= 8 else 1
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[2]) if found else 1


def upright(block: bytes, xmp: bytes) -> tuple[bytes, bytes]:
    """Both blocks with the orientation set to 1: the pixels have been turned."""
    if block:
        changed = bytearray(block)
        order, start = _first(block)
        for tag, kind, _, place in _entries(block, start, order):
            if tag == ORIENTATION and kind == 3:
                struct.pack_into(order + "H", changed, place, 1)
        block = bytes(changed)
    return block, _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def updated(block: bytes, width: int, height: int) -> bytes:
    """The block for a result of width x height: sizes set, and the thumbnail, which shows the old picture, unlinked."""
    changed = bytearray(block)
    try:
        order, start = _first(block)
        starts = [start]
        for tag, _, _, place in _entries(block, start, order):
            if tag == EXIF_IFD:
                starts.append(struct.unpack_from(order + "I", block, place)[0])
        for directory in starts:
            for tag, kind, count, place in _entries(block, directory, order):
                size = width if tag in _WIDTHS else height if tag in _HEIGHTS else None
                if size is not None and count == 1 and (kind == 4 or (kind == 3 and size < 1 << 16)):
                    struct.pack_into(order + ("I" if kind == 4 else "H"), changed, place, size)
        entries = struct.unpack_from(order + "H", block, start)[0]
        struct.pack_into(order + "I", changed, start + 2 + 12 * entries, 0)
    except (struct.error, ValueError):
        return block
    return bytes(changed)


def parsed(data: bytes, keep: tuple[int, ...] | None = None) -> Directory:
    """The first directory of a block or of a whole TIFF or BigTIFF file, with those it points at.

    keep: the tags of the first directory to take (None: all). Raises ValueError or struct.error when damaged.
    """
    order = {b"II+\0": "<", b"MM\0+": ">"}.get(bytes(data[:4]))
    if order is not None:
        return _directory(data, struct.unpack_from(order + "Q", data, 8)[0], order, keep, set(), big=True)
    order, start = _first(data)
    return _directory(data, start, order, keep, set())


def packed(directory: Directory) -> bytes:
    """The directory as a block of its own."""
    mark = b"II" if directory.order == "<" else b"MM"
    return mark + struct.pack(directory.order + "HI", 42, 8) + placed(directory, 8)


def placed(directory: Directory, base: int) -> bytes:
    """The directory's bytes for a file in which they start at the (even) offset `base`."""
    order = directory.order
    head = struct.pack(order + "H", len(directory.entries))
    behind = b""
    start = base + 2 + 12 * len(directory.entries) + 4
    for tag in sorted(directory.entries):
        kind, count, value = directory.entries[tag]
        if isinstance(value, Directory):
            kind, count, field = 4, 1, struct.pack(order + "I", start + len(behind))
            behind += placed(value, start + len(behind))
        elif len(value) <= 4:
            field = value.ljust(4, b"\0")
        else:
            field = struct.pack(order + "I", start + len(behind))
            behind += value + b"\0" * (len(value) % 2)
        head += struct.pack(order + "HHI", tag, kind, count) + field
    return head + b"\0\0\0\0" + behind


def _first(data: bytes) -> tuple[str, int]:
    """The byte order and the first directory's offset. Raises ValueError when data is no block."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        raise ValueError("an EXIF block starts with II or MM")
    magic, start = struct.unpack_from(order + "HI", data, 2)
    if magic != 42 or not 8 <= start <= len(data) - 6:
        raise ValueError("not an EXIF block")
    if start + 6 + 12 * struct.unpack_from(order + "H", data, start)[0] > len(data):
        raise ValueError("the EXIF block ends too early")
    return order, start


def _entries(data: bytes, start: int, order: str, big: bool = False) -> Iterator[tuple[int, int, int, int]]:
    """Each entry's tag, type, count and the place of its value field, of 4 bytes or, in a BigTIFF file, 8."""
    head, entry = (order + "Q", order + "HHQ") if big else (order + "H", order + "HHI")
    if start > len(data):
        raise ValueError("a directory lies outside of the file")
    (entries,) = struct.unpack_from(head, data, start)
    if entries > 0xFFFF:
        raise ValueError("no directory has that many entries")
    place = start + struct.calcsize(head)
    for _ in range(entries):
        yield (*struct.unpack_from(entry, data, place), place + struct.calcsize(entry))
        place += 20 if big else 12


def _directory(
    data: bytes, start: int, order: str, keep: tuple[int, ...] | None, seen: set[int], big: bool = False
) -> Directory:
    if start in seen:
        raise ValueError("the EXIF directories form a ring")
    seen.add(start)
    found: dict[int, tuple[int, int, bytes | Directory]] = {}
    total = 0
    for tag, kind, count, place in _entries(data, start, order, big):
        # Of a tag that occurs twice the first counts: some writers put a note of their own behind the user's description.
        if tag in found or (keep is not None and tag not in keep) or kind not in _SIZES | _BIG_POINTERS:
            continue
        if tag in _POINTERS:
            offset = struct.unpack_from(order + ("Q" if kind in _BIG_POINTERS else "I"), data, place)[0]
            found[tag] = (4, 1, _directory(data, offset, order, None, seen, big))
            continue
        if kind in _BIG_POINTERS:
            continue  # numbers that the files we write have no type for
        size = _SIZES[kind] * count
        total += size
        inside = size <= (8 if big else 4)
        offset = place if inside else struct.unpack_from(order + ("Q" if big else "I"), data, place)[0]
        if offset + size > len(data) or total > _LARGEST:
            raise ValueError("an EXIF value lies outside of the block")
        found[tag] = (kind, count, bytes(data[offset : offset + size]))
    return Directory(order, found)
