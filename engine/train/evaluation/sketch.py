"""Line-art colorizers: lines are extracted from each drawing, coloured again, and the result compared with the drawing.

Four times: with a colour reference (the drawing in 12 x 12 soft areas, 96 pixels large, as the UNAM 2022 thesis, 3, gives
it), with 40 dots of the true colour on lines by XDoG, with flat patches as an artist brushes them, and with a seed alone. The
first rows need no network: the lines as they are, the lines multiplied with the reference, and the dots and patches spread
over the paper, to every pixel those of the nearest one or all of them diffused between the lines (Levin 2004).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.generators.base import Card
from engine.imaging import colour, hsv, references, sketch, spread
from engine.train.evaluation.base import Figures, Report, Request, Tally, level, tensor, to_bytes
from engine.train.evaluation.colorize import dotted
from engine.train.metrics.ab_error import ab_error
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.hint_obedience import hint_error
from engine.train.metrics.mse import mse
from engine.train.metrics.psnr import psnr_rgb
from engine.train.metrics.ssim import SIDE, ssim_rgb

CELLS, REFERENCE = 12, 96
DOTS, DOT_RADIUS = 40, 2  # pixels of pictures whose shortest side is some 300
# Patches: so many along the shorter side, of this radius (a share of that side), as long as the colour is the middle's within
# so many units of Lab.
PATCHES, PATCH, ALIKE = 8, 0.04, 12.0


def least(card: Card) -> int:
    """The shortest side in pixels of a picture that every figure can be taken of."""
    return SIDE


def lines_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> its line drawing [H, W, 1] uint8: the mean of two extractors, ink made black."""
    picture = tensor(rgb)
    mixed = sketch.average(sketch.xdog(picture), sketch.contours(picture))
    return to_bytes(1 - sketch.strengthen(1 - mixed))


def reference_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> [96, 96, 3] uint8: rough colours in place."""
    return to_bytes(references.blurred(F.interpolate(tensor(rgb), (REFERENCE, REFERENCE), mode="area"), CELLS))


def patched(rgb: np.ndarray, seed: int) -> np.ndarray:
    """A hints layer [H, W, 4] uint8 of flat patches on a jittered grid, each in the mean colour under it.

    A patch is a disc without what looks different from its middle: it stays within its shape, as a brush in a careful hand.
    """
    height, width = rgb.shape[:2]
    lab = colour.rgb_to_lab(tensor(rgb))[0]
    step = min(height, width) / PATCHES
    rows, columns = np.mgrid[:height, :width]
    layer, rng = np.zeros((height, width, 4), np.uint8), np.random.default_rng(seed)
    for top in range(round(height / step)):
        for left in range(round(width / step)):
            y, x = (np.array((top, left)) + 0.2 + 0.6 * rng.random(2)) * step
            y, x = min(y, height - 1), min(x, width - 1)
            disc = (rows - y) ** 2 + (columns - x) ** 2 <= (PATCH * min(height, width)) ** 2
            alike = (lab - lab[:, int(y), int(x)].view(3, 1, 1)).norm(dim=0).numpy() <= ALIKE
            inside = disc & alike
            if inside.any():
                layer[inside] = [*np.rint(rgb[inside].mean(0)).astype(np.uint8), 255]
    return layer


def multiplied(lines: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The reference enlarged below the lines [H, W, 1]: RGB."""
    large = F.interpolate(tensor(reference), lines.shape[:2], mode="bilinear", align_corners=False)
    return to_bytes(large * tensor(lines))


def spread_out(lines: np.ndarray, layer: np.ndarray, diffused: bool) -> np.ndarray:
    """The layer's colours [H, W, 4] spread by geometry alone below the lines [H, W, 1]: RGB.

    diffused: all of them between the lines; else to every pixel those of the nearest one, wherever lines are.
    """
    mask = (tensor(layer[..., 3:]) > 0.5).float()
    painted = tensor(layer[..., :3]) * mask
    if diffused:
        planes = torch.cat((hsv.rgb_to_xyv(painted) * mask, mask), 1)
        made = hsv.xyv_to_rgb(spread.diffused(planes, 1 - sketch.strengthen(1 - tensor(lines)), 1e-3))
    else:
        index, _ = spread.nearest(mask[:, 0] > 0, torch.ones_like(mask[:, 0]))
        made = painted.flatten(2).gather(2, index.flatten(1)[:, None].expand(-1, 3, -1)).view_as(painted)
    return to_bytes(made * tensor(lines))


