"""Colorizers: every picture is turned grey (8-bit BT.601 luma), coloured without hints, and compared with the truth.

Where the generator takes hints, then again with dots of the true colour. The first row is sepia: every pixel in the mean
chroma of the very pictures that are measured. A colorizer must be better than that. The last rows are the pixels of a skin's
colour alone, by tone, without hints: how people come out, where the pictures show people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from engine.generators.base import Card
from engine.imaging import colour
from engine.train.evaluation.base import Figures, Report, Request, Tally, level, tensor, to_bytes
from engine.train.metrics.ab_error import ab_error
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.hint_obedience import hint_error
from engine.train.metrics.mse import mse
from engine.train.metrics.psnr import psnr_rgb
from engine.train.metrics.skin import TONES, skin_figures
from engine.train.metrics.ssim import SIDE, ssim_rgb

DOTS, DOT_RADIUS = 20, 3  # pixels of the measured picture


def least(card: Card) -> int:
    """The shortest side in pixels of a picture that every figure can be taken of."""
    return SIDE


def grey_of(rgb: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 -> its luma [H, W, 1] uint8."""
    y = rgb.astype(np.float64) @ np.array([colour.KR, colour.KG, colour.KB])
    return np.rint(y).astype(np.uint8)[..., None]


def dotted(rgb: np.ndarray, seed: int, count: int = DOTS, radius: int = DOT_RADIUS) -> np.ndarray:
    """A hints layer [H, W, 4] uint8 with `count` round dots, each in the mean true colour under it."""
    height, width = rgb.shape[:2]
    layer = np.zeros((height, width, 4), np.uint8)
    rows, columns = np.mgrid[:height, :width]
    for y, x in np.random.default_rng(seed).random((count, 2)) * (height, width):
        disc = (rows - y) ** 2 + (columns - x) ** 2 <= radius**2
        if disc.any():
            layer[disc] = [*np.rint(rgb[disc].mean(0)).astype(np.uint8), 255]
    return layer


def by_mean_colour(pictures: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """Sepia of these pictures: grey [H, W, 1] uint8 -> RGB."""
    mean = torch.stack([colour.rgb_to_yuv(tensor(p))[0, 1:].mean((1, 2)) for p in pictures]).mean(0).view(1, 2, 1, 1)

    def paint(grey: np.ndarray) -> np.ndarray:
        y = tensor(grey)
        uv = colour.clamp_chroma(y, mean.expand(1, 2, *y.shape[2:]))
        return to_bytes(colour.yuv_to_rgb(torch.cat((y, uv), 1)))

    return paint


def figures_of(result: np.ndarray, truth: np.ndarray, hints: np.ndarray | None = None) -> Figures:
    """Every figure of one picture, and the truth's own where a figure needs it for comparison."""
    made, wanted = tensor(result), tensor(truth)
    delta = colour.delta_e_2000(colour.rgb_to_lab(made), colour.rgb_to_lab(wanted))
    found = {
        "ab_error": ab_error(made, wanted),
        "ab_error_grey": chroma(wanted),
        "chroma": chroma(made),
        "chroma_truth": chroma(wanted),
        "colorfulness": colorfulness(made[0]),
        "colorfulness_truth": colorfulness(wanted[0]),
        "ciede2000": float(delta.mean()),
        "psnr_rgb": psnr_rgb(made[0], wanted[0]),
        "ssim_rgb": ssim_rgb(made[0], wanted[0]),
        "mse": mse(made, wanted),
    }
    if hints is not None:
        asked, mask = tensor(hints[..., :3]), tensor(hints[..., 3:])
        found["hint_error"] = hint_error(made, asked, mask)
        found["hint_error_grey"] = hint_error(tensor(grey_of(truth).repeat(3, 2)), asked, mask)
    return found


def summary(tally: Tally) -> Figures:
    """The means, the gain over grey in percent of its ab error, and the chroma as a share of the truth's."""
    means = tally.means()
    means["gain_percent"] = 100 * (1 - means["ab_error"] / max(means["ab_error_grey"], 1e-9))
    means["chroma_share"] = means["chroma"] / max(means["chroma_truth"], 1e-9)
    return means


def run(request: Request) -> Report:
    """Rows: sepia, each setting, each setting with hints, skin; the sheet shows every setting, and the first with hints."""
    sepia = by_mean_colour(request.pictures)
    follows = any(port.name == "hints" for port in request.card.inputs)
    titles = ["mean colour", *request.settings]
    titles += [f"{title}, {DOTS} hints" for title in request.settings if follows]
    tallies = {title: Tally(request.features) for title in titles}
    skins = {tone: Tally() for tone in TONES}
    plain_columns = ["result", *[title.partition(", ")[2] for title in list(request.settings)[1:]]]
    report = Report({}, ["grey", *plain_columns, *(["hints", "with hints"] if follows else []), "truth"])
    shown = request.shown()
    for number, truth in enumerate(request.pictures):
        grey, layer = grey_of(truth), dotted(truth, number)
        plain = [request.run(grey, options)[0] for options in request.settings.values()]
        hinted = [request.run(grey, o, hints=layer)[0] for o in request.settings.values()] if follows else []
        for title, result, hints in zip(
            titles,
            (sepia(grey), *plain, *hinted),
            (None, *[None] * len(plain), *[layer] * len(hinted)),
            strict=True,
        ):
            tallies[title].add(result, truth, figures_of(result, truth, hints))
        labs = (colour.rgb_to_lab(tensor(picture)) for picture in (plain[0], truth))
        for tone, figures in skin_figures(*labs).items():
            skins[tone].add(plain[0], truth, figures)
        if number in shown:
            dots = np.where(layer[..., 3:] > 0, layer[..., :3], grey)
            report.sheet.append((grey.repeat(3, 2), *plain, *((dots, hinted[0]) if follows else ()), truth))
        request.tell(f"{number + 1} of {len(request.pictures)}")
    level(list(tallies.values()))
    report.rows = {title: summary(tally) for title, tally in tallies.items()}
    for tone, tally in skins.items():
        if tally.rows:
            report.rows[f"{tone} skin ({len(tally.rows)} pictures)"] = summary(tally)
    return report
