"""Enlargers: each picture is reduced by MATLAB's bicubic and rounded to 8 bits, enlarged again and compared with itself.

With --damage the reduction is blurred, noisy or compressed as well: what an enlarger for scans and web pictures is judged by.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from engine.generators.base import Card
from engine.imaging.resize import bicubic
from engine.train.degrade import damaged
from engine.train.evaluation.base import Figures, Report, Request, Tally, level, tensor, to_bytes
from engine.train.metrics import checks, lpips
from engine.train.metrics.mse import mse
from engine.train.metrics.psnr import cropped, luma, psnr, psnr_rgb, psnr_y
from engine.train.metrics.sharpness import sharpness
from engine.train.metrics.ssim import SIDE, ssim, ssim_rgb, ssim_y


def least(card: Card) -> int:
    """The shortest side in pixels of a picture that every figure can be taken of: whole steps of the scale, and within its
    border a window of SSIM.
    """
    return -(-(2 * card.scale + SIDE) // card.scale) * card.scale


def figures_of(result: np.ndarray, truth: np.ndarray, scale: int) -> Figures:
    """Figures of one picture; psnr_y and ssim_y leave a border of `scale` pixels out, as the literature does."""
    made, wanted = tensor(result)[0], tensor(truth)[0]
    found = {
        "psnr_y": psnr_y(made, wanted, scale),
        "ssim_y": ssim_y(made, wanted, scale),
        "psnr_rgb": psnr_rgb(made, wanted),
        "ssim_rgb": ssim_rgb(made, wanted),
        "mse": mse(made, wanted),
        "sharpness": sharpness(made),
        "sharpness_truth": sharpness(wanted),
    }
    if min(truth.shape[:2]) >= checks.SIDE:
        found |= {"checks": checks.checks(made), "checks_truth": checks.checks(wanted)}
    return found


def classical(truth: np.ndarray, scale: int) -> Figures:
    """psnr_y and ssim_y of bicubic as papers print it: of the 8-bit luma alone, its reduction not rounded."""
    y = luma(tensor(truth).double()).round() / 255
    height, width = y.shape[-2:]
    made = bicubic(bicubic(y, height // scale, width // scale), height, width).clamp(0, 1)
    a, b = (cropped((x * 255).round(), scale) for x in (made, y))
    return {"psnr_y": psnr(a, b, 255.0), "ssim_y": ssim(a, b, 255.0)}


def run(request: Request) -> Report:
    """The first rows are classical: bicubic in colour and of the luma alone as papers print it, Lanczos as editors have it."""
    scale = request.card.scale
    tallies = {title: Tally(request.features) for title in ("bicubic", "lanczos", *request.settings)}
    luma_alone = Tally(None)
    report, shown = Report({}, ("bicubic", "lanczos", *request.settings, "truth")), request.shown()
    rng = torch.Generator().manual_seed(0)
    for number, picture in enumerate(request.pictures):
        height, width = (side // scale * scale for side in picture.shape[:2])
        truth = np.ascontiguousarray(picture[:height, :width])
        low = damaged(tensor(truth), scale, request.damage, rng)
        lanczos = Image.fromarray(to_bytes(low)).resize((width, height), Image.Resampling.LANCZOS)
        results = [to_bytes(bicubic(low, height, width)), np.asarray(lanczos)]
        for options in request.settings.values():
            results += request.run(to_bytes(low), {**options, "width": width, "height": height})
        for tally, result in zip(tallies.values(), results, strict=True):
            figures = figures_of(result, truth, scale)
            if request.features is not None:
                seen = (tensor(result)[0], tensor(truth)[0])
                figures[lpips.title(request.features)] = lpips.distance(request.features, *seen)
            tally.add(result, truth, figures)
        if number in shown:
            report.sheet.append((*results, truth))
        luma_alone.rows.append(classical(truth, scale))
        request.tell(f"{number + 1} of {len(request.pictures)}")
    level([*tallies.values(), luma_alone])
    first, *others = tallies
    report.rows = {first: tallies[first].means(), "bicubic, luma alone": luma_alone.means()}
    report.rows |= {title: tallies[title].means() for title in others}
    return report
