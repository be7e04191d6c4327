"""Generators from noise: as many pictures as the folder has, with seeds from 0 on, and the two sets compared.

There is no truth for a single picture, so every figure is one of a set beside the folder's own; with features, the Frechet
distance. The first row is the folder's first half against its other half, which no generator can be expected to beat.
With training pictures, the distances to the nearest of them (neighbours.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.generators.base import Card
from engine.imaging.resize import bicubic
from engine.train.evaluation.base import Figures, Report, Request, tensor, to_bytes
from engine.train.evaluation.colorize import grey_of
from engine.train.evaluation.neighbours import Neighbours
from engine.train.metrics import frechet
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.sharpness import sharpness

AT_ONCE = 16  # pictures a request
ACROSS = 4  # columns of each kind on the sheet
SAMPLE = 8  # pictures for the sheet of several generators


def least(card: Card) -> int:
    """The shortest side in pixels of a picture that can be compared: any is brought to the generator's size."""
    return 1


def square(picture: np.ndarray, side: int) -> np.ndarray:
    """The middle of a picture [H, W, 3] uint8, brought to side x side."""
    height, width = picture.shape[:2]
    least = min(height, width)
    top, left = (height - least) // 2, (width - least) // 2
    return to_bytes(bicubic(tensor(picture[top : top + least, left : left + least]), side, side))


def figures_of(results: Sequence[np.ndarray], truths: Sequence[np.ndarray], request: Request) -> Figures:
    """Means over each set, and the Frechet distance between the two."""
    found: Figures = {}
    for ending, pictures in (("", results), ("_truth", truths)):
        seen = [tensor(p) for p in pictures]
        found[f"chroma{ending}"] = float(np.mean([chroma(p) for p in seen]))
        found[f"colorfulness{ending}"] = float(np.mean([colorfulness(p[0]) for p in seen]))
        found[f"sharpness{ending}"] = float(np.mean([sharpness(p[0]) for p in seen]))
    if request.features is not None and min(len(results), len(truths)) > 1:
        both = (frechet.vectors(request.features, (tensor(p)[0] for p in ps)) for ps in (results, truths))
        found[frechet.title(request.features)] = frechet.distance(*both)
    return found


def run(request: Request) -> Report:
    """Rows: one half of the folder against the other, then each setting; the folder's pictures are cut to squares."""
    report = Report({}, ("generated",) * ACROSS + ("folder",) * ACROSS)
    count = len(request.pictures)
    for title, options in request.settings.items():
        results: list[np.ndarray] = []
        while len(results) < count:
            some = {"seed": len(results), "count": min(AT_ONCE, count - len(results))}
            results += request.run(None, {**options, **some})
            request.tell(f"{len(results)} of {count}")
        truths = [square(picture, results[0].shape[0]) for picture in request.pictures]
        grey = results[0].shape[2] == 1
        if grey:  # a grey network is compared with the folder in grey
            results, truths = ([picture.repeat(3, 2) for picture in ps] for ps in (results, map(grey_of, truths)))
        if not report.rows:
            if count > 1:
                report.rows["half the folder"] = figures_of(truths[::2], truths[1::2], request)
            shown = request.shown()
            for start in range(0, len(shown) - len(shown) % ACROSS or len(shown), ACROSS):
                numbers = shown[start : start + ACROSS]
                blank = [np.full_like(truths[0], 255)] * (ACROSS - len(numbers))
                made, real = [results[i] for i in numbers], [truths[i] for i in numbers]
                report.sheet.append((*made, *blank, *real, *blank))
            report.sample = results[:SAMPLE]
        report.rows[title] = figures_of(results, truths, request)
        if request.training:
            known = [square(picture, results[0].shape[0]) for picture in request.training]
            known = [grey_of(picture).repeat(3, 2) for picture in known] if grey else known
            neighbours = Neighbours(known, request.features)
            report.rows[title] |= neighbours.figures(results, truths)
            report.others.setdefault("neighbours", neighbours.sheet(results))
    return report
