"""Grey pictures painted by a network, and how near the truth that comes: what the colorizers' recipes share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import colour


def squares(pictures: Tensor, side: int) -> Tensor:
    """[N, 3, H, W] uint8 -> [N, 3, side, side] in [0, 1], anti-aliased."""
    rgb = F.interpolate(pictures.float() / 255, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return rgb.clamp(0, 1).contiguous(memory_format=torch.channels_last)


def with_luma(y: Tensor, uv: Tensor) -> Tensor:
    """RGB [N, 3, H, W] in [0, 1] of a luma [N, 1, H, W] and a chroma [N, 2, H, W] in natural units, as colorize joins them."""
    return colour.yuv_to_rgb(torch.cat((y, colour.clamp_chroma(y, uv)), 1)).clamp(0, 1)


def scores(pictures: Iterable[Tensor], side: int, paint: Callable[[Tensor], Tensor]) -> dict[str, float]:
    """Figures of paint, which makes RGB [1, 3, side, side] of luma [1, 1, side, side], on the pictures' central squares.

    pictures: [3, H, W] uint8. "gain_percent": by how much the error in Lab's ab plane is below that of grey;
    "chroma_share": mean chroma as a share of the truth's.
    """
    error, grey, chroma = 0.0, 0.0, 0.0
    for picture in pictures:
        middle = min(picture.shape[1:])
        top, left = (picture.shape[1] - middle) // 2, (picture.shape[2] - middle) // 2
        rgb = squares(picture[None, :, top : top + middle, left : left + middle], side)
        painted, truth = (colour.rgb_to_lab(x)[:, 1:] for x in (paint(colour.luma(rgb)), rgb))
        error += float((painted - truth).norm(dim=1).mean())
        grey += float(truth.norm(dim=1).mean())
        chroma += float(painted.norm(dim=1).mean())
    return {"gain_percent": 100 * (1 - error / grey), "chroma_share": chroma / grey}
