"""Flats: the colours of a result sorted into few, each in a layer of its own that is named by its colour.

Standard library only, so pixels are never looped over one by one: a pixel becomes a code of 3 + 3 + 2 bits by table, byte
by byte; the 256 codes are sorted into the palette's colours; a layer's alpha is a table over the codes.
"""

import colorsys

from . import colours, place, thumbs
from .qt import QtCore

COUNT = 8  # layers at most
_SAMPLE = 48  # pixels from side to side that the palette is made from
_ROUNDS = 8
_RED, _GREEN, _BLUE = (bytes(v >> s << p for v in range(256)) for s, p in ((5, 5), (5, 2), (6, 0)))
_HUES = ((20, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "cyan"), (260, "blue"), (300, "violet"))


class Flats(place.Placing):
    """A Placing of the leaf's colours as a group of flat layers below the layer `beside`."""

    def __init__(self, host, document, leaf, beside, name):
        place.Placing.__init__(self, host, document, [leaf], beside, below=True, group=name)

    def _steps(self):
        leaf, host = self.leaves[0], self.host
        self._scratch = host.open_kra("scratch", 1, 1)
        yield
        # Krita turns whatever it is into 8-bit sRGB, whose bytes can be sorted.
        node = self._scratch.createNode("colours", "paintlayer")
        node.setColorSpace(*leaf.space)
        yield from place.fill(node, leaf)
        if leaf.space != colours.SRGB8:
            node.setColorSpace(*colours.SRGB8)
            yield
        rect = leaf.rect
        data = bytes(node.pixelData(*rect))
        yield
        sample = thumbs.small(place.Leaf("", _pixels(data, rect), rect, colours.SRGB8).pixels, _SAMPLE)
        entries = yield from palette(bytes(sample.data), COUNT)
        tables = [
            bytes(255 if nearest(_colour(code), entries) == n else 0 for code in range(256))
            for n in range(len(entries))
        ]
        yield
        group = self._scratch.createGroupLayer(self.group)
        for entry, table in zip(entries, tables):
            flat = self._scratch.createNode(colour_name(entry), "paintlayer")
            flat.setColorSpace(*colours.SRGB8)
            yield from self._flat(flat, data, rect, entry, table)
            if leaf.mask is not None:
                self._mask(flat, leaf)
            group.addChildNode(flat, None)
        self._scratch.waitForDone()
        top = group.clone()
        yield
        self._add(top)

    def _flat(self, node, data, rect, entry, table):
        """Fill a node with one colour, where the codes of the pixels are in the table."""
        rows = max(1, place.BAND_BYTES // 4 // max(1, rect.width))
        for first in range(0, rect.height, rows):
            count = min(rows, rect.height - first)
            band = data[first * rect.width * 4 : (first + count) * rect.width * 4]
            out = bytearray(bytes([entry[2], entry[1], entry[0], 0]) * (rect.width * count))
            out[3::4] = _both(codes(band).translate(table), band[3::4])
            node.setPixelData(QtCore.QByteArray(bytes(out)), rect.x, rect.y + first, rect.width, count)
            yield


def _pixels(data, rect):
    from .pincel_client.pixels import Pixels

    return Pixels(data, rect.width, rect.height, "BGRA", "u8")


def codes(bgra):
    """One byte for each pixel: 3 bits of red, 3 of green, 2 of blue."""
    parts = (bgra[2::4].translate(_RED), bgra[1::4].translate(_GREEN), bgra[0::4].translate(_BLUE))
    red, green, blue = (int.from_bytes(part, "little") for part in parts)
    return (red | green | blue).to_bytes(len(bgra) // 4, "little")


def _both(one, other):
    """The bytes that are in both: 255 in the first keeps the second's, 0 does not."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _colour(code):
    """The middle of what a code stands for, as (red, green, blue)."""
    return ((code >> 5) * 32 + 16, (code >> 2 & 7) * 32 + 16, (code & 3) * 64 + 32)


def nearest(colour, entries):
    """The number of the entry that is nearest to a colour; green counts most, blue least, as in luma."""
    distances = [
        3 * (colour[0] - e[0]) ** 2 + 6 * (colour[1] - e[1]) ** 2 + 2 * (colour[2] - e[2]) ** 2 for e in entries
    ]
    return distances.index(min(distances))


def palette(bgra, count):
    """A generator that returns at most `count` (red, green, blue) colours of some thousand pixels: Lloyd 1982, k-means,
    begun with the pixels that are furthest from each other."""
    pixels = [(r, g, b) for b, g, r, a in zip(*(bgra[n::4] for n in range(4))) if a >= 8] or [(255, 255, 255)]
    pixels = sorted(set(pixels))[:: max(1, len(set(pixels)) // 600)]
    entries = [pixels[len(pixels) // 2]]
    while len(entries) < count:
        far = max(pixels, key=lambda p: min(sum((a - b) ** 2 for a, b in zip(p, e)) for e in entries))
        if min(sum((a - b) ** 2 for a, b in zip(far, e)) for e in entries) < 900:
            break
        entries.append(far)
        yield
    for _ in range(_ROUNDS):
        groups = [[] for _ in entries]
        for pixel in pixels:
            groups[nearest(pixel, entries)].append(pixel)
        entries = [
            tuple(sum(p[c] for p in group) // len(group) for c in range(3)) if group else entry
            for group, entry in zip(groups, entries)
        ]
        yield
    return entries


def colour_name(rgb):
    """A plain name: "light blue (#9db4e0)"."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(v / 255.0 for v in rgb))
    if lightness > 0.95:
        word = "white"
    elif lightness < 0.06:
        word = "black"
    elif saturation < 0.12:
        word = "grey"
    else:
        word = next((name for end, name in _HUES if hue * 360 < end), "pink" if hue * 360 < 340 else "red")
    shade = "" if word in ("white", "black") else "light " if lightness > 0.7 else "dark " if lightness < 0.3 else ""
    return "%s%s (#%02x%02x%02x)" % ((shade, word) + tuple(rgb))
