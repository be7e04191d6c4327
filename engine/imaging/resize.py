"""Keys 1981, Cubic Convolution Interpolation (a = -1/2), with anti-aliasing as MATLAB's imresize does it: the resampling of
the super-resolution literature. Pictures are [..., H, W] floating-point tensors.

Pixel centres lie at half-integers, the kernel is stretched by the reduction factor, weights are normalised, edges are
mirrored with the edge pixel repeated. Rows or columns of a result may be asked for alone: parts equal the whole.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

_BLOCK = 64  # outputs made by one matrix product: large enough to be fast, small enough to keep the matrices small


def _cubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = -0.5, support [-2, 2]."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def weights(size: int, target: int, start: int = 0, stop: int | None = None) -> tuple[int, Tensor]:
    """The linear map from a line of `size` samples to the samples start..stop of its resized line of `target`.

    Returns (first, matrix): matrix [stop - start, span] (float64) applies to the source samples first..first + span.
    """
    stop = target if stop is None else stop
    scale = target / size
    stretch = max(1.0, 1.0 / scale)  # above 1 the kernel is widened: that is the anti-aliasing
    centres = (torch.arange(start, stop, dtype=torch.float64) + 0.5) / scale - 0.5
    reach = math.ceil(2 * stretch) + 1
    places = centres.floor().long()[:, None] + torch.arange(-reach, reach + 1)
    values = _cubic((centres[:, None] - places) / stretch)
    values = values / values.sum(1, keepdim=True)
    # Mirrored at both borders; a line shorter than the kernel is mirrored again and again.
    places = places.remainder(2 * size)
    places = torch.where(places < size, places, 2 * size - 1 - places)
    used = places[values != 0]
    first, last = int(used.min()), int(used.max())
    places = places.clamp(first, last) - first  # entries outside have weight zero
    matrix = torch.zeros(stop - start, last - first + 1, dtype=torch.float64)
    return first, matrix.scatter_add_(1, places, values)


def share(size: int, target: int, start: int, stop: int) -> tuple[int, int, Tensor]:
    """What the source samples start..stop alone add to the resized line of weights(): the outputs first..last that they
    reach, and the matrix [last - first, stop - start] for them.
    """
    scale = target / size
    reach = 2 * max(1.0, scale) + 1  # in outputs: the kernel's radius is 2 samples of the coarser line
    first, last = max(0, math.floor(start * scale - reach)), min(target, math.ceil(stop * scale + reach))
    seen, matrix = weights(size, target, first, last)
    wanted = torch.zeros(last - first, stop - start, dtype=matrix.dtype)
    left, right = max(start, seen), min(stop, seen + matrix.shape[1])
    if left < right:
        wanted[:, left - start : right - start] = matrix[:, left - seen : right - seen]
    return first, last, wanted


def apply(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """x [..., H, W] resized by two matrices of weights(): rows [h, H], columns [w, W] -> [..., h, w] in x's dtype."""
    return rows.to(x) @ x @ columns.to(x).mT


@lru_cache(maxsize=64)
def _blocks(size: int, target: int) -> tuple[tuple[int, Tensor], ...]:
    """weights() of a whole line, in blocks of outputs, transposed: matrix [span, outputs]."""
    parts = [weights(size, target, at, min(target, at + _BLOCK)) for at in range(0, target, _BLOCK)]
    return tuple((first, matrix.t().contiguous()) for first, matrix in parts)


def _along_last(x: Tensor, target: int) -> Tensor:
    if x.shape[-1] == target:
        return x
    parts = [x[..., first : first + len(matrix)] @ matrix.to(x) for first, matrix in _blocks(x.shape[-1], target)]
    return torch.cat(parts, dim=-1)


def bicubic(x: Tensor, height: int, width: int) -> Tensor:
    """Resize [..., H, W] to [..., height, width], anti-aliased when it shrinks. Values may overshoot their range."""
    # Rows first when the picture gets lower, so that the wider pass runs on less.
    x = _along_last(x.transpose(-1, -2), height).transpose(-1, -2)
    return _along_last(x, width)


def bilinear(x: Tensor, height: int, width: int) -> Tensor:
    """Resize [N, C, H, W] to [N, C, height, width] without anti-aliasing or ringing: each value lies between its neighbours'.

    Plane by plane: torch takes three of them together another way with one thread than with two, to other last digits.
    """
    planes = F.interpolate(x.flatten(0, 1).unsqueeze(1), (height, width), mode="bilinear", align_corners=False)
    return planes.view(*x.shape[:2], height, width)


def downscaled(x: Tensor, factor: int) -> Tensor:
    """The low-resolution version of a picture in [0, 1], as an 8-bit file would hold it: [..., H/factor, W/factor]."""
    small = bicubic(x, x.shape[-2] // factor, x.shape[-1] // factor)
    return (small.clamp(0, 1) * 255).round() / 255
