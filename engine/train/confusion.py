"""The discriminator's confusion matrix as a picture: truth against verdict, in counts and per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.train.meters import COUNTS

_CELL, _LEFT, _TOP = 130, 90, 86


def confusion_picture(matrices: Sequence[tuple[str, Mapping[str, float]]]) -> np.ndarray:
    """Matrices side by side, each (title, counts by "confusion/TRUTH_VERDICT") -> u8 [H, W, 3].

    Per cent are of the row: of all that was real (fake), how much was taken for real and for fake.
    """
    width, height = _LEFT + 2 * _CELL + 20, _TOP + 2 * _CELL + 20
    picture = Image.new("RGB", (width * len(matrices), height), "white")
    draw = ImageDraw.Draw(picture)
    for index, (title, counts) in enumerate(matrices):
        _draw(draw, width * index, title, counts)
    return np.asarray(picture)


def _draw(draw: ImageDraw.ImageDraw, left: int, title: str, counts: Mapping[str, float]) -> None:
    large, small = ImageFont.load_default(17), ImageFont.load_default(13)
    right = sum(counts.get(f"{COUNTS}{name}_{name}", 0) for name in ("real", "fake"))
    total = sum(counts.get(f"{COUNTS}{a}_{b}", 0) for a in ("real", "fake") for b in ("real", "fake"))
    said = f"{title}: {100 * right / total:.1f} % right" if total else title
    draw.text((left + _LEFT + _CELL, 20), said, "black", large, anchor="mm")
    for row, truth in enumerate(("real", "fake")):
        middle = _TOP + row * _CELL + _CELL // 2
        draw.text((left + _LEFT - 8, middle), f"is {truth}", "black", small, anchor="rm")
        in_row = sum(counts.get(f"{COUNTS}{truth}_{verdict}", 0) for verdict in ("real", "fake"))
        for column, verdict in enumerate(("real", "fake")):
            x, y = left + _LEFT + column * _CELL, _TOP + row * _CELL
            number = counts.get(f"{COUNTS}{truth}_{verdict}", 0)
            share = number / in_row if in_row else 0.0
            shade = tuple(round(255 + share * (c - 255)) for c in (40, 90, 160))
            draw.rectangle((x, y, x + _CELL - 3, y + _CELL - 3), shade)
            ink = "white" if share > 0.5 else "black"
            draw.text((x + _CELL // 2, y + _CELL // 2 - 12), f"{number:.0f}", ink, large, anchor="mm")
            draw.text((x + _CELL // 2, y + _CELL // 2 + 14), f"{100 * share:.1f} %", ink, small, anchor="mm")
            if row == 0:
                draw.text((x + _CELL // 2, _TOP - 14), f"taken for {verdict}", "black", small, anchor="mm")
