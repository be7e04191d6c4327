"""`python -m engine.lineart docs/pictures`: the pictures of docs/quality-lineart.md, with the weights that ship.

Five line drawings made here, as by five hands: a fine pen, a broad marker, a pencil on grey paper, broken lines with hatching,
and many small shapes; lines waver and do not always close. Each is coloured by dots, by patches that do not keep to the
lines, and by two seeds.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from engine.api import Engine
from engine.demo import save_for_docs

# Pixels of a drawing; drawn so much larger; of a picture on the sheet; titles.
SIDE, LARGER, SHOWN, HEAD = 512, 3, 240, 18

Point = tuple[float, float]
Hint = tuple[float, float, tuple[int, int, int]]  # where, in 0..100, and the colour


class Hand:
    """A pen in a hand: strokes through points in 0..100, that waver, swell and stop early.

    width: of strokes, in the drawing's pixels; shake: how far they waver, in hundredths; gap: the share of a stroke that is
    missing at its end; ink, paper: brightness, 0..255.
    """

    def __init__(self, seed: int, width: float, shake: float, gap: float = 0.0, ink: int = 0, paper: int = 255) -> None:
        self.rng = random.Random(seed)
        self.width, self.shake, self.gap, self.ink = width, shake, gap, ink
        self.image = Image.new("L", (SIDE * LARGER,) * 2, paper)
        self.draw = ImageDraw.Draw(self.image)

    def stroke(self, points: Sequence[Point], width: float = 1.0) -> None:
        """One stroke of `width` times the pen's."""
        scale, phase = SIDE * LARGER / 100, [self.rng.uniform(0, math.tau) for _ in range(4)]
        smooth = _smooth(points)
        count = max(2, round(len(smooth) * (1 - self.gap * self.rng.random())))
        for k, (x, y) in enumerate(smooth[:count]):
            x += self.shake * math.sin(k / 17 + phase[0]) + 0.4 * self.shake * math.sin(k / 5 + phase[1])
            y += self.shake * math.cos(k / 13 + phase[2])
            radius = self.width * width * LARGER / 2 * (0.8 + 0.35 * math.sin(k / 29 + phase[3]))
            self.draw.ellipse(
                [x * scale - radius, y * scale - radius, x * scale + radius, y * scale + radius], self.ink
            )

    def oval(self, x: float, y: float, across: float, down: float, width: float = 1.0, turn: float = 0.0) -> None:
        """A closed curve that overlaps its own beginning a little."""
        turns = [turn + math.tau * k / 24 for k in range(26)]
        self.stroke([(x + across * math.cos(t), y + down * math.sin(t)) for t in turns], width)

    def done(self) -> Image.Image:
        return self.image.resize((SIDE, SIDE), Image.Resampling.BOX)


def _smooth(points: Sequence[Point]) -> list[Point]:
    """A curve through the points (Catmull 1974), in steps of a fifth of a hundredth."""
    ends = [points[0], *points, points[-1]]
    made: list[Point] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        steps = max(1, round(math.dist(b, c) * 5))
        for t in (k / steps for k in range(steps)):
            weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2)
            x, y = (sum(w * p[axis] for w, p in zip(weights, (a, b, c, d), strict=True)) / 2 for axis in (0, 1))
            made.append((x, y))
    return [*made, points[-1]]


def cat() -> tuple[Image.Image, list[Hint]]:
    hand = Hand(1, 2.2, 0.3)
    hand.oval(50, 58, 30, 27, turn=1.2)
    for side in (-1, 1):
        hand.stroke([(50 + side * 26, 44), (50 + side * 27, 30), (50 + side * 25, 14)])
        hand.stroke([(50 + side * 25, 14), (50 + side * 17, 23), (50 + side * 9, 33)])
        hand.oval(50 + side * 12, 53, 6, 7.5)
        hand.oval(50 + side * 11.5, 54, 2.2, 4.5)
        for k in range(3):
            hand.stroke([(50 + side * 14, 66 + 2 * k), (50 + side * 40, 60 + 6 * k)], 0.6)
    hand.stroke([(47, 64), (53, 64), (50, 67.5), (47, 64)])
    hand.stroke([(50, 68), (49, 72), (44, 74), (41, 72)])
    hand.stroke([(50, 68), (51, 72), (56, 74), (59, 72)])
    orange, white, green = (236, 150, 70), (250, 248, 240), (96, 168, 96)
    return hand.done(), [
        (50, 40, orange), (30, 66, orange), (26, 28, (214, 120, 60)), (74, 28, (214, 120, 60)), (34, 55, white),
        (67, 55, white), (38.5, 51, green), (61.5, 51, green), (50, 65.5, (220, 120, 130)), (50, 80, (246, 224, 196)),
        (8, 10, (160, 200, 226)),
    ]  # fmt: skip


