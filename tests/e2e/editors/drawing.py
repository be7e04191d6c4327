"""A line drawing made by code: a house on a hill, a tree, the sun, a boat on the water; and colours for its parts."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

SIZE = (480, 360)
LINE = 2.4
# Strokes on the drawing: where they begin and end, and their colour.
STROKES = {
    "sky": ((60, 40), (165, 30), (120, 180, 235)),
    "sky on the left": ((10, 190), (22, 205), (120, 180, 235)),
    "sky in the middle": ((240, 140), (300, 130), (120, 180, 235)),
    "sky on the right": ((400, 150), (460, 140), (120, 180, 235)),
    "sun": ((392, 60), (408, 60), (250, 205, 60)),
    "cloud": ((250, 70), (300, 70), (250, 250, 252)),
    "roof": ((145, 135), (195, 135), (190, 60, 45)),
    "sky above the house": ((215, 98), (235, 112), (120, 180, 235)),
    "wall": ((154, 165), (186, 168), (245, 225, 185)),
    "wall on the left": ((130, 200), (148, 215), (245, 225, 185)),
    "wall on the right": ((196, 200), (207, 215), (245, 225, 185)),
    "door": ((173, 205), (173, 222), (110, 70, 40)),
    "left window": ((137, 173), (139, 178), (150, 205, 235)),
    "right window": ((201, 173), (203, 178), (150, 205, 235)),
    "crown": ((30, 130), (70, 125), (60, 140, 60)),
    "trunk": ((49, 190), (50, 215), (115, 75, 45)),
    "meadow": ((66, 250), (260, 258), (130, 185, 75)),
    "far hill": ((250, 220), (300, 225), (95, 150, 110)),
    "far hill on the right": ((400, 235), (465, 225), (95, 150, 110)),
    "water": ((40, 325), (440, 338), (50, 110, 175)),
    "large sail": ((352, 225), (362, 245), (245, 235, 210)),
    "small sail": ((330, 235), (328, 250), (245, 235, 210)),
    "hull": ((325, 277), (372, 277), (200, 70, 60)),
}


def line_art(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Black lines on white, u8 [H, W]; size: width and height, 4 to 3."""
    times = 4 * size[0] / SIZE[0]
    picture = Image.new("L", (round(SIZE[0] * times), round(SIZE[1] * times)), 255)
    pen = ImageDraw.Draw(picture)

    def scaled(points):
        return [(x * times, y * times) for x, y in points]

    def line(points):
        pen.line(scaled(points), fill=0, width=round(LINE * times), joint="curve")

    def shape(points):
        pen.polygon(scaled(points), fill=255)
        line([*points, points[0], points[1]])

    def round_shape(x, y, rx, ry, bumps=0, depth=0.0):
        points = []
        for angle in (math.radians(a) for a in range(0, 360, 3)):
            out = 1 - depth * (1 - abs(math.sin(bumps * angle / 2)))
            points.append((x + rx * out * math.cos(angle), y + ry * out * math.sin(angle)))
        shape(points)

    def curve(height, swing, length, begin, x0=-8, x1=488):
        return [(x, height - swing * math.sin(x / length + begin)) for x in range(x0, x1, 4)]

    # What lies in front is drawn later: hills, meadow, water; sun and cloud; house; tree; boat.
    far = curve(195, 14, 48, 2.6, 180)
    shape([*far, (488, 280), (180, 280)])
    meadow = curve(232, 16, 90, 0.3, -8, 330)
    shape([*meadow, (330, 272), (-8, 272)])
    water = [(x, 272 - 4 * math.sin(x / 14)) for x in range(-8, 489, 2)]
    shape([*water, (488, 368), (-8, 368)])
    for x, y in ((60, 300), (180, 292), (240, 318), (420, 300), (120, 345), (330, 350)):
        line([(x + t, y - 3 * math.sin(t / 7)) for t in range(0, 44, 2)])
    round_shape(400, 60, 26, 26)
    for a in range(0, 360, 30):
        c, s = math.cos(math.radians(a)), math.sin(math.radians(a))
        line([(400 + 34 * c, 60 + 34 * s), (400 + 46 * c, 60 + 46 * s)])
    round_shape(275, 70, 56, 30, bumps=7, depth=0.28)
    shape([(120, 155), (215, 155), (215, 232), (120, 232)])
    shape([(105, 157), (135, 112), (202, 112), (230, 157)])
    shape([(160, 190), (186, 190), (186, 232), (160, 232)])
    for left in (130, 194):
        shape([(left, 167), (left + 16, 167), (left + 16, 184), (left, 184)])
    shape([(185, 90), (200, 90), (200, 112), (185, 112)])
    shape([(43, 160), (57, 160), (61, 238), (38, 238)])
    round_shape(50, 130, 40, 48, bumps=9, depth=0.2)
    line([(340, 268), (340, 196)])
    shape([(344, 200), (385, 254), (344, 256)])
    shape([(336, 206), (336, 256), (312, 254)])
    shape([(300, 266), (396, 266), (378, 288), (318, 288)])
    return np.asarray(picture.resize(size, Image.Resampling.BOX))


def hints(size: tuple[int, int] = SIZE, width: float = 7) -> np.ndarray:
    """The strokes on nothing, u8 [H, W, 4]: opaque or fully transparent."""
    times = size[0] / SIZE[0]
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    for (x, y), (u, v), colour in STROKES.values():
        pen.line([x * times, y * times, u * times, v * times], fill=(*colour, 255), width=round(width * times))
    return np.asarray(picture)


def each(strokes: np.ndarray, size: tuple[int, int] = SIZE, width: float = 7):
    """(name, mask [H, W]) of each stroke of hints()."""
    times = size[0] / SIZE[0]
    for name, ((x, y), (u, v), _) in STROKES.items():
        picture = Image.new("L", size, 0)
        ImageDraw.Draw(picture).line([x * times, y * times, u * times, v * times], fill=1, width=round(width * times))
        yield name, (np.asarray(picture) > 0) & (strokes[..., 3] > 0)
