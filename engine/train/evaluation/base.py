"""What the evaluations of all tasks share: pictures, settings, figures and their means, a report.

Pictures are [H, W, 3] uint8 arrays here. Everything is made by the very tasks that users run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import tasks
from engine.client.errors import InputMissing
from engine.generators.base import Card
from engine.imaging.resize import bicubic
from engine.nn.perceptual import Features
from engine.store.cache import ModelCache
from engine.tasks.base import Picture, Reporter
from engine.train.arguments import located
from engine.train.data import decoded, pictures_in
from engine.train.degrade import Damage
from engine.train.metrics import frechet

Figures = dict[str, float]
SHOWN = 24  # pictures on a contact sheet


@dataclass
class Request:
    """What to measure. settings: a title and the task's options for each row of the table that the generator gets."""

    name: str  # of the weights: "srgan.psnr"
    card: Card
    pictures: Sequence[np.ndarray]
    models: ModelCache
    settings: Mapping[str, Mapping[str, Any]]
    features: Features | None = None
    tell: Callable[[str], None] = lambda text: None
    damage: Damage = field(default_factory=Damage)
    training: Sequence[np.ndarray] = ()  # pictures that the generator learned from, to look for copies

    def run(self, source: np.ndarray | None, options: Mapping[str, Any], **extras: Any) -> list[np.ndarray]:
        """The task's results for one source, or without one, with these options."""
        given = {key: Picture(value) if isinstance(value, np.ndarray) else value for key, value in extras.items()}
        chosen = {"generator": self.name, **options}
        shown = None if source is None else Picture(source)
        done = tasks.run(self.card.task, shown, chosen, self.models, Reporter(), **given)
        return [picture.array for picture in done.pictures]

    def shown(self) -> list[int]:
        """The numbers of the pictures for the contact sheet, evenly picked."""
        count = len(self.pictures)
        return sorted({i * count // SHOWN for i in range(SHOWN)}) if count > SHOWN else list(range(count))


@dataclass
class Report:
    """rows: figures by method. columns: the titles of the sheet's columns. sheet: a row of pictures for each one shown.

    sample: some results for a sheet of several generators. others: further sheets, by the ending of their files' names.
    """

    rows: dict[str, Figures]
    columns: Sequence[str]
    sheet: list[Sequence[np.ndarray]] = field(default_factory=list)
    sample: Sequence[np.ndarray] = ()
    others: dict[str, Report] = field(default_factory=dict)


class Tally:
    """The figures of one method, picture by picture, and their means; with features, the Frechet distance of all of them."""

    def __init__(self, features: Features | None = None) -> None:
        self.features = features
        self.rows: list[Figures] = []
        self._vectors: dict[str, list[Tensor]] = {"result": [], "truth": []}

    def add(self, result: np.ndarray, truth: np.ndarray, figures: Figures) -> None:
        self.rows.append(figures)
        if self.features is not None:
            for name, picture in (("result", result), ("truth", truth)):
                self._vectors[name].append(frechet.vectors(self.features, [tensor(picture)[0]])[0])

    def means(self) -> Figures:
        """The mean of every figure over the pictures that have it; infinite only where it is nowhere finite."""
        found: Figures = {}
        for name in dict.fromkeys(name for row in self.rows for name in row):
            values = [row[name] for row in self.rows if name in row]
            found[name] = float(np.mean([v for v in values if math.isfinite(v)] or values[:1]))
        if self.features is not None and len(self.rows) > 1:
            both = (torch.stack(self._vectors[name]) for name in ("result", "truth"))
            found[frechet.title(self.features)] = frechet.distance(*both)
        return found


def level(tallies: Sequence[Tally]) -> None:
    """Take figures that are infinite for one method (PSNR of a blank picture, which bicubic gives back exactly) from all of
    them, or the methods' means would be of different pictures; but where none would be left. The tallies hold the same
    pictures in the same order.
    """
    pictures = list(zip(*(tally.rows for tally in tallies), strict=True))
    for name in {name for rows in pictures for row in rows for name in row}:
        odd = [rows for rows in pictures if not all(math.isfinite(row.get(name, 0.0)) for row in rows)]
        if len(odd) < len(pictures):
            for row in (row for rows in odd for row in rows):
                row.pop(name, None)


def load(
    folder: str, size: int | None = None, limit: int | None = None, least: int = 1
) -> tuple[list[np.ndarray], int]:
    """The pictures of DIR or DIR:PATTERN, evenly picked up to `limit`, the shortest side brought down to `size`; and how many
    of the picked ones are left out, because they cannot be read or have fewer than `least` pixels a side.

    Raises InputMissing where there are none, or all are left out.
    """
    files = pictures_in(*located(folder))
    if limit and limit < len(files):
        files = [files[i * len(files) // limit] for i in range(limit)]
    pictures = []
    for file in files:
        array = decoded(file)
        if array is None:
            continue
        factor = size / min(array.shape[:2]) if size else 1
        if factor < 1:
            height, width = (max(size or 1, round(side * factor)) for side in array.shape[:2])
            array = to_bytes(bicubic(tensor(array), height, width))
        if min(array.shape[:2]) >= least:
            pictures.append(array)
    if not pictures:
        large = f" and is at least {least} pixels high and wide" if least > 1 else ""
        raise InputMissing(
            f"None of {len(files)} pictures in {folder} can be read{large}.",
            "Give pictures that are not damaged" + (f", of {least} pixels a side or more." if large else "."),
        )
    return pictures, len(files) - len(pictures)


def tensor(array: np.ndarray) -> Tensor:
    """[H, W, C] uint8 -> [1, C, H, W] in [0, 1]."""
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 255.0


def to_bytes(picture: Tensor) -> np.ndarray:
    """[1, C, H, W] in [0, 1] -> [H, W, C] uint8."""
    array: np.ndarray = (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
    return array
