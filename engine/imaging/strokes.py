"""Hints painted over lines: each stroke keeps to the shapes that are its own, so that a hand need not be a careful one.

Where lines cut a stroke of one colour into pieces, a lesser piece gives way in a shape in which another stroke has its
greatest: the soft scribbles of LazyBrush (Sykora 2009), decided piece by piece.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import windows
from engine.imaging.shapes import ALIKE, WALL, components, thickened

DEEPEST = 12  # pixels from a stroke's border on which its middle begins
RIVAL = (
    0.05  # of a piece's area that another stroke must have in a shape to drive it out; a dot on a ground is no rival
)


@torch.no_grad()
def own(layer: Tensor, ink: Tensor) -> Tensor:
    """Where hints stay: [1, 1, H, W], 1 or 0, for a layer [1, 4, H, W] (RGB and mask, 0..1) on ink [1, 1, h, w] (1 = black).

    H, W is the size at which both are looked at; ink is brought to it.
    """
    walls = thickened(ink, layer.shape[-2:])[0, 0].numpy() > WALL
    rgb, painted = layer[0, :3].numpy(), layer[0, 3].numpy() >= 0.5
    strokes = components(painted, rgb)
    depth = _depth(strokes)
    seams = _seams(strokes, depth, painted)
    pieces, shapes = components(painted & ~walls & ~seams, rgb), components(~walls)
    spilt, shortened = _spilt(strokes, pieces, shapes, depth, rgb.reshape(3, -1))
    spills, cut = np.isin(pieces, spilt), np.isin(strokes, shortened) & ~seams
    # What a shortened stroke has on walls would flow to the wrong side: of that only the thickening stays; nor do the seams
    # of what goes.
    stays = _around(cut & (pieces >= 0) & ~spills, 1)
    kept = (~cut | stays) & ~spills & ~(seams & _around(spills, 2))
    return torch.from_numpy(kept)[None, None].float()


def _around(member: np.ndarray, pixels: int) -> np.ndarray:
    """member [H, W] bool and all that lies up to so many pixels beside it."""
    wide = windows.highest(torch.from_numpy(member)[None, None].float(), pixels)
    found: np.ndarray = wide[0, 0].numpy() > 0
    return found


def _depth(strokes: np.ndarray) -> np.ndarray:
    """How far in pixels, up to DEEPEST, each pixel [H, W] lies inside its stroke: 1 on the border, 0 where there is none."""
    label = F.pad(torch.from_numpy(strokes)[None, None].double(), (1, 1, 1, 1), value=-1)
    inside = (windows.highest(label, 1) == windows.lowest(label, 1)).float()[..., 1:-1, 1:-1]
    left = torch.from_numpy(strokes >= 0)[None, None].float()
    depth = left.clone()
    for step in range(DEEPEST - 1):
        left = left * (inside if step == 0 else windows.lowest(F.pad(left, (1, 1, 1, 1)), 1)[..., 1:-1, 1:-1])
        depth += left
    deep: np.ndarray = depth[0, 0].numpy()
    return deep


def _seams(strokes: np.ndarray, depth: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """Pixels [H, W] of what is thin and lies between strokes: there the two colours are mixed, and nobody painted it."""
    bordering = _around(~painted, 1)
    labels, where = np.unique(strokes, return_inverse=True)
    where = where.reshape(strokes.shape)
    area = np.bincount(where.ravel())
    deepest = np.zeros(len(labels))
    np.maximum.at(deepest, where.ravel(), depth.ravel())
    free = np.bincount(where.ravel(), (bordering & painted).ravel())
    thin: np.ndarray = ((deepest < 2) & (free < 0.5 * area) & (labels >= 0))[where]
    return thin


def _spilt(
    strokes: np.ndarray, pieces: np.ndarray, shapes: np.ndarray, depth: np.ndarray, rgb: np.ndarray
) -> tuple[list[int], list[int]]:
    """The labels of the pieces that give way, and of their strokes.

    A piece counts for more the larger it is and the nearer to the middle of its stroke, where a brush was aimed at: by the
    squares of depth. rgb is [3, H * W], the first three are as components() gives them.
    """
    labels, places, where = np.unique(pieces, return_index=True, return_inverse=True)
    weights, areas = np.bincount(where.ravel(), depth.ravel() ** 2), np.bincount(where.ravel())
    of_pieces = [
        (float(weight), int(label), int(strokes.flat[place]), int(shapes.flat[place]), int(area), rgb[:, place])
        for label, place, weight, area in zip(labels, places, weights, areas, strict=True)
        if label >= 0
    ]
    home: dict[int, int] = {}  # the shape in which each stroke has its greatest piece
    owners: dict[int, list[tuple[int, np.ndarray]]] = {}  # area and colour of what is at home in each shape
    for _, _, stroke, shape, area, colour in sorted(of_pieces, key=lambda piece: piece[:2], reverse=True):
        if home.setdefault(stroke, shape) == shape:
            owners.setdefault(shape, []).append((area, colour))

    def driven_out(shape: int, area: int, colour: np.ndarray) -> bool:
        others = owners.get(shape, ())
        return sum(a for a, other in others if np.abs(colour - other).max() > ALIKE) >= RIVAL * area

    spilt = [
        (label, stroke)
        for _, label, stroke, shape, area, colour in of_pieces
        if home[stroke] != shape and shape in owners and driven_out(shape, area, colour)
    ]
    return [label for label, _ in spilt], [stroke for _, stroke in spilt]
