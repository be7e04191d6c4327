"""Line-art colorizers: lines are extracted from each drawing, coloured again, and the result compared with the drawing.

Three times: with a colour reference (the drawing in 12 x 12 soft areas, 96 pixels large, as the UNAM 2022 thesis, 3, gives
it), with 20 dots of the true colour, and with a seed alone. The first rows are the lines as they are, and the lines
multiplied with the reference: what needs no network.
"""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import references, sketch
from engine.train.evaluation.base import Figures, Report, Request, Tally, tensor, to_bytes
from engine.train.evaluation.colorize import DOTS, dotted
from engine.train.metrics.ab_error import ab_error
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.hint_obedience import hint_error
from engine.train.metrics.mse import mse
from engine.train.metrics.psnr import psnr_rgb
from engine.train.metrics.ssim import ssim_rgb

CELLS, REFERENCE = 12, 96


def lines_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> its line drawing [H, W, 1] uint8: the mean of two extractors, ink made black."""
    picture = tensor(rgb)
    mixed = sketch.average(sketch.xdog(picture), sketch.contours(picture))
    return to_bytes(1 - sketch.strengthen(1 - mixed))


def reference_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [96, 96, 3] uint8: rough colours in place."""
    return to_bytes(references.blurred(F.interpolate(tensor(rgb), (REFERENCE, REFERENCE), mode="area"), CELLS))


def multiplied(lines: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The reference enlarged below the lines [H, W, 1]: RGB."""
    large = F.interpolate(tensor(reference), lines.shape[:2], mode="bilinear", align_corners=False)
    return to_bytes(large * tensor(lines))


def figures_of(result: np.ndarray, truth: np.ndarray, hints: np.ndarray | None = None) -> Figures:
    """Every figure of one picture; ssim and psnr judge the lines as well, ab_error and chroma the colours alone."""
    made, wanted = tensor(result), tensor(truth)
    found = {
        "mse": mse(made, wanted),
        "psnr_rgb": psnr_rgb(made[0], wanted[0]),
        "ssim_rgb": ssim_rgb(made[0], wanted[0]),
        "ab_error": ab_error(made, wanted),
        "chroma": chroma(made),
        "chroma_truth": chroma(wanted),
        "colorfulness": colorfulness(made[0]),
        "colorfulness_truth": colorfulness(wanted[0]),
    }
    if hints is not None:
        asked, mask = tensor(hints[..., :3]), tensor(hints[..., 3:]) * _paper(result)
        if float(mask.sum()) > 0:  # dots may all lie under ink
            found["hint_error"] = hint_error(made, asked, mask)
    return found


def _paper(result: np.ndarray) -> Tensor:
    """Where a result is not ink [1, 1, H, W]: under black lines no hint can be seen."""
    return (tensor(result).amax(1, keepdim=True) > 0.25).float()


def run(request: Request) -> Report:
    """Rows: lines, lines on the reference, each setting with reference, dots and seed; the sheet shows the first setting."""
    ways = ("reference", f"{DOTS} hints", "seed")
    titles = ["lines", "lines x reference", *(f"{title}, {way}" for title in request.settings for way in ways)]
    tallies = {title: Tally(request.features) for title in titles}
    report = Report({}, ("lines", "reference", "by reference", "by hints", "by seed", "truth"))
    shown = request.shown()
    for number, truth in enumerate(request.pictures):
        lines, reference, layer = lines_of(truth), reference_of(truth), dotted(truth, number)
        results = [lines.repeat(3, 2), multiplied(lines, reference)]
        for options in request.settings.values():
            for extras in ({"reference": reference}, {"hints": layer}, {}):
                results.append(_rgb(request.run(lines, options, **extras)[0]))
        for title, result in zip(titles, results, strict=True):
            hints = layer if title.endswith("hints") else None
            tallies[title].add(result, truth, figures_of(result, truth, hints))
        if number in shown:
            report.sheet.append((results[0], reference, *results[2:5], truth))
        request.tell(f"{number + 1} of {len(request.pictures)}")
    report.rows = {title: tally.means() for title, tally in tallies.items()}
    return report


def _rgb(result: np.ndarray) -> np.ndarray:
    return result if result.shape[2] == 3 else result[..., :1].repeat(3, 2)