def fish() -> tuple[Image.Image, list[Hint]]:
    hand = Hand(2, 7, 0.5)
    hand.stroke(
        [(12, 50), (30, 28), (55, 28), (72, 48), (90, 28), (86, 50), (90, 74), (72, 52), (55, 74), (30, 72), (12, 50)]
    )
    hand.stroke([(36, 30), (42, 50), (36, 71)])
    hand.stroke([(46, 28), (56, 12), (66, 18), (64, 34)])
    hand.oval(26, 44, 4, 4)
    for x, y, r in ((12, 24, 4), (20, 12, 3), (8, 80, 5)):
        hand.oval(x, y, r, r, 0.6)
    blue = (150, 206, 224)
    return hand.done(), [
        (27, 60, (250, 216, 90)), (52, 50, (232, 96, 72)), (82, 48, (246, 160, 64)), (57, 20, (246, 160, 64)),
        (26, 44, (40, 40, 48)), (50, 90, blue), (90, 10, blue), (12, 24, (236, 246, 250)),
    ]  # fmt: skip


def house() -> tuple[Image.Image, list[Hint]]:
    hand = Hand(3, 1.8, 0.35, ink=120, paper=214)
    hand.stroke([(22, 48), (22, 82), (64, 82), (64, 47)])
    for line in ([(16, 50), (43, 24), (70, 50)], [(22, 48), (64, 47)], [(54, 34), (54, 22), (60, 22), (60, 40)]):
        for a, b in itertools.pairwise(line):
            hand.stroke([a, b])
    hand.stroke([(38, 82), (38, 62), (48, 62), (48, 82)])
    for x in (26, 53):
        hand.stroke([(x, 55), (x + 8, 55), (x + 8, 64), (x, 64), (x, 55)])
        hand.stroke([(x + 4, 55), (x + 4, 64)], 0.6)
    hand.stroke([(80, 82), (81, 66), (79, 56)])
    hand.stroke([(85, 82), (84, 66), (86, 56)])
    hand.oval(82, 44, 13, 14)
    hand.stroke([(2, 83), (30, 82), (60, 83), (98, 82)])
    hand.oval(14, 16, 7, 7)
    for k in range(9):
        angle = math.tau * k / 9
        hand.stroke(
            [
                (14 + 9 * math.cos(angle), 16 + 9 * math.sin(angle)),
                (14 + 12 * math.cos(angle), 16 + 12 * math.sin(angle)),
            ]
        )
    return hand.done(), [
        (32, 74, (244, 224, 180)), (43, 36, (186, 76, 60)), (43, 72, (120, 84, 60)), (28, 60, (180, 216, 232)),
        (59, 60, (180, 216, 232)), (57, 27, (150, 110, 96)), (82, 44, (92, 150, 76)), (82, 70, (130, 92, 60)),
        (14, 16, (252, 220, 90)), (50, 10, (170, 208, 240)), (50, 92, (150, 190, 100)),
    ]  # fmt: skip


