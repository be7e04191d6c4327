"""What a layer's bytes mean: Krita's colour model, depth and profile, and the channels, type and transfer of Pixels.

Krita keeps integers as blue, green, red, alpha and floats as red, green, blue, alpha; both have straight alpha.
"""

from .pincel_client.errors import UnsupportedMode
from .pincel_client.pixels import Pixels

_ORDERS = {
    ("RGBA", "U8"): "BGRA",
    ("RGBA", "U16"): "BGRA",
    ("RGBA", "F16"): "RGBA",
    ("RGBA", "F32"): "RGBA",
    ("GRAYA", "U8"): "GRAYA",
    ("GRAYA", "U16"): "GRAYA",
    ("GRAYA", "F16"): "GRAYA",
    ("GRAYA", "F32"): "GRAYA",
}
_DTYPES = {"U8": "u8", "U16": "u16", "F16": "f16", "F32": "f32"}
_DEPTHS = {dtype: depth for depth, dtype in _DTYPES.items()}
_FULL = {"u8": b"\xff", "u16": b"\xff\xff", "f16": b"\x00\x3c", "f32": b"\x00\x00\x80\x3f"}  # an opaque alpha
SRGB, LINEAR_SRGB = "sRGB-elle-V2-srgbtrc.icc", "sRGB-elle-V2-g10.icc"
SRGB8 = ("RGBA", "U8", SRGB)
_MODELS = {
    "CMYKA": "CMYK/Alpha",
    "LABA": "L*a*b*/Alpha",
    "XYZA": "XYZ/Alpha",
    "YCbCrA": "YCbCr/Alpha",
    "A": "Alpha",
}


def check(space, name):
    """Raise UnsupportedMode, with the remedy, unless pixels of that (model, depth, profile) can be sent."""
    model, depth, _ = space
    if (model, depth) not in _ORDERS:
        raise UnsupportedMode(
            "The layer %s is %s (%s), which Pincel does not work on." % (name, _MODELS.get(model, model), depth),
            "Convert it with Layer > Convert > Convert Layer Color Space… to RGB/Alpha or Grayscale/Alpha, or the whole "
            "picture with Image > Convert Image Color Space…, then try again.",
        )


def layout(space):
    """(channels, dtype) of Pixels for a space that check() let pass."""
    model, depth, _ = space
    return _ORDERS[model, depth], _DTYPES[depth]


def grey_document(space):
    """Whether colours in such a document show as greys."""
    return space[0] == "GRAYA"


def transfer_by_name(profile):
    """ "linear" or "srgb" where the profile's name tells, else None."""
    name = profile.lower()
    if "g10" in name or "linear" in name:
        return "linear"
    if "srgb" in name or "g18" in name or "g22" in name or "rec709" in name or "labl" in name or "trc" in name:
        return "srgb"
    return None


def space_for(pixels, source):
    """The (model, depth, profile) of a layer that takes these Pixels; source: the space of what they were made from.

    A result in colour of a grey layer, or of another transfer than the source, is sRGB.
    """
    model = "GRAYA" if pixels.channels in ("GRAY", "GRAYA") else "RGBA"
    depth = _DEPTHS[pixels.dtype]
    if source[0] == model and source[1] == depth:
        return source
    profile = LINEAR_SRGB if pixels.transfer == "linear" else SRGB
    return (model, depth, "Gray-D50-elle-V2-%s.icc" % profile[13:-4] if model == "GRAYA" else profile)


def opaque(data, space):
    """Whether all pixels in bytes of that space are fully opaque."""
    channels, dtype = layout(space)
    count, size = len(_names(channels)), len(_FULL[dtype])
    alpha = b"".join(data[(count - 1) * size + n :: count * size] for n in range(size))
    pixels = len(data) // (count * size)
    return alpha == b"".join(_FULL[dtype][n : n + 1] * pixels for n in range(size))


def krita_bytes(pixels, space, first, last):
    """Rows first to last (excluded) of Pixels in the order and with the alpha that a layer of that space has."""
    want = _ORDERS[space[0], space[1]]
    have = pixels.channels
    size = {"u8": 1, "u16": 2, "f16": 2, "f32": 4}[pixels.dtype]
    line = pixels.width * len(_names(have)) * size
    rows = memoryview(pixels.data).cast("B")[first * line : last * line]
    if have == want:
        return bytes(rows)
    word = {1: "B", 2: "H", 4: "I"}[size]
    source, count = rows.cast(word), len(_names(have))
    out = bytearray(pixels.width * (last - first) * len(_names(want)) * size)
    target = memoryview(out).cast(word)
    for place, name in enumerate(_names(want)):
        if name in _names(have):
            target[place :: len(_names(want))] = source[_names(have).index(name) :: count]
        else:  # only alpha can be missing
            full = memoryview(_FULL[pixels.dtype] * (pixels.width * (last - first))).cast(word)
            target[place :: len(_names(want))] = full
    return bytes(out)


def display_bytes(pixels):
    """Integer Pixels as 8-bit BGRA for the screen: the high bytes, linear light encoded by a table."""
    data = bytes(pixels.data)
    eight = data[1::2] if pixels.dtype == "u16" else data
    small = Pixels(eight, pixels.width, pixels.height, pixels.channels, "u8")
    if pixels.channels in ("GRAY", "GRAYA"):
        count = len(_names(pixels.channels))
        out = bytearray(b"\xff" * (4 * pixels.width * pixels.height))
        out[0::4] = out[1::4] = out[2::4] = eight[0::count]
        if count == 2:
            out[3::4] = eight[1::2]
    else:
        out = bytearray(krita_bytes(small, SRGB8, 0, pixels.height))
    if pixels.transfer == "linear":
        for channel in range(3):
            out[channel::4] = out[channel::4].translate(_ENCODED)
    return bytes(out)


_ENCODED = bytes(
    round(255 * (12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055))
    for v in (n / 255 for n in range(256))
)


def _names(channels):
    return ("V", "A") if channels == "GRAYA" else ("V",) if channels == "GRAY" else tuple(channels)
