"""Held-out and benchmark figures of a generator, by its task; `python -m engine.train.evaluate` writes them as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.imaging.resize import bicubic, downscaled
from engine.train.data import PictureStore, pictures_in
from engine.train.metrics.psnr import psnr_rgb, psnr_y
from engine.train.metrics.ssim import ssim_y

Upscaler = Callable[[Tensor], Tensor]


def whole_multiple(picture: Tensor, factor: int) -> Tensor:
    """The picture cut at its right and bottom so that both sides are multiples of the factor."""
    h, w = picture.shape[-2:]
    return picture[..., : h // factor * factor, : w // factor * factor]


def ensemble(net: Upscaler) -> Upscaler:
    """Timofte 2016, the mean of a net's results over the eight flips and quarter turns: better, at eight times the cost."""

    def run(x: Tensor) -> Tensor:
        results = []
        for turn in range(4):
            for mirrored in (False, True):
                seen = torch.rot90(x, turn, (-2, -1))
                seen = seen.flip(-1) if mirrored else seen
                out = net(seen.contiguous(memory_format=torch.channels_last))
                out = out.flip(-1) if mirrored else out
                results.append(torch.rot90(out, -turn, (-2, -1)))
        return torch.stack(results).mean(0)

    return run


@torch.no_grad()
def upscale_figures(net: Upscaler, store: PictureStore, scale: int = 4) -> list[dict[str, float]]:
    """For each picture: its low-resolution version by MATLAB's bicubic, enlarged by the net, against the picture.

    psnr_y and ssim_y leave `scale` pixels out at each border.
    """
    figures = []
    for index in range(len(store)):
        truth = whole_multiple(store.picture(index), scale).float().unsqueeze(0) / 255
        low = downscaled(truth, scale).contiguous(memory_format=torch.channels_last)
        result = net(low).float()[0].cpu()
        truth = truth[0].cpu()
        figures.append(
            {
                "psnr_y": psnr_y(result, truth, scale),
                "ssim_y": ssim_y(result, truth, scale),
                "psnr_rgb": psnr_rgb(result, truth),
            }
        )
    return figures


def mean_figures(figures: Iterable[dict[str, float]]) -> dict[str, float]:
    """The mean of every figure."""
    rows = list(figures)
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def by_bicubic(scale: int = 4) -> Upscaler:
    """The classical enlargement to compare with."""
    return lambda x: bicubic(x, x.shape[-2] * scale, x.shape[-1] * scale)