def figures_of(result: np.ndarray, truth: np.ndarray, hints: np.ndarray | None = None) -> Figures:
    """Every figure of one picture; ssim, psnr and ciede2000 judge the lines as well, ab_error and chroma the colours alone."""
    made, wanted = tensor(result), tensor(truth)
    found = {
        "mse": mse(made, wanted),
        "psnr_rgb": psnr_rgb(made[0], wanted[0]),
        "ssim_rgb": ssim_rgb(made[0], wanted[0]),
        "ciede2000": float(colour.delta_e_2000(colour.rgb_to_lab(made), colour.rgb_to_lab(wanted)).mean()),
        "ab_error": ab_error(made, wanted),
        "chroma": chroma(made),
        "chroma_truth": chroma(wanted),
        "colorfulness": colorfulness(made[0]),
        "colorfulness_truth": colorfulness(wanted[0]),
        "saturation": _saturation(made),
        "saturation_truth": _saturation(wanted),
    }
    if hints is not None:
        asked, mask = tensor(hints[..., :3]), tensor(hints[..., 3:]) * _paper(result)
        if float(mask.sum()) > 0:  # dots may all lie under ink
            found["hint_error"] = hint_error(made, asked, mask)
    return found


def _saturation(rgb: Tensor) -> float:
    """The mean of HSV's saturation times value, so that nearly black lines count for nearly nothing."""
    return float((rgb.amax(1) - rgb.amin(1)).mean())


def _paper(result: np.ndarray) -> Tensor:
    """Where a result is not ink [1, 1, H, W]: under black lines no hint can be seen."""
    return (tensor(result).amax(1, keepdim=True) > 0.25).float()


def run(request: Request) -> Report:
    """Rows: what needs no network, then each setting with reference, dots, patches and seed; the sheet shows the first."""
    dots, patches = f"{DOTS} dots", "patches"
    free = ["lines", "lines x reference", f"nearest, {dots}", f"diffused, {dots}"]
    free += [f"nearest, {patches}", f"diffused, {patches}"]
    titles = free + [f"{title}, {way}" for title in request.settings for way in ("reference", dots, patches, "seed")]
    tallies = {title: Tally(request.features) for title in titles}
    columns = ("lines", "reference", "by it", "dots", "by them", "patches", "by them", "by seed", "truth")
    report, shown = Report({}, columns), request.shown()
    for number, truth in enumerate(request.pictures):
        lines, reference = lines_of(truth), reference_of(truth)
        fine, points = to_bytes(sketch.xdog(tensor(truth))), dotted(truth, number, DOTS, DOT_RADIUS)
        areas = patched(truth, number)
        results = [lines.repeat(3, 2), multiplied(lines, reference)]
        results += [spread_out(d, h, way) for d, h in ((fine, points), (lines, areas)) for way in (False, True)]
        for options in request.settings.values():
            for drawing, extras in (
                (lines, {"reference": reference}), (fine, {"hints": points}), (lines, {"hints": areas}), (lines, {}),
            ):  # fmt: skip
                results.append(_rgb(request.run(drawing, options, **extras)[0]))
        for title, result in zip(titles, results, strict=True):
            hints = points if title.endswith(dots) else areas if title.endswith(patches) else None
            tallies[title].add(result, truth, figures_of(result, truth, hints))
        if number in shown:
            by = results[len(free) :]
            row = (results[0], reference, by[0], _over(fine, points), by[1], _over(lines, areas), by[2], by[3], truth)
            report.sheet.append(row)
        request.tell(f"{number + 1} of {len(request.pictures)}")
    level(list(tallies.values()))
    report.rows = {title: tally.means() for title, tally in tallies.items()}
    for means in report.rows.values():
        means["saturation_share"] = means["saturation"] / max(means["saturation_truth"], 1e-9)
    return report


def _over(lines: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The hints as painted over the lines."""
    return np.where(layer[..., 3:] > 0, layer[..., :3], lines)


def _rgb(result: np.ndarray) -> np.ndarray:
    return result if result.shape[2] == 3 else result[..., :1].repeat(3, 2)
