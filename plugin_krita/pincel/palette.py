"""Few colours for a picture: as many as it has, near ones made one, those of small areas given to their nearest.

Standard library only, a little at each step: what is weighed one by one are the colours of a sample, never all pixels.
"""

import colorsys
from collections import Counter

MOST = 24  # colours
NEAR = 14.0  # CIELAB distance below which two colours are one
SMALL = 0.003  # share of the picture below which a colour goes to its nearest
_LEADERS = 60  # colours that are begun with
_CHUNK, _ROWS = 100, 10  # colours weighed, and compared with all others, at each step
_COARSE = bytes(v & 0xF8 | 4 for v in range(256))
_LIGHT = [v / 255 / 12.92 if v < 11 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in range(256)]
_HUES = (
    (14, "red"), (42, "orange"), (66, "yellow"), (90, "lime"), (160, "green"), (195, "cyan"), (252, "blue"),
    (290, "violet"), (338, "pink"), (361, "red"),
)  # fmt: skip


def lab(rgb):
    """CIELAB (D65) of an sRGB colour of 0 to 255."""
    r, g, b = (_LIGHT[v] for v in rgb)
    x, y, z = (
        v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116
        for v in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        )
    )
    return (116 * y - 16, 500 * (x - y), 200 * (y - z))


class _Bunch:
    """Colours that count as one: their weight, and the sums of their red, green and blue."""

    def __init__(self, rgb, weight):
        self.weight, self.sums, self.lab = weight, [v * weight for v in rgb], lab(rgb)

    @property
    def rgb(self):
        return tuple(int(v / self.weight + 0.5) for v in self.sums)

    def take(self, other):
        self.weight += other.weight
        self.sums = [a + b for a, b in zip(self.sums, other.sums)]
        self.lab = lab(self.rgb)

    def far(self, other):
        """The squared distance."""
        (a, b, c), (x, y, z) = self.lab, other.lab
        return (a - x) ** 2 + (b - y) ** 2 + (c - z) ** 2

    def added(self, other):
        """What making both one adds to the squared distances of all pixels from their colour (Ward 1963)."""
        return self.far(other) * self.weight * other.weight / (self.weight + other.weight)


def _closest(bunches, distance):
    """A generator that returns the two of them with the least distance."""
    least, pair = float("inf"), None
    for n, one in enumerate(bunches):
        for other in bunches[n + 1 :]:
            far = distance(one, other)
            if far < least:
                least, pair = far, (one, other)
        if n % _ROWS == _ROWS - 1:
            yield
    return pair


def palette(bgra):
    """A generator that returns one to MOST (red, green, blue) colours of a sample's bytes, that of the largest area first."""
    blue, green, red = (bgra[n::4].translate(_COARSE) for n in range(3))
    counted = Counter(code for code, a in zip(zip(red, green, blue), bgra[3::4]) if a >= 8)
    total = sum(counted.values())
    if not total:
        return [(255, 255, 255)]
    yield
    bunches = []
    for number, (rgb, weight) in enumerate(counted.most_common()):
        one = _Bunch(rgb, weight)
        nearest = min(bunches, key=one.far, default=None)
        if nearest is not None and (one.far(nearest) < NEAR**2 or len(bunches) == _LEADERS):
            nearest.weight += weight  # its place is found anew at the end: what is large keeps its own
            nearest.sums = [a + b * weight for a, b in zip(nearest.sums, rgb)]
        else:
            bunches.append(one)
        if number % _CHUNK == _CHUNK - 1:
            yield
    for bunch in bunches:
        bunch.lab = lab(bunch.rgb)
    while len(bunches) > 1:
        bunches.sort(key=lambda bunch: bunch.weight)
        least = bunches[0]
        if least.weight >= SMALL * total:
            least, other = yield from _closest(bunches, _Bunch.far if len(bunches) <= MOST else _Bunch.added)
            if len(bunches) <= MOST and least.far(other) >= NEAR**2:
                break
        else:
            other = min(bunches[1:], key=least.far)
        bunches.remove(least)
        other.take(least)
        yield
    return [bunch.rgb for bunch in sorted(bunches, key=lambda bunch: -bunch.weight)]


def colour_name(rgb):
    """A plain name: "light blue (#9db4e0)"."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(v / 255.0 for v in rgb))
    hue *= 360
    chroma = saturation * (1 - abs(2 * lightness - 1))  # how far the largest and the smallest channel are apart
    shade = "light " if lightness > 0.7 else "dark " if lightness < 0.3 else ""
    if lightness > 0.95 and chroma < 0.06:
        word, shade = "white", ""
    elif lightness < 0.08:
        word, shade = "black", ""
    elif chroma < 0.07:
        word = "grey"
    elif 14 <= hue < 50 and lightness < 0.5 and chroma < 0.6:
        word, shade = "brown", "dark " if lightness < 0.2 else ""
    elif 14 <= hue < 62 and lightness > 0.68 and chroma < 0.5:
        word, shade = "beige", "light " if lightness > 0.88 else ""
    else:
        word = next(name for end, name in _HUES if hue < end)
    return "%s%s (#%02x%02x%02x)" % ((shade, word) + tuple(rgb))
