"""What a file holds beside pixels, profile, EXIF and XMP: its resolution in the format's own place, comment, captions, text."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from engine.files import exif
from engine.tasks.base import Origin

COMMENT, CAPTIONS, TEXT = "comment", "IPTC captions", "text"
# What each format has a place for; the bytes are its own and mean nothing elsewhere.
_HELD = {"JPEG": (COMMENT, CAPTIONS), "PNG": (TEXT,)}
_INCH = 0.0254
_IPTC = 0x0404  # among Photoshop's resources (JPEG's APP13)
_SEGMENT_MAX = 65533


def of_info(info: Mapping[Any, Any], form: str | None) -> Origin:
    """What Pillow found in an open file. form: Pillow's name of its format."""
    density, texts = None, {}
    if info.get("jfif_unit") in (1, 2):
        metre = 1 / _INCH if info["jfif_unit"] == 1 else 100
        density = tuple(metre * side for side in info["jfif_density"])
    elif form in ("PNG", "BMP") and "dpi" in info:
        density = tuple(side / _INCH for side in info["dpi"])
    if form in ("JPEG", "MPO"):
        texts = {COMMENT: info.get("comment") or b"", CAPTIONS: (info.get("photoshop") or {}).get(_IPTC) or b""}
    known = density if density is not None and len(density) == 2 and min(density) > 0 else None
    return Origin(density=known, texts={name: text for name, text in texts.items() if text and isinstance(text, bytes)})


def notices(origin: Origin, form: str) -> list[str]:
    """The sentence for what a file of this format ("PNG", "JPEG", "TIFF", "WEBP") has no place for, if there is anything."""
    left = [name for name in origin.texts if name not in _HELD.get(form, ())]
    return [f"{form} has no place for the source's {' and '.join(left)}: left out."] if left else []


def block(origin: Origin) -> bytes:
    """An EXIF block of the resolution alone, for formats that have no other place for it; b"" when there is none."""
    if origin.density is None:
        return b""
    inches = [side * _INCH for side in origin.density]
    whole = all(abs(side - round(side)) < 0.02 for side in inches)  # as near as pixels a metre can tell
    values = [(round(side), 1) for side in inches] if whole else [(round(side), 100) for side in origin.density]
    if not all(0 < value < 1 << 32 for value, _ in values):
        return b""
    rationals = [(5, 1, struct.pack("<II", *value)) for value in values]
    entries = {0x011A: rationals[0], 0x011B: rationals[1], 0x0128: (3, 1, struct.pack("<H", 2 if whole else 3))}
    return exif.packed(exif.Directory("<", dict(entries)))


def jpeg_options(origin: Origin) -> dict[str, Any]:
    """What Pillow is told for a JPEG: the resolution in whole dots an inch, the comment, the captions."""
    options: dict[str, Any] = {"comment": origin.texts.get(COMMENT, b"")}
    inches = [round(side * _INCH) for side in origin.density or (0, 0)]
    if all(0 < side < 1 << 16 for side in inches):
        options["dpi"] = tuple(inches)
    captions = origin.texts.get(CAPTIONS, b"")
    resource = b"Photoshop 3.0\0" + struct.pack(">4sHHI", b"8BIM", _IPTC, 0, len(captions)) + captions
    resource += b"\0" * (len(captions) % 2)
    if captions and len(resource) <= _SEGMENT_MAX:
        options["extra"] = struct.pack(">HH", 0xFFED, len(resource) + 2) + resource
    return options
