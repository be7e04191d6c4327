"""What an ICC profile says that Pincel must know (ICC.1:2022): its colour space, and whether its values are linear light."""

from __future__ import annotations

import struct

_CURVES = (b"rTRC", b"gTRC", b"bTRC", b"kTRC")


def colour_space(icc: bytes) -> str:
    """ "RGB", "GRAY", "CMYK", "Lab"...; "" for no profile or a damaged one."""
    if len(icc) < 132 or icc[36:40] != b"acsp":
        return ""
    return icc[16:20].decode("latin-1").strip()


def is_linear(icc: bytes) -> bool:
    """Whether the profile's tone curves are all straight lines: its values are linear light."""
    if not colour_space(icc):
        return False
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        curves = []
        for place in range(132, 132 + 12 * min(count, 100), 12):
            tag, offset, _ = struct.unpack_from(">4sII", icc, place)
            if tag in _CURVES:
                curves.append(_straight(icc, offset))
    except struct.error:
        return False
    return bool(curves) and all(curves)


def _straight(icc: bytes, offset: int) -> bool:
    """Whether the curve at offset is the identity: no points, a gamma of 1, or an evenly rising table."""
    kind = icc[offset : offset + 4]
    if kind == b"para":
        function, _, gamma = struct.unpack_from(">HHi", icc, offset + 8)
        return bool(function == 0 and gamma == 1 << 16)
    if kind != b"curv":
        return False
    (points,) = struct.unpack_from(">I", icc, offset + 8)
    if points <= 1:
        return bool(points == 0 or struct.unpack_from(">H", icc, offset + 12)[0] == 1 << 8)
    table = struct.unpack_from(f">{min(points, 4096)}H", icc, offset + 12)
    return all(abs(value - 65535 * i / (len(table) - 1)) <= 1 for i, value in enumerate(table))
