"""`python -m engine.crops docs/pictures`: the pictures of the pages on enlarging and on colours, with the weights that ship.

Photographs that come inside scikit-image, and drawings made here, are made four times smaller, enlarged again by everything
that could do it, and shown at 400 %, side by side with what they were. Others are turned grey and coloured as `pincel evaluate`
does it.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

from engine.api import Engine
from engine.demo import photograph, save_for_docs
from engine.generators import base
from engine.store.cache import ModelCache
from engine.train.degrade import Damage, damaged
from engine.train.evaluate import contact_sheet
from engine.train.evaluation import colorize
from engine.train.evaluation.base import Request, tensor, to_bytes

SCALE = 4
SIDE, ZOOM, HEAD = 64, 4, 18  # of a crop, in pixels of the result; how much larger it is shown; the line of titles
# What is shown: the picture, and the left and top of the part in it.
PLACES = [("chelsea", 160, 90), ("astronaut", 195, 90), ("coffee", 140, 110), ("rocket", 315, 170)]
DAMAGE = Damage(blur=0.8, noise=4, jpeg=60)
CLASSICAL = {"bicubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS}


def drawing() -> Image.Image:
    """A cat of flat colours and inked lines, 256 x 256, drawn eight times larger."""
    n = 8
    image = Image.new("RGB", (256 * n, 256 * n), (250, 243, 224))
    draw = ImageDraw.Draw(image)

    def line(points: Sequence[tuple[float, float]], width: float, fill: tuple[int, int, int] = (25, 20, 40)) -> None:
        draw.line([(x * n, y * n) for x, y in points], fill=fill, width=round(width * n), joint="curve")

    def shape(points: Sequence[tuple[float, float]], fill: tuple[int, int, int], width: float = 2.4) -> None:
        draw.polygon([(x * n, y * n) for x, y in points], fill=fill)
        line([*points, *points[:2]], width)

    def oval(x: float, y: float, across: float, down: float) -> list[tuple[float, float]]:
        turns = (k * math.tau / 90 for k in range(90))
        return [(x + across * math.cos(t), y + down * math.sin(t)) for t in turns]

    shape([(60, 110), (66, 40), (110, 76)], (232, 140, 60))
    shape([(196, 110), (190, 40), (146, 76)], (232, 140, 60))
    shape(oval(128, 140, 84, 76), (240, 156, 72))
    for x in (96, 160):
        shape(oval(x, 126, 17, 21), (255, 255, 255), 2)
        shape(oval(x + 2, 130, 7, 12), (60, 140, 90), 1.5)
    shape([(120, 158), (136, 158), (128, 168)], (210, 90, 100), 1.5)
    line([(128, 168), (128, 178), (116, 188), (106, 184)], 1.8)
    line([(128, 178), (140, 188), (150, 184)], 1.8)
    for side in (-1, 1):
        for k in range(3):
            line([(128 + side * 34, 166 + 6 * k), (128 + side * 100, 152 + 16 * k)], 0.9)
    for k in range(9):
        line([(112 + 4 * k, 66 + abs(k - 4)), (110 + 4.5 * k, 88 - 2 * abs(k - 4))], 0.8, (150, 80, 30))
    return image.resize((256, 256), Image.Resampling.BOX)


def reduced(truth: Image.Image, damage: Damage) -> Image.Image:
    """The picture four times smaller, as the evaluation does it."""
    low = damaged(tensor(np.asarray(truth)), SCALE, damage, torch.Generator().manual_seed(0))
    return Image.fromarray(to_bytes(low))


def sheet(
    engine: Engine, rows: Sequence[tuple[Image.Image, int, int]], damage: Damage, columns: Sequence[str]
) -> Image.Image:
    """A row for each picture, a column for each way to enlarge it, and the truth."""
    step = SIDE * ZOOM + 4
    made = Image.new("RGB", (step * (len(columns) + 1) - 4, HEAD + step * len(rows) - 4), "white")
    draw = ImageDraw.Draw(made)
    for row, (picture, left, top) in enumerate(rows):
        truth = picture.crop((0, 0, picture.width // SCALE * SCALE, picture.height // SCALE * SCALE))
        low = reduced(truth, damage)
        for column, name in enumerate([*columns, "truth"]):
            if name == "truth":
                large = truth
            elif name in CLASSICAL:
                large = low.resize(truth.size, CLASSICAL[name])
            else:
                large = engine.upscale(low, scale=SCALE, generator=name).image
            part = large.crop((left, top, left + SIDE, top + SIDE))
            part = part.resize((SIDE * ZOOM, SIDE * ZOOM), Image.Resampling.NEAREST)
            made.paste(part, (column * step, HEAD + row * step))
            draw.text((column * step + 4, 3), name, fill="black")
    return made


def painted(path: Path, names: Sequence[str] = ("astronaut", "coffee", "chelsea", "rocket")) -> None:
    """The contact sheet of the photo colorizer: grey, three seeds, hints, the result with hints, truth."""
    pictures = []
    for name in names:
        picture = photograph(name).convert("RGB")
        picture.thumbnail((384, 384))
        pictures.append(np.asarray(picture))
    card, name = base.card("yuv_cgan"), "yuv_cgan.photo"
    seeds = {name: {}, **{f"{name}, seed={n}": {"seed": n} for n in (1, 2)}}
    report = colorize.run(Request(name, card, pictures, ModelCache("cpu"), seeds))
    with tempfile.TemporaryDirectory(prefix="pincel-") as folder:
        contact_sheet(report, Path(folder) / "sheet.png", 160)
        with Image.open(Path(folder) / "sheet.png") as sheet:
            save_for_docs(sheet, path)


def main(arguments: Sequence[str] | None = None) -> int:
    [folder] = [Path(a) for a in (sys.argv[1:] if arguments is None else arguments)] or [Path("docs/pictures")]
    photos = [(photograph(name).convert("RGB"), left, top) for name, left, top in PLACES]
    drawings = [(drawing(), left, top) for left, top in ((70, 95), (100, 150), (150, 35))]
    nets = ("swift.x4", "srgan.psnr", "srgan.gan")
    with Engine() as engine:
        for name, rows, damage, columns in (
            ("clean", photos, Damage(), ("bicubic", "lanczos", *nets)),
            ("damaged", photos, DAMAGE, ("bicubic", *nets[1:], "srgan.photo")),
            ("drawing", drawings, Damage(), ("bicubic", "lanczos", *nets[:2], "srgan.art")),
        ):
            save_for_docs(sheet(engine, rows, damage, columns), folder / f"upscale-{name}.webp")
    painted(folder / "colorize-seeds.webp")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
