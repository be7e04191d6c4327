"""`python -m engine.train.drawings FOLDER`: 400 drawings of flat colours and inked lines, 512 x 512, to train enlargers with.

Drawn four times larger and averaged down, so that their edges are truly clean; published illustrations are compressed, and a
network that learns from them learns the ripples, too. Every fourth is ink on white. The same pictures each time.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

COUNT, SIDE, LARGER = 400, 512, 4
_WIDTHS = (4, 6, 8, 12, 16, 28)  # of lines, in pixels of the large picture

Point = tuple[float, float]
Colour = tuple[int, ...]


def _blob(rng: random.Random, side: int, size: float) -> list[Point]:
    """A closed, wavy curve somewhere in the picture."""
    x, y = rng.uniform(0, side), rng.uniform(0, side)
    waves = [(rng.uniform(0, 0.35) / k, rng.uniform(0, 6.3), k) for k in (2, 3, 5)]
    points = []
    for t in (i * 6.2832 / 160 for i in range(160)):
        radius = size * (1 + sum(a * math.sin(k * t + p) for a, p, k in waves))
        points.append((x + radius * math.cos(t), y + radius * math.sin(t)))
    return points


def drawing(index: int) -> Image.Image:
    """The drawing of that number: RGB, SIDE x SIDE."""
    rng, side, colours = random.Random(index), SIDE * LARGER, bool(index % 4)
    palette: list[Colour] = [(255,) * 3, (0,) * 3, (40,) * 3, (235, 230, 220)]
    if colours:
        palette = [tuple(rng.randrange(256) for _ in range(3)) for _ in range(6)]
    image = Image.new("RGB", (side, side), rng.choice(palette) if colours else (255,) * 3)
    draw = ImageDraw.Draw(image)
    ink = rng.choice([(0, 0, 0), (20, 15, 30), (60, 30, 20), rng.choice(palette)])
    for _ in range(rng.randrange(15, 50)):
        width, kind = rng.choice(_WIDTHS), rng.random()
        points = _blob(rng, side, rng.uniform(60, 600))
        if kind < 0.45 and colours:
            draw.polygon(points, fill=rng.choice(palette))
        if kind < 0.6:
            draw.line([*points, *points[:2]], fill=ink, width=width, joint="curve")
        elif kind < 0.9:
            draw.line(points[: rng.randrange(20, 120)], fill=ink, width=width, joint="curve")
        else:
            _hatching(rng, draw, side, ink, width // 2)
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _hatching(rng: random.Random, draw: ImageDraw.ImageDraw, side: int, ink: Colour, width: int) -> None:
    """Parallel strokes."""
    x, y, step, angle = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(16, 50), rng.uniform(0, 3.14)
    for k in range(rng.randrange(5, 25)):
        left, top = x + k * step * math.cos(angle), y + k * step * math.sin(angle)
        draw.line([(left, top), (left - 200 * math.sin(angle), top + 200 * math.cos(angle))], fill=ink, width=width)


def main(arguments: Sequence[str] | None = None) -> None:
    [folder] = [Path(a) for a in (sys.argv[1:] if arguments is None else arguments)]
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(COUNT):
        drawing(index).save(folder / f"shapes-{index:03}.png")


if __name__ == "__main__":
    main()
