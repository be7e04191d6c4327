"""Heusel 2017, "GANs Trained by a Two Time-Scale Update Rule": the Frechet distance of two sets of pictures' features.

The paper's is Inception's (FID). Here the network is the one that the caller names, and its name belongs to the figure:
"Frechet SqueezeNet distance". Figures of different networks, or of sets of different sizes, do not compare.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from engine.imaging.hsv import rgb_to_xyv
from engine.nn.perceptual import Features

SIDE = 17  # pixels a side that a feature network needs


def distance(one: Tensor, other: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two sets of vectors [N, D], [M, D], seen as two Gaussians.

    Sample covariances (N - 1). Needs two vectors at least; with fewer vectors than D it is small for any two like sets.
    """
    one, other = one.double(), other.double()
    c1, c2 = (torch.atleast_2d(torch.cov(x.T)) for x in (one, other))
    # The trace of (C1 C2)^(1/2) is that of (S C2 S)^(1/2) with S = C1^(1/2): symmetric, so eigenvalues give it.
    values, vectors = torch.linalg.eigh(c1)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ c2 @ root).clamp_min(0).sqrt().sum()
    means = (one.mean(0) - other.mean(0)).square().sum()
    return max(0.0, float(means + c1.trace() + c2.trace() - 2 * cross))


@torch.no_grad()
def vectors(features: Features, pictures: Iterable[Tensor]) -> Tensor:
    """The coarsest map of each RGB picture [3, H, W] in [0, 1], averaged over its positions: [N, channels]."""
    rows = []
    for picture in pictures:
        seen = picture[None].float()
        maps = features(rgb_to_xyv(seen) if features.space == "xyv" else seen)
        rows.append((maps[-1] * features.scale[-1]).mean((2, 3))[0])
    return torch.stack(rows)


def title(features: Features) -> str:
    """What the figure is called."""
    return f"Frechet {features.title} distance"
