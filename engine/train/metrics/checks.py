"""Odena 2016, "Deconvolution and Checkerboard Artifacts": how much of an enlargement repeats every four pixels.

Strides and pixel shuffles, of the network or of what judges it in training, print such patterns; nature has none of just that
period. They are points of the spectrum that stand out, however weak. A judge without a truth: read beside the truth's own,
since JPEG prints every eight pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.imaging.colour import luma

PERIOD = 4  # pixels; half of it is found with it
SIDE = 64  # pixels of the squares whose spectra are summed up
NEAR, FAR = 4, 6  # steps of frequency: what lies so far from a point is its surroundings


def checks(rgb: Tensor) -> float:
    """The power at the frequencies of PERIOD over that around them, the mean of 15, of the luma of RGB [3, H, W] in [0, 1].

    1 to 2 without a pattern. The picture needs sides of 64 pixels.
    """
    y = luma((rgb.double().clamp(0, 1) * 255).round().unsqueeze(0))[0, 0]
    squares = y.unfold(0, SIDE, SIDE // 2).unfold(1, SIDE, SIDE // 2).flatten(0, 1)
    window = torch.hann_window(SIDE, dtype=y.dtype, device=y.device)
    squares = (squares - squares.mean((1, 2), keepdim=True)) * window * window[:, None]
    power = torch.fft.fft2(squares).abs().square().sum(0) + 1e-9  # flat pictures have no pattern
    apart = torch.arange(-FAR, FAR + 1, device=y.device)
    around = torch.maximum(apart.abs()[:, None], apart.abs()) >= NEAR
    points = torch.arange(0, SIDE, SIDE // PERIOD, device=y.device)
    found = [
        power[row, column] / power[(row + apart) % SIDE][:, (column + apart) % SIDE][around].median()
        for row, column in torch.cartesian_prod(points, points)[1:]
    ]
    return float(torch.stack(found).mean())
