"""Figures of an enlarger on whole pictures, beside bicubic: `python -m engine.train.evaluate --help`.

Each picture is reduced four times by MATLAB's bicubic and rounded to 8 bits, enlarged again and compared with itself.
Through the very task that users run, in its normal quality and, with --best, in its best.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.imaging.resize import bicubic, downscaled
from engine.train.data import PictureStore, pictures_in
from engine.train.metrics.psnr import psnr_rgb, psnr_y
from engine.train.metrics.ssim import ssim_y

Upscaler = Callable[[Tensor], Tensor]
"""[1, 3, H, W] in [0, 1] -> [1, 3, 4H, 4W]."""

SCALE = 4


def by_bicubic(low: Tensor) -> Tensor:
    """The classical enlargement to compare with."""
    return bicubic(low, low.shape[-2] * SCALE, low.shape[-1] * SCALE)


def by_task(generator: str = "auto", quality: str = "normal") -> Upscaler:
    """The upscale task with the installed weights, 8 bits in and out."""
    from engine import tasks
    from engine.client.options import task
    from engine.store.cache import ModelCache
    from engine.tasks.base import Picture, Reporter

    models = ModelCache(device="cpu")
    values = task("upscale").complete({"generator": generator, "scale": float(SCALE), "quality": quality})

    def enlarge(low: Tensor) -> Tensor:
        array = (low[0] * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
        result = tasks.run("upscale", Picture(array), values, models, Reporter()).pictures[0].array
        return torch.from_numpy(np.ascontiguousarray(result)).permute(2, 0, 1)[None].float() / 255

    return enlarge


@torch.no_grad()
def figures_of(net: Upscaler, picture: Tensor) -> dict[str, float]:
    """Figures of one picture [3, H, W] uint8; psnr_y and ssim_y leave four pixels out at each border."""
    height, width = (side // SCALE * SCALE for side in picture.shape[1:])
    truth = picture[:, :height, :width].float() / 255
    result = net(downscaled(truth[None], SCALE)).float()[0]
    return {
        "psnr_y": psnr_y(result, truth, SCALE),
        "ssim_y": ssim_y(result, truth, SCALE),
        "psnr_rgb": psnr_rgb(result, truth),
    }


def measure(net: Upscaler, pictures: Iterable[Tensor]) -> dict[str, float]:
    """The mean of every figure over the pictures."""
    rows = [figures_of(net, picture) for picture in pictures]
    return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m engine.train.evaluate", description=__doc__)
    parser.add_argument(
        "--data", action="append", required=True, metavar="DIR", help="folder of pictures never trained on"
    )
    parser.add_argument("--generator", default="auto")
    parser.add_argument("--best", action="store_true", help="measure quality best too")
    parser.add_argument("--out", default="evaluation/upscale.json")
    args = parser.parse_args(argv)
    methods: dict[str, Upscaler] = {"bicubic": by_bicubic, args.generator: by_task(args.generator)}
    if args.best:
        methods[f"{args.generator}, best"] = by_task(args.generator, "best")
    table: dict[str, dict[str, dict[str, float]]] = {}
    for folder in args.data:
        store = PictureStore(pictures_in(folder))
        name = f"{Path(folder).name} ({len(store)})"
        table[name] = {}
        for method, net in methods.items():
            row = table[name][method] = measure(net, (store.picture(i) for i in range(len(store))))
            print(f"{name:20}{method:28}" + "  ".join(f"{k} {v:7.4f}" for k, v in row.items()), flush=True)
    path = Path(args.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
