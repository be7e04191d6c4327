"""Several looks at one picture, averaged: at other sizes, and at its mirror image (test-time augmentation, Krizhevsky 2012)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import resize

Smaller = Callable[[Tensor, int, int], Tensor]


def averaged(
    look: Callable[..., Tensor], inputs: Sequence[tuple[Tensor, Smaller]], views: Sequence[float], multiple: int
) -> Tensor:
    """The mean of look(*planes) [N, C, H, W] over views of the planes [N, ?, H, W].

    inputs: the planes, and how to make them smaller (planes, height, width). views: shares of their size, in (0, 1], each
    rounded to whole multiples; every second view is of the mirror image.
    """
    # The sides are tensors where the network is traced for ONNX.
    whole = tuple(int(side) for side in inputs[0][0].shape[2:])
    made = []
    for number, share in enumerate(views):
        height, width = (max(1, round(side * share / multiple)) * multiple for side in whole)
        seen = [x if (height, width) == whole else smaller(x, height, width) for x, smaller in inputs]
        out = look(*(x.flip(3) for x in seen)).flip(3) if number % 2 else look(*seen)
        made.append(out if (height, width) == whole else resize.bilinear(out, *whole))
    return sum(made[1:], made[0]) / len(made)


def smaller_noise(noise: Tensor, height: int, width: int, block: int) -> Tensor:
    """Noise [N, 1, height, width] for a smaller view of what noise [N, 1, H, W] was made for, whole blocks both.

    Its means over block x block pixels are those of the larger one at about the same place, so that both say the same.
    """
    means, cut = F.avg_pool2d(noise, block), noise[:, :, :height, :width]
    rows, columns = (
        torch.arange(fewer // block, device=noise.device) * block * int(many) // fewer
        for fewer, many in ((height, means.shape[2]), (width, means.shape[3]))
    )
    change = means[:, :, rows][..., columns] - F.avg_pool2d(cut, block)
    return cut + F.interpolate(change, scale_factor=block, mode="nearest")