def mushroom() -> tuple[Image.Image, list[Hint]]:
    hand = Hand(4, 2.6, 0.3, gap=0.12)
    hand.stroke([(14, 48), (22, 24), (50, 12), (78, 24), (86, 48)])
    hand.stroke([(86, 48), (66, 56), (50, 57), (34, 56), (14, 48)])
    hand.stroke([(39, 57), (40, 74), (35, 88), (50, 91), (66, 88), (60, 74), (61, 57)])
    for x, y, r in ((36, 30, 5), (56, 24, 6), (68, 40, 4.5), (44, 44, 4)):
        hand.oval(x, y, r, r * 0.9)
    for k in range(9):
        hand.stroke([(57 + 0.3 * k, 60 + 3 * k), (60 + 0.2 * k, 58 + 3 * k)], 0.5)
    for k in range(14):
        hand.stroke([(4 + 7 * k, 94), (5 + 7 * k, 86 - k % 3)], 0.7)
    return hand.done(), [
        (26, 34, (206, 52, 48)), (76, 34, (206, 52, 48)), (36, 30, (250, 246, 236)), (56, 24, (250, 246, 236)),
        (68, 40, (250, 246, 236)), (44, 44, (250, 246, 236)), (48, 76, (240, 226, 196)), (8, 20, (190, 220, 196)),
        (20, 91, (110, 150, 80)), (80, 91, (110, 150, 80)),
    ]  # fmt: skip


def balloons() -> tuple[Image.Image, list[Hint]]:
    hand, rng, hints = Hand(5, 1.6, 0.15), random.Random(5), []
    colours = [
        (226, 70, 74),
        (248, 190, 60),
        (92, 168, 90),
        (74, 130, 206),
        (164, 96, 176),
        (240, 140, 60),
        (90, 190, 190),
    ]
    places = [(20, 22), (38, 14), (57, 20), (76, 16), (30, 40), (50, 38), (70, 40)]
    for k, (x, y) in enumerate(places):
        hand.oval(x, y, 7.5, 9.5, turn=rng.random() * 6)
        hand.stroke([(x, y + 9.5), (x + rng.uniform(-2, 2), (y + 82) / 2), (50, 78)], 0.6)
        hints.append((float(x), float(y), colours[k]))
    hand.stroke([(42, 78), (58, 78), (56, 92), (44, 92), (42, 78)])
    for k in range(3):
        hand.stroke([(43 + k / 4, 81 + 3.5 * k), (57.5 - k / 4, 81 + 3.5 * k)], 0.5)
    return hand.done(), [
        *hints,
        (50, 80, (190, 140, 84)),
        (50, 87, (190, 140, 84)),
        (8, 60, (214, 234, 246)),
        (92, 70, (214, 234, 246)),
    ]


DRAWINGS = (cat, fish, house, mushroom, balloons)


def layer(hints: Sequence[Hint], radius: float) -> Image.Image:
    """A hints layer with a disc of `radius` hundredths in each place."""
    made = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    draw, unit = ImageDraw.Draw(made), SIDE / 100
    for x, y, colour in hints:
        draw.ellipse(
            [(x - radius) * unit, (y - radius) * unit, (x + radius) * unit, (y + radius) * unit], (*colour, 255)
        )
    return made


def sheet(engine: Engine, drawings: Sequence[tuple[Image.Image, list[Hint]]]) -> Image.Image:
    """A row for each drawing: with its dots, coloured by them, by patches four times as wide, by two seeds."""
    columns = ("drawing and dots", "by the dots", "by wide patches", "no hints, seed 1", "no hints, seed 2")
    step = SHOWN + 4
    made = Image.new("RGB", (step * len(columns) - 4, HEAD + step * len(drawings) - 4), "white")
    draw = ImageDraw.Draw(made)
    for row, (lines, hints) in enumerate(drawings):
        dots = layer(hints, 1.0)
        pictures = [Image.alpha_composite(lines.convert("RGBA"), layer(hints, 1.4)).convert("RGB")]
        pictures += [engine.sketch(np.asarray(lines), hints=np.asarray(h)).image for h in (dots, layer(hints, 4.0))]
        pictures += [engine.sketch(np.asarray(lines), seed=seed).image for seed in (1, 2)]
        for column, picture in enumerate(pictures):
            made.paste(picture.resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (column * step, HEAD + row * step))
    for column, title in enumerate(columns):
        draw.text((column * step + 4, 3), title, fill="black")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    [folder] = [Path(a) for a in (sys.argv[1:] if arguments is None else arguments)] or [Path("docs/pictures")]
    with Engine() as engine:
        save_for_docs(sheet(engine, [drawn() for drawn in DRAWINGS]), folder / "lineart.webp")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
