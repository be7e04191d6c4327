"""Whether a generator copies: how far its pictures are from the nearest ones that it learned from.

A distance alone says little, so the same is asked of pictures that were never trained on: a copy would be much nearer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.nn.perceptual import Features
from engine.train.evaluation.base import Figures, Report, tensor
from engine.train.metrics import frechet

SAMPLES, NEAREST = 8, 3  # rows of the sheet, and training pictures in each


class Neighbours:
    """Training pictures, all [S, S, 3] uint8, and their mirror images, for trainings mirror them.

    Distances: root mean square of the pixels' differences, 0 to 1; with features, also between the means over the coarsest
    map, and it is these that choose the neighbours shown.
    """

    def __init__(self, training: Sequence[np.ndarray], features: Features | None = None) -> None:
        self.pictures = [*training, *(np.ascontiguousarray(picture[:, ::-1]) for picture in training)]
        self.features = features
        self._known = self._described(self.pictures)

    def _described(self, pictures: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """The vectors between which distances are measured, by the distance's name: [N, D] each."""
        flat = torch.cat([tensor(picture).flatten(1) for picture in pictures])
        found = {"pixels": flat / flat.shape[1] ** 0.5}
        if self.features is not None:
            found["features"] = frechet.vectors(self.features, (tensor(picture)[0] for picture in pictures))
        return found

    def distances(self, pictures: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """From each of the pictures to every training picture: [N, M] for each kind of distance."""
        found = self._described(pictures)
        exact = "donot_use_mm_for_euclid_dist"  # the quick way rounds small distances away
        return {name: torch.cdist(found[name], known, compute_mode=exact) for name, known in self._known.items()}

    def figures(self, made: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> Figures:
        """Mean and least distance of generated pictures, and of the folder's, to the nearest training picture."""
        found: Figures = {}
        for ending, pictures in (("", made), ("_truth", truths)):
            for name, distances in self.distances(pictures).items():
                nearest = distances.amin(1)
                found[f"neighbour_{name}{ending}"] = float(nearest.mean())
                found[f"neighbour_{name}_least{ending}"] = float(nearest.min())
        return found

    def sheet(self, made: Sequence[np.ndarray]) -> Report:
        """The first generated pictures, each beside the training pictures nearest to it."""
        shown = list(made[:SAMPLES])
        distances = list(self.distances(shown).values())[-1]
        nearest = distances.topk(min(NEAREST, len(self.pictures)), 1, largest=False).indices.tolist()
        rows: list[Sequence[np.ndarray]] = [
            (picture, *(self.pictures[i] for i in row)) for picture, row in zip(shown, nearest, strict=True)
        ]
        return Report({}, ("generated", *("nearest in training",) * (len(rows[0]) - 1)), rows)
