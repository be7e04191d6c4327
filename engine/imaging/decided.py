"""Hints that decide: to every pixel the colour of those that reach it best, not the mean of all that reach it.

Hints of like colours are one label. Each flows over the paper as in engine/imaging/spread.py: so much as arrives is the chance
that a walk from there ends at it (Grady 2006, "Random Walks for Image Segmentation"). Labels that are likely, and alike others
that are, then count for more: two hints in one shape get a border instead of a long gradient, and what leaks through a gap
stays small.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.imaging import colour, diffusion, hsv, spread
from engine.imaging.shapes import Shapes

# Chosen on 24 drawings of the training's, each with 40 dots and with patches: labels at most; how far apart in Lab two
# colours still support one another, by a bell curve.
MOST, ALIKE = 12, 12.0
FAINT = 1e-6  # what is left of a label in a shape that is others': where those do not arrive at all, it is better than nothing


@torch.no_grad()
def decided(hints: Tensor, sketch: Tensor, shapes: Shapes | None = None, tolerance: float = 1e-3) -> Tensor:
    """X, Y, V [1, 3, H, W] of hints [1, 4, H, W] (X, Y, V and mask, 1 or 0) over a sketch [1, 1, H, W] (1 = paper).

    shapes: those of the drawing, in which the hints of one keep all others out. tolerance: of diffusion.solve(). Values lie
    between the least and the greatest of the hints'; 0 without any.
    """
    mask = hints[0, 3] >= 0.5
    if not bool(mask.any()):
        return torch.zeros_like(hints[:, :3])
    painted = hints[:, :3, mask]  # [1, 3, n]
    lab = colour.rgb_to_lab(hsv.xyv_to_rgb(painted[..., None]))[0, ..., 0].T.numpy()
    centres, label = labels(lab)
    member = torch.zeros(1, len(centres), *mask.shape)
    member[0, :, mask] = torch.from_numpy(label == np.arange(len(centres))[:, None]).float()
    # A label's colour is the mean of its hints; by how much each hint differs from it flows as well.
    colours = painted[0].T.numpy()
    own = torch.from_numpy(np.stack([colours[label == k].mean(0) for k in range(len(centres))]))
    rest = torch.zeros_like(hints[:, :3])
    rest[:, :, mask] = painted - own[torch.from_numpy(label)].T
    grid = spread.grid(hints[:, 3:], sketch)
    flown = diffusion.solve(grid, spread.HOLD * torch.cat((member, rest), 1), tolerance)
    chance = flown[0, : len(centres), None].clamp_min(0.0)
    if shapes is not None:
        chance = chance * (shapes.welcome(member)[0, :, None] + FAINT)
    arrived = flown[0, : len(centres)].sum(0).clamp_min(1e-20)
    whole = chance.sum(0).clamp_min(1e-20)
    chance = chance / whole
    apart = np.linalg.norm(centres[:, None] - centres, axis=2)
    support = [
        sum(float(share) * other for share, other in zip(near, chance, strict=True))
        for near in np.exp(-0.5 * (apart / ALIKE) ** 2)
    ]
    weight = chance * torch.stack(support)
    weight = weight / weight.sum(0).clamp_min(1e-20)
    values = (weight * own[..., None, None]).sum(0, keepdim=True) + flown[:, len(centres) :] / arrived
    low, high = (limit[..., None] for limit in (painted.amin(2, keepdim=True), painted.amax(2, keepdim=True)))
    return torch.minimum(torch.maximum(values, low), high)


def labels(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Up to MOST colours [k, 3] that stand for these [n, 3] in Lab, and which of them each is nearest to, [n].

    By the farthest first, until none is farther than half of ALIKE, then by means (Lloyd 1982).
    """
    first = np.linalg.norm(lab - lab.mean(0), axis=1).argmax()
    centres = lab[first][None]
    nearest = np.linalg.norm(lab - centres[0], axis=1)
    while len(centres) < MOST and nearest.max() >= ALIKE / 2:
        centres = np.concatenate((centres, lab[nearest.argmax()][None]))
        nearest = np.minimum(nearest, np.linalg.norm(lab - centres[-1], axis=1))
    for turn in range(5):
        label = np.linalg.norm(lab[:, None] - centres, axis=2).argmin(1)
        if turn < 4:
            centres = np.stack([lab[label == k].mean(0) if (label == k).any() else c for k, c in enumerate(centres)])
    kept, label = np.unique(label, return_inverse=True)
    return centres[kept], label.ravel()
