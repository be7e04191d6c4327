"""Flats: the colours of a result sorted into few, each in a layer of its own that is named by its colour.

Which colours is palette.py's, which small regions are given away specks.py's. A pixel goes to the colour that is nearest to
it, by Qt, a band of rows at a time; a layer's alpha is a table over those numbers.
"""

from . import colours, place, thumbs
from .palette import colour_name, palette
from .pincel_client.pixels import Pixels
from .qt import Qt, QtCore, QtGui
from .specks import specks

_SAMPLE, _CELLS = 128, 256  # pixels from side to side of what colours and small regions are looked for in
_SORTED, _FILLED = 1 << 15, 1 << 19  # pixels at each step
_SAME = b"\xff" + bytes(255)


class Flats(place.Placing):
    """A Placing of the leaf's colours as a group of flat layers below the layer `beside`."""

    def __init__(self, host, document, leaf, beside, name, multiply=False):
        place.Placing.__init__(self, host, document, [leaf], beside, below=True, group=name, multiply=multiply)

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
        pixels = Pixels(bytes(node.pixelData(*rect)), rect.width, rect.height, "BGRA", "u8")
        yield
        entries = yield from palette(bytes(thumbs.small(pixels, _SAMPLE).data))
        yield
        numbers = yield from sort(pixels, entries)
        group = self._scratch.createGroupLayer(self.group)
        for number, entry in enumerate(entries):
            if number not in numbers:
                continue
            flat = self._scratch.createNode(colour_name(entry), "paintlayer")
            flat.setColorSpace(*colours.SRGB8)
            yield from _fill(flat, pixels, rect, entry, numbers, number)
            if leaf.mask is not None:
                self._mask(flat, leaf)
            group.addChildNode(flat, None)
        self._scratch.waitForDone()
        top = group.clone()
        yield
        yield from self._into_document(top)


def sort(pixels, entries):
    """A generator that returns the number of each pixel's colour among (red, green, blue) entries, one byte a pixel."""
    table = [0xFF000000 | r << 16 | g << 8 | b for r, g, b in entries]
    small = thumbs.small(pixels, _CELLS)
    yield
    step = max(1, -(-max(pixels.width, pixels.height) // _CELLS))
    coded, some = b"", max(1, _SORTED // 2 // small.width)
    for first in range(0, small.height, some):
        coded += _band(small, first, min(some, small.height - first), table)
        yield
    old, new = yield from specks(coded, small.width)
    yield
    out, rows = bytearray(), max(1, _SORTED // pixels.width // step * step or step)
    for first in range(0, pixels.height, rows):
        count = min(rows, pixels.height - first)
        band = _band(pixels, first, count, table)
        cells = [_stretched(cell, small.width, step, pixels.width, first, count) for cell in (old, new)]
        out += _replaced(band, *cells)
        yield
    return bytes(out)


def _band(pixels, first, count, table):
    """nearest() of `count` rows of the pixels from `first` on."""
    part = memoryview(pixels.data)[4 * first * pixels.width :][: 4 * count * pixels.width]
    return nearest(bytes(part), pixels.width, count, table)


def nearest(bgra, width, height, table):
    """The number in the table (colours as Qt has them) that is nearest to each pixel: one byte a pixel."""
    format, indexed = QtGui.QImage.Format.Format_RGB32, QtGui.QImage.Format.Format_Indexed8
    image = QtGui.QImage(bgra, width, height, 4 * width, format)
    return thumbs.rows_of(image.convertToFormat(indexed, table, Qt.ImageConversionFlag.ThresholdDither), width)


def _stretched(cells, columns, step, width, first, count):
    """Rows of a map of cells as large as the picture: each cell is `step` pixels wide and high."""
    out = []
    for row in range(first // step, -(-(first + count) // step)):
        line = bytearray(columns * step)
        for n in range(step):
            line[n::step] = cells[row * columns : (row + 1) * columns]
        out += [bytes(line[:width])] * step
    return b"".join(out[:count])


def _replaced(band, old, new):
    """The numbers of a band, with those of `new` where they are those of `old`."""
    if old.count(255) == len(old):
        return band
    a, b, c = (int.from_bytes(part, "little") for part in (band, old, new))
    same = int.from_bytes((a ^ b).to_bytes(len(band), "little").translate(_SAME), "little")
    return (a ^ ((a ^ c) & same)).to_bytes(len(band), "little")


def _fill(node, pixels, rect, entry, numbers, number):
    """Fill a node with one colour, where the pixels have its number."""
    table = bytes(255 if n == number else 0 for n in range(256))
    rows, data = max(1, _FILLED // rect.width), memoryview(pixels.data)
    for first in range(0, rect.height, rows):
        count = min(rows, rect.height - first)
        part = slice(first * rect.width, (first + count) * rect.width)
        if number in numbers[part]:
            alpha = bytes(data[4 * part.start : 4 * part.stop])[3::4]
            out = bytearray(bytes([entry[2], entry[1], entry[0], 0]) * (rect.width * count))
            out[3::4] = _both(numbers[part].translate(table), alpha)
            node.setPixelData(QtCore.QByteArray(bytes(out)), rect.x, rect.y + first, rect.width, count)
        yield


def _both(one, other):
    """The bytes that are in both: 255 in the first keeps the second's, 0 does not."""
    return (int.from_bytes(one, "little") & int.from_bytes(other, "little")).to_bytes(len(one), "little")
