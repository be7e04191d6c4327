"""`python -m engine.clipart OPENCLIPART docs/pictures`: five drawings of other hands, coloured by the weights that ship.

OPENCLIPART is the folder of the Open Clip Art Library's PNG pictures (public domain), release 0.18, as Debian's package
openclipart-png holds it in usr/share/openclipart/png. The pictures themselves are no part of this repository.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from engine.api import Engine
from engine.demo import save_for_docs
from engine.lineart import SIDE, Hint, sheet

MARGIN = 0.04  # of the sheet's side, around a drawing
ORANGE, CREAM, RED, SKIN = (240, 160, 70), (252, 238, 210), (206, 70, 52), (246, 208, 178)
FUR, PINK, ROSE, WHITE = (178, 146, 116), (236, 176, 176), (226, 120, 160), (250, 248, 240)
GRASS, SKY, STEEL, HAIR = (206, 226, 170), (200, 224, 242), (170, 184, 194), (150, 100, 66)

# Each drawing with dots of colour: where, in hundredths of the sheet, and which.
DRAWINGS: dict[str, list[Hint]] = {
    "animals/mammals/big_cats/b_w_tiger_susan_park_01.png": [
        (35, 20, ORANGE), (34, 42, ORANGE), (52, 75, ORANGE), (33, 68, ORANGE), (65, 25, ORANGE), (60, 46, CREAM),
        (45, 58, CREAM), (88, 60, GRASS), (8, 15, GRASS), (8, 85, GRASS), (88, 8, GRASS), (75, 90, GRASS),
    ],
    "animals/mammals/coniglio_architetto_fran_01.png": [
        (40, 52, FUR), (18, 60, FUR), (62, 72, FUR), (80, 38, FUR), (68, 24, PINK), (7, 87, WHITE), (20, 15, GRASS),
        (92, 12, GRASS), (92, 75, GRASS), (50, 95, GRASS),
    ],
    "animals/crawfish2_bw_ganson.png": [
        (50, 12, RED), (63, 10, RED), (75, 17, RED), (79, 28, RED), (57, 36, RED), (47, 42, RED), (33, 78, RED),
        (57, 85, RED), (66, 55, ORANGE), (42, 10, ORANGE), (15, 20, SKY), (90, 85, SKY), (92, 10, SKY), (10, 90, SKY),
        (50, 75, SKY),
    ],
    "people/fata_fatina_architetto_f_01.png": [
        (52, 9, HAIR), (58, 15, HAIR), (61, 22, SKIN), (40, 62, ROSE), (62, 65, ROSE), (52, 60, WHITE),
        (38, 36, ROSE), (70, 40, ROSE), (55, 37, CREAM), (31, 10, ORANGE), (29, 28, SKIN), (75, 27, SKIN),
        (90, 20, SKY), (10, 50, SKY), (92, 85, SKY), (8, 92, SKY), (42, 8, SKY),
    ],
    "unsorted/fattoria.png": [
        (65, 37, RED), (50, 60, RED), (82, 60, RED), (46, 75, RED), (65, 49, WHITE), (62, 75, WHITE), (69, 75, WHITE),
        (30, 60, STEEL), (36, 28, STEEL), (15, 10, SKY), (85, 10, SKY), (10, 50, SKY), (92, 60, SKY), (15, 74, CREAM),
        (10, 92, GRASS), (90, 92, GRASS),
    ],
}  # fmt: skip


def drawing(path: Path) -> Image.Image:
    """A picture in grey on white paper, SIDE pixels square."""
    with Image.open(path) as image:
        image = image.convert("RGBA")
    paper = Image.new("RGBA", image.size, "white")
    paper.alpha_composite(image)
    factor = SIDE * (1 - 2 * MARGIN) / max(paper.size)
    size = (round(paper.width * factor), round(paper.height * factor))
    made = Image.new("L", (SIDE, SIDE), 255)
    grey = paper.convert("L").resize(size, Image.Resampling.LANCZOS)
    made.paste(grey, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    source, target = (Path(a) for a in (sys.argv[1:] if arguments is None else arguments))
    with Engine() as engine:
        made = sheet(engine, [(drawing(source / name), hints) for name, hints in DRAWINGS.items()])
    save_for_docs(made, target / "lineart-real.webp")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
