"""Flat colours: one for each shape of a drawing, out of a network's clouds of colour.

Colours flow freely over paper and hardly through ink (engine/imaging/diffusion.py, Levin 2004), until each shape has the mean
of what lay in it. Lines are thickened first, so that small gaps in them do not let two shapes run together.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import diffusion
from engine.imaging.shapes import components, seen_at, thickened

REACH = 2.5  # so many of them around ink may still be mixed with what lies behind it (ColourUpsampler's reach)
# How much worse thick ink conducts than paper, and how firmly a pixel holds to its own colour: flat over some 300 pixels.
RESISTANCE, HOLD = 1e5, 1e-5
CLEAR = 0.2  # ink up to which a pixel belongs to the inside of a shape
STEPS = 24  # after so many, colours are within a thousandth of the mean of their shape, and a tenth at worst
STRONGEST = 1.6  # how far the shapes' colours are at most taken apart again


@torch.no_grad()
def flattened(colours: Tensor, ink: Tensor) -> Tensor:
    """RGB [N, 3, h, w] in [0, 1] -> flat in each shape of ink [N, 1, H, W] (1 = black), at the size of seen_at().

    Means are nearer to one another than what they are made of: the flat colours are as varied over the picture as those given.
    """
    size = seen_at(ink)
    lines = thickened(ink, size)
    # Copies, no sums: those of "bilinear" end in another last bit by another number of threads, and the solver enlarges that.
    clouds = F.interpolate(colours, size, mode="nearest-exact")
    conducts = 1.0 / (1.0 + RESISTANCE * lines**4)  # a grey wash is no line
    hold = HOLD * (1.0 - 0.9 * lines)  # beside lines a shape's own colour is not to be told from its neighbour's
    mean = _mean(clouds)
    clouds = clouds - mean  # what is of one colour stays exactly so
    grid = diffusion.Grid(*diffusion.between(conducts), hold)
    shapes = np.stack([components(plane <= CLEAR) for plane in lines[:, 0].numpy()])
    flat = diffusion.solve(grid, hold * clouds, 1e-4, STEPS, diffusion.Parts(grid, shapes))
    middle = _mean(flat)
    given, left = (_mean((x - m).square()).mean(1, keepdim=True) for x, m in ((clouds, _mean(clouds)), (flat, middle)))
    apart = (given / left.clamp_min(1e-8)).sqrt().clamp(1.0, STRONGEST)
    return (mean + middle + apart * (flat - middle)).clamp(0.0, 1.0)


def _mean(x: Tensor) -> Tensor:
    return diffusion.total(x) / (x.shape[2] * x.shape[3])
