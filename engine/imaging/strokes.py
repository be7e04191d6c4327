"""Hints painted over lines: each stroke keeps to the shapes that are its own, so that a hand need not be a careful one.

Where lines cut a stroke of one colour into pieces, a lesser piece gives way in a shape in which another stroke has its
greatest: the soft scribbles of LazyBrush (Sykora 2009), decided piece by piece.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 216  # shortest side, in pixels, at which strokes and shapes are looked at
WALL = 0.5  # ink from here on parts shapes; it is thickened by a pixel, so that small gaps do not join them
ALIKE = 0.04  # of 1: what is painted beside a pixel of a stroke differs from it by no more in any channel
DEEPEST = 12  # pixels from a stroke's border on which its middle begins
OTHER = 0.1  # of 1: strokes that differ by no more in every channel are no rivals


@torch.no_grad()
def own(layer: Tensor, ink: Tensor) -> Tensor:
    """Where hints stay: [1, 1, H, W], 1 or 0, for a layer [1, 4, H, W] (RGB and mask, 0..1) on ink [1, 1, h, w] (1 = black).

    H, W is the size at which both are looked at; ink is brought to it.
    """
    walls = F.max_pool2d(F.adaptive_max_pool2d(ink, layer.shape[-2:]), 3, 1, 1)[0, 0].numpy() > WALL
    painted = _plain(layer[:, :3], layer[:, 3:] >= 0.5)
    strokes, pieces, shapes = components(painted), components(painted & ~walls), components(~walls)
    spilt, shortened = _spilt(strokes, pieces, shapes, _depth(painted), layer[0, :3].flatten(1).numpy())
    spills, cut = np.isin(pieces, spilt), np.isin(strokes, shortened)
    # What a shortened stroke has on walls would flow to the wrong side: of that only the thickening stays.
    stays = torch.from_numpy(cut & (pieces >= 0) & ~spills)[None, None].float()
    return torch.maximum(F.max_pool2d(stays, 3, 1, 1), torch.from_numpy(~cut).float()) * torch.from_numpy(~spills)


def _plain(rgb: Tensor, painted: Tensor) -> np.ndarray:
    """Painted pixels [H, W] that are of one colour with those painted around them: no seams between strokes."""
    low, high = (torch.where(painted, rgb, beyond) for beyond in (2.0, -2.0))
    apart = F.max_pool2d(high, 3, 1, 1) + F.max_pool2d(-low, 3, 1, 1)
    plain: np.ndarray = ((apart <= ALIKE).all(1, keepdim=True) & painted)[0, 0].numpy()
    return plain


def _depth(painted: np.ndarray) -> np.ndarray:
    """How far in pixels, up to DEEPEST, each painted pixel [H, W] lies inside: 1 on the border, 0 where nothing is painted."""
    left = torch.from_numpy(painted)[None, None].float()
    depth = left.clone()
    for _ in range(DEEPEST - 1):
        left = -F.max_pool2d(F.pad(-left, (1, 1, 1, 1)), 3, 1)
        depth += left
    deep: np.ndarray = depth[0, 0].numpy()
    return deep


def _spilt(
    strokes: np.ndarray, pieces: np.ndarray, shapes: np.ndarray, depth: np.ndarray, rgb: np.ndarray
) -> tuple[list[int], list[int]]:
    """The labels of the pieces that give way, and of their strokes.

    A piece counts for more the larger it is and the nearer to the middle of its stroke, where a brush was aimed at: by the
    squares of depth. rgb is [3, H * W], the first three are as components() gives them.
    """
    labels, places, where = np.unique(pieces, return_index=True, return_inverse=True)
    weights = np.bincount(where.ravel(), depth.ravel() ** 2)
    of_pieces = [
        (float(weight), int(label), int(strokes.flat[place]), int(shapes.flat[place]), rgb[:, place])
        for label, place, weight in zip(labels, places, weights, strict=True)
        if label >= 0
    ]
    home: dict[int, int] = {}  # the shape in which each stroke has its greatest piece
    owners: dict[int, list[np.ndarray]] = {}  # the colours of the strokes that are at home in each shape
    for _, _, stroke, shape, colour in sorted(of_pieces, key=lambda piece: piece[:2], reverse=True):
        if home.setdefault(stroke, shape) == shape:
            owners.setdefault(shape, []).append(colour)
    spilt = [
        (label, stroke)
        for _, label, stroke, shape, colour in of_pieces
        if home[stroke] != shape and any(np.abs(colour - other).max() > OTHER for other in owners.get(shape, ()))
    ]
    return [label for label, _ in spilt], [stroke for _, stroke in spilt]


def components(member: np.ndarray) -> np.ndarray:
    """The connected parts, by sides, of member [H, W] bool: [H, W], the same number from 0 on in each, -1 outside."""
    h, w = member.shape
    number = np.arange(h * w).reshape(h, w)
    across, down = member[:, 1:] & member[:, :-1], member[1:] & member[:-1]
    one = np.concatenate((number[:, :-1][across], number[:-1][down]))
    other = np.concatenate((number[:, 1:][across], number[1:][down]))
    parent = number.ravel().copy()
    while not np.array_equal(parent[one], parent[other]):
        # Of two parts that touch, the root with the greater number takes the lesser; then all ways to roots are shortened.
        np.minimum.at(parent, np.maximum(parent[one], parent[other]), np.minimum(parent[one], parent[other]))
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    return np.where(member, parent.reshape(h, w), -1)
