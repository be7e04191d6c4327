"""Colour figures of a colorizer, through the very task that users run: `python -m engine.train.evaluate_colour --help`.

Every picture is turned grey (8-bit BT.601 luma), coloured without hints, and compared with the truth; then again with
dots of the true colour. Writes a table, JSON and a contact sheet (grey, result, result with hints, truth).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from engine.imaging import colour
from engine.imaging.resize import bicubic
from engine.train.data import pictures_in
from engine.train.metrics.ab_error import ab_error
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.hint_obedience import hint_error
from engine.train.metrics.psnr import psnr_rgb

Painter = Callable[[np.ndarray, "np.ndarray | None"], np.ndarray]
"""grey [H, W, 1] uint8 and hints [H, W, 4] uint8 or None -> RGB [H, W, 3] uint8."""

DOTS, DOT_RADIUS = 20, 3  # full-size pixels


def grey_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> its luma [H, W, 1] uint8."""
    y = rgb.astype(np.float64) @ np.array([colour.KR, colour.KG, colour.KB])
    return np.rint(y).astype(np.uint8)[..., None]


def dotted(rgb: np.ndarray, seed: int) -> np.ndarray:
    """A hints layer [H, W, 4] uint8 with DOTS round dots, each in the mean true colour under it."""
    height, width = rgb.shape[:2]
    layer = np.zeros((height, width, 4), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for y, x in np.random.default_rng(seed).random((DOTS, 2)) * (height, width):
        disc = (rows - y) ** 2 + (columns - x) ** 2 <= DOT_RADIUS**2
        if disc.any():
            layer[disc] = [*np.rint(rgb[disc].mean(0)).astype(np.uint8), 255]
    return layer


def by_mean_colour(pictures: Sequence[np.ndarray]) -> Painter:
    """Sepia: every pixel in the mean chroma of the very pictures that are measured. A colorizer must be better than that."""
    mean = torch.stack([colour.rgb_to_yuv(_tensor(p))[0, 1:].mean((1, 2)) for p in pictures]).mean(0).view(1, 2, 1, 1)

    def paint(grey: np.ndarray, hints: np.ndarray | None) -> np.ndarray:
        y = _tensor(grey)
        uv = colour.clamp_chroma(y, mean.expand(1, 2, *y.shape[2:]))
        return _bytes(colour.yuv_to_rgb(torch.cat((y, uv), 1)))

    return paint


def by_task(generator: str = "auto", **options: Any) -> Painter:
    """The colorize task with the installed weights."""
    from engine import tasks
    from engine.client.options import task
    from engine.store.cache import ModelCache
    from engine.tasks.base import Picture, Reporter

    models = ModelCache(device="cpu")
    values = task("colorize").complete({"generator": generator, **options})

    def paint(grey: np.ndarray, hints: np.ndarray | None) -> np.ndarray:
        extras = {} if hints is None else {"hints": Picture(hints)}
        return tasks.run("colorize", Picture(grey), values, models, Reporter(), **extras).pictures[0].array

    return paint


def figures_of(result: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Every figure of one picture, and the truth's own where a figure needs it for comparison."""
    made, wanted = _tensor(result), _tensor(truth)
    delta = colour.delta_e_2000(colour.rgb_to_lab(made), colour.rgb_to_lab(wanted))
    return {
        "ab_error": ab_error(made, wanted),
        "ab_error_grey": chroma(wanted),
        "chroma": chroma(made),
        "chroma_truth": chroma(wanted),
        "colorfulness": colorfulness(made[0]),
        "colorfulness_truth": colorfulness(wanted[0]),
        "ciede2000": float(delta.mean()),
        "psnr_rgb": psnr_rgb(made[0], wanted[0]),
    }


def measure(paint: Painter, pictures: Sequence[np.ndarray], hinted: bool = False) -> dict[str, float]:
    """Mean figures over RGB pictures [H, W, 3] uint8; with `hinted`, hints are given and their obedience is measured too."""
    rows: list[dict[str, float]] = []
    for index, truth in enumerate(pictures):
        layer = dotted(truth, index) if hinted else None
        result = paint(grey_of(truth), layer)
        row = figures_of(result, truth)
        if layer is not None:
            mask = _tensor(layer[..., 3:])
            row["hint_error"] = hint_error(_tensor(result), _tensor(layer[..., :3]), mask)
            unpainted = _tensor(grey_of(truth).repeat(3, 2))
            row["hint_error_grey"] = hint_error(unpainted, _tensor(layer[..., :3]), mask)
        rows.append(row)
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["gain_percent"] = 100 * (1 - means["ab_error"] / means["ab_error_grey"])
    means["chroma_share"] = means["chroma"] / means["chroma_truth"]
    return means


def load(folder: str, size: int, limit: int | None) -> list[np.ndarray]:
    """The folder's pictures as RGB [H, W, 3] uint8, the shortest side brought down to `size`; evenly picked up to `limit`."""
    files = pictures_in(folder)
    if limit and limit < len(files):
        files = [files[i * len(files) // limit] for i in range(limit)]
    pictures = []
    for file in files:
        with Image.open(file) as picture:
            array = np.asarray(picture.convert("RGB"))
        factor = size / min(array.shape[:2])
        if factor < 1:
            height, width = (max(size, round(side * factor)) for side in array.shape[:2])
            array = _bytes(bicubic(_tensor(array), height, width))
        pictures.append(array)
    return pictures


def contact_sheet(paint: Painter, pictures: Sequence[np.ndarray], path: Path, tile: int = 192) -> None:
    """Rows of grey, result, result with hints (drawn on the grey picture of its left) and truth, two pictures a row."""
    sheet = Image.new("RGB", (10 * tile, -(-len(pictures) // 2) * tile), "white")
    for index, truth in enumerate(pictures):
        grey, layer = grey_of(truth), dotted(truth, index)
        seen = np.where(layer[..., 3:] > 0, layer[..., :3], grey)
        for column, shown in enumerate((grey.repeat(3, 2), paint(grey, None), seen, paint(grey, layer), truth)):
            picture = Image.fromarray(shown)
            picture.thumbnail((tile, tile))
            sheet.paste(picture, ((index % 2 * 5 + column) * tile, index // 2 * tile))
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(("grey", "result", "hints", "with hints", "truth")):
        draw.text((column * tile + 4, 4), title, fill="red")
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _tensor(array: np.ndarray) -> Tensor:
    """[H, W, C] uint8 -> [1, C, H, W] in [0, 1]."""
    return torch.from_numpy(array.copy()).permute(2, 0, 1)[None].float() / 255.0


def _bytes(picture: Tensor) -> np.ndarray:
    return (picture[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m engine.train.evaluate_colour", description=__doc__)
    parser.add_argument("--data", required=True, help="folder of colour pictures that were never trained on")
    parser.add_argument("--generator", default="auto")
    parser.add_argument("--size", type=int, default=256, help="shortest side in pixels")
    parser.add_argument("--limit", type=int, help="measure only so many, evenly picked")
    parser.add_argument("--out", default="evaluation", help="folder for colour.json and colour.png")
    args = parser.parse_args(argv)
    pictures = load(args.data, args.size, args.limit)
    paint, out = by_task(args.generator), Path(args.out)
    table = {
        "mean colour": measure(by_mean_colour(pictures), pictures),
        args.generator: measure(paint, pictures),
        f"{args.generator}, {DOTS} hints": measure(paint, pictures, hinted=True),
    }
    names = ("ab_error", "gain_percent", "chroma_share", "colorfulness", "ciede2000", "psnr_rgb", "hint_error")
    print(f"{len(pictures)} pictures, grey: ab_error {table['mean colour']['ab_error_grey']:.2f}")
    print(f"{'':24}" + "".join(f"{name:>14}" for name in names))
    for title, row in table.items():
        print(f"{title:24}" + "".join(f"{row[n]:14.3f}" if n in row else f"{'-':>14}" for n in names))
    out.mkdir(parents=True, exist_ok=True)
    (out / "colour.json").write_text(json.dumps({"pictures": len(pictures), **table}, indent=1), encoding="utf-8")
    contact_sheet(paint, pictures[:: max(1, len(pictures) // 24)][:24], out / "colour.png")


if __name__ == "__main__":
    main()
