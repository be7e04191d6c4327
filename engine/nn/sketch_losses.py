"""Losses of the UNAM 2022 thesis (section 5.3) on HxHySV [N, 4, H, W], and one of ours."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.imaging import colour, hsv, references, sketch, spread
from engine.nn.perceptual import Features, gram, perceptual

GRAM_FACTOR = 200.0
FEATURE_WEIGHTS = (0.04, 0.12, 0.18, 0.6)
GRAM_WEIGHTS = (0.04, 0.12, 0.14, 0.05)


def colour_error(made: Tensor, truth: Tensor, hue_floor: float = 1.0, chroma: float = 0.0) -> Tensor:
    """MSE of two HxHySV [N, 4, H, W], plus `chroma` times the squared distance of hue and strength as they are seen.

    hue_floor: the weight of the hue's error where the truth is grey, growing to 1 with its strength; with 1 and chroma 0
    this is the thesis' loss. A grey has no hue, and a net that must guess one learns the convention that it is red.
    """
    weight = hue_floor + (1 - hue_floor) * (2 * truth[:, 2:3] * truth[:, 3:4]).clamp(max=1.0)
    squares = (made - truth).square()
    loss = (squares[:, :2] * weight).mean() / 2 + squares[:, 2:].mean() / 2
    if chroma > 0:
        seen, wanted = (x[:, :2] * x[:, 2:3] * x[:, 3:4] for x in (made, truth))
        loss = loss + chroma * (seen - wanted).square().sum(1).mean()
    return loss


def perceived(features: Features, made: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
    """The thesis' perceptual loss in two parts: four feature maps, and 200 times their Gram matrices.

    Compared in the colour space that the feature network was trained in: XYV for our own, RGB for SqueezeNet.
    """
    with torch.autocast(made.device.type, enabled=False):
        xyv = features.space == "xyv"
        pair = (hsv.hxhysv_to_xyv(made), hsv.rgb_to_xyv(rgb)) if xyv else (hsv.hxhysv_to_rgb(made), rgb)
    maps = features.pair(*pair)
    return perceptual(*maps, FEATURE_WEIGHTS), GRAM_FACTOR * gram(*maps, GRAM_WEIGHTS)


def examined(generator: nn.Module, picture: Tensor, side: int, rng: torch.Generator) -> dict[str, float]:
    """Mean error of a, b in Lab of one picture: with 40 dots, of those dots spread alone, with a reference, with nothing;
    and how strong the last colours are beside the truth's.

    generator: a sketch_unet. picture: uint8 [3, H, W], of which the middle square is seen, at `side` pixels.
    """
    edge = min(picture.shape[1:])
    top, left = (picture.shape[1] - edge) // 2, (picture.shape[2] - edge) // 2
    rgb = picture[None, :, top : top + edge, left : left + edge].float() / 255
    rgb = F.interpolate(rgb, (2 * side, 2 * side), mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
    lines, truth = F.avg_pool2d(sketch.drawn(rgb, rng), 2), F.avg_pool2d(rgb, 2)
    xyv, nothing = hsv.rgb_to_xyv(truth), truth.new_zeros(1, 4, 1, 1)
    painted = references.hinted(xyv, rng, 1.0, 40, 0.01, fewest=40)
    dots = torch.cat((painted, spread.spread(painted, lines)), 1)
    made = {"spread": hsv.xyv_to_rgb(dots[:, 4:7])}
    for name, hints, given in (
        ("dots", dots, nothing),
        ("reference", 0 * dots, references.rough(xyv, rng)),
        ("nothing", 0 * dots, nothing),
    ):
        z = generator.encode(given)  # type: ignore[operator]
        made[name] = hsv.hxhysv_to_rgb(generator(lines, hints, z).float())
    wanted, figures, chroma = colour.rgb_to_lab(truth)[:, 1:], {}, 0.0
    for name, rgb in made.items():
        ab = colour.rgb_to_lab(rgb)[:, 1:]
        figures[f"ab_{name}"], chroma = float((ab - wanted).norm(dim=1).mean()), float(ab.norm(dim=1).mean())
    return {**figures, "chroma_share": chroma / max(1.0, float(wanted.norm(dim=1).mean()))}
