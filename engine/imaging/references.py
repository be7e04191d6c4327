"""Colour references and hints made of the picture itself, for training line-art colorizers (UNAM 2022 thesis, section 5.1).

Pictures and values are float tensors [N, C, H, W] in any colour space whose means make sense (RGB, XYV). All randomness comes
from a CPU generator that the caller gives.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import colour, hsv, sketch, spread


def _uniform(rng: torch.Generator, like: Tensor, low: float, high: float, *shape: int) -> Tensor:
    return (low + (high - low) * torch.rand(*shape, generator=rng)).to(like.device)


def blurred(values: Tensor, cells: int) -> Tensor:
    """Only the colours of `cells` x `cells` areas, with soft borders."""
    return F.interpolate(F.adaptive_avg_pool2d(values, cells), values.shape[-2:], mode="bilinear", align_corners=False)


def blocky(values: Tensor, cells: int) -> Tensor:
    """Only the colours of `cells` x `cells` areas, as flat squares."""
    return F.interpolate(F.adaptive_avg_pool2d(values, cells), values.shape[-2:], mode="nearest")


def quantised(values: Tensor, steps: int) -> Tensor:
    """`steps` levels a unit: flat areas instead of shading."""
    return (values * steps).round() / steps


def patches(values: Tensor, rng: torch.Generator, count: int = 12) -> Tensor:
    """Where up to `count` random ellipses a picture lie: [N, 1, H, W], 1 inside."""
    n, _, h, w = values.shape
    down = torch.linspace(0, 1, h, device=values.device).view(1, 1, h, 1)
    along = torch.linspace(0, 1, w, device=values.device).view(1, 1, 1, w)
    y, x = _uniform(rng, values, 0, 1, 2, n, count, 1, 1)
    ry, rx = _uniform(rng, values, 0.04, 0.2, 2, n, count, 1, 1)
    there = _uniform(rng, values, 0, 1, n, count, 1, 1) < _uniform(rng, values, 0.1, 1, n, 1, 1, 1)
    inside = (((down - y) / ry) ** 2 + ((along - x) / rx) ** 2 < 1) & there
    return inside.any(1, keepdim=True).to(values.dtype)


def rough(values: Tensor, rng: torch.Generator, side: int = 96) -> Tensor:
    """A rough reference of every picture: [N, C + 1, side, side], the values and where they are set.

    A third blurred, a third in flat squares, a third in few levels; half of them cut out in patches, the rest whole; all
    moved a little, because nobody paints a reference exactly in place.
    """
    n = values.shape[0]
    small = F.interpolate(values, (side, side), mode="bilinear", align_corners=False, antialias=True)
    cells = int(torch.randint(6, 25, (), generator=rng))
    kinds = torch.stack((blurred(small, cells), blocky(small, cells), quantised(blurred(small, 32), 5)), 1)
    kind = torch.randint(0, 3, (n,), generator=rng).to(values.device)
    made = kinds[torch.arange(n, device=values.device), kind]
    cut = (_uniform(rng, values, 0, 1, n, 1, 1, 1) < 0.5).to(values.dtype)
    mask = torch.maximum(patches(small, rng), 1 - cut)
    shift = [int(s) for s in torch.randint(-3, 4, (2,), generator=rng)]
    return torch.cat((made, mask), 1).roll(shift, (2, 3))


def hinted(
    values: Tensor, rng: torch.Generator, share: float = 0.6, dots: int = 48, largest: float = 0.02, fewest: int = 1
) -> Tensor:
    """Random dots and strokes in the picture's own colours: [N, C + 1, H, W], values where the mask (0 or 1) is set, else 0.

    A `share` of the samples gets `fewest` to `dots` of them (uniform in the logarithm), of radius 1 pixel to `largest` of the
    side; every third is a stroke up to an eighth of the side long. Each has one colour, the one in its middle.
    """
    n, c, h, w = values.shape
    count = (fewest * ((dots + 0.99) / fewest) ** _uniform(rng, values, 0, 1, n)).floor()
    count = count * (_uniform(rng, values, 0, 1, n) < share)
    y, x = _uniform(rng, values, 0, 1, 2, n, dots)
    stroke = (_uniform(rng, values, 0, 1, n, dots) < 0.33).to(values.dtype)
    dy, dx = _uniform(rng, values, -0.0625, 0.0625, 2, n, dots) * stroke * max(h, w)
    radius = 0.6 + _uniform(rng, values, 0, 1, n, 1) * max(0.0, largest * max(h, w) - 0.6)
    row, column = (y * h).long().clamp(max=h - 1), (x * w).long().clamp(max=w - 1)
    colours = values.flatten(2).gather(2, (row * w + column).unsqueeze(1).expand(-1, c, -1))
    made = values.new_zeros(n, c + 1, h, w)
    down = torch.arange(h, device=values.device, dtype=values.dtype).view(1, h, 1)
    along = torch.arange(w, device=values.device, dtype=values.dtype).view(1, 1, w)
    for i in range(n):
        k = int(count[i])
        if k == 0:
            continue
        py, px = (down - row[i, :k].view(k, 1, 1)), (along - column[i, :k].view(k, 1, 1))
        vy, vx = dy[i, :k].view(k, 1, 1), dx[i, :k].view(k, 1, 1)
        # Distance to the segment from (row - dy, column - dx) to (row + dy, column + dx).
        t = ((py * vy + px * vx) / (vy * vy + vx * vx).clamp_min(1e-6)).clamp(-1, 1)
        distance, which = ((py - t * vy).square() + (px - t * vx).square()).min(0)
        inside = (distance <= radius[i] ** 2).to(values.dtype)
        made[i, :c] = colours[i][:, which.flatten()].view(c, h, w) * inside
        made[i, c] = inside
    return made


def turned(pictures: Tensor, rng: torch.Generator, degrees: float = 30.0, warp: float = 0.2) -> Tensor:
    """Pictures [N, C, H, W] rotated by up to `degrees` and warped in perspective by up to `warp`, mirrored at the edges.

    Enlarged a little with the turn, so that little of the mirrored rim is seen. The thesis' augmentation.
    """
    n, _, h, w = pictures.shape
    angle = _uniform(rng, pictures, -degrees, degrees, n) * (torch.pi / 180)
    angle = angle * (_uniform(rng, pictures, 0, 1, n) < 0.75)
    zoom = 1 / (1 + 0.35 * angle.abs())
    tilt = _uniform(rng, pictures, -warp, warp, 2, n, 1, 1) * 0.5
    down = torch.linspace(-1, 1, h, device=pictures.device).view(1, h, 1)
    along = torch.linspace(-1, 1, w, device=pictures.device).view(1, 1, w)
    depth = 1 + tilt[0] * along + tilt[1] * down
    cos, sin = (torch.cos(angle) * zoom).view(n, 1, 1), (torch.sin(angle) * zoom).view(n, 1, 1)
    grid = torch.stack(((cos * along - sin * down) / depth, (sin * along + cos * down) / depth), -1)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def lit(pictures: Tensor, rng: torch.Generator, change: float = 0.1) -> Tensor:
    """Brightness and contrast changed by up to `change`, as the thesis does."""
    n = pictures.shape[0]
    brightness = _uniform(rng, pictures, -change, change, n, 1, 1, 1)
    contrast = 1 + _uniform(rng, pictures, -change, change, n, 1, 1, 1)
    return ((pictures - 0.5) * contrast + 0.5 + brightness).clamp(0, 1)


def lesson(
    rgb: Tensor,
    rng: torch.Generator,
    own: float = 0.45,
    displaced: float = 0.15,
    foreign: float = 0.15,
    hinted_share: float = 0.6,
    painted_share: float = 0.0,
    under_lines: bool = True,
) -> dict[str, Tensor]:
    """What a line-art colorizer learns from, at half the size of the pictures [N, 3, 2h, 2w] in [0, 1].

    "sketch" [N, 1, h, w] (1 = paper); "truth" RGB [N, 3, h, w], with under_lines as if no line were drawn; "hints"
    [N, 8, h, w], as spread.spread() gives them in XYV; "reference" [N, 4, 96, 96] in XYV and mask; "coarse" [N, 4, 8, 8],
    what the reference shows, in HxHySV; "own" [N] bool: whose reference is of the picture itself.

    own, displaced, foreign: the shares whose reference is the picture's own, its own colours elsewhere, or another picture's
    (then with many hints, which must win); painted_share: the share whose reference is its hints, if it has any; the rest
    has none.
    """
    n = rgb.shape[0]
    lines = F.avg_pool2d(sketch.drawn(rgb, rng), 2)
    truth = F.avg_pool2d(rgb, 2)
    if under_lines:
        ink = F.max_pool2d(1 - lines, 3, 1, 1)
        truth = spread.fill(truth, (1 - 1.3 * ink).clamp(0, 1) ** 2).clamp(0, 1)
    xyv = hsv.rgb_to_xyv(truth)
    draw = _uniform(rng, rgb, 0, 1, n, 1, 1, 1)
    elsewhere = (draw >= own) & (draw < own + displaced)
    strange = (draw >= own + displaced) & (draw < own + displaced + foreign)
    given = draw < own + displaced + foreign
    shown = torch.where(elsewhere, xyv.flip(3).roll(xyv.shape[-1] // 3, 2), xyv)
    shown = torch.where(strange, xyv.roll(1, 0), shown)
    reference = rough(shown, rng) * given
    # One in three is painted with a broad brush.
    some = hinted(xyv, rng, hinted_share)
    some = torch.where(_uniform(rng, rgb, 0, 1, n, 1, 1, 1) < 0.3, hinted(xyv, rng, hinted_share, 32, 0.06), some)
    painted = torch.where(strange, hinted(xyv, rng, 1.0, fewest=12), some)
    own_hints = (draw >= own + displaced + foreign) & (draw < own + displaced + foreign + painted_share)
    small = F.interpolate(painted, reference.shape[-2:], mode="bilinear", antialias=True)
    small = torch.cat((small[:, :-1] / small[:, -1:].clamp_min(1e-4), small[:, -1:]), 1)
    reference = torch.where(own_hints, small, reference)
    return {
        "sketch": lines,
        "truth": truth,
        "hints": spread.spread(painted, lines, 1e-3),  # rougher than in use, for half of the time
        "reference": reference,
        "coarse": hsv.hsv_to_hxhysv(hsv.xyv_to_hsv(F.adaptive_avg_pool2d(shown, 8))),
        "own": (draw < own).flatten(),
    }


def palette_lesson(rgb: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
    """What a Z encoder learns from, of pictures [N, 3, h, w] in [0, 1]: "reference" and "coarse", as in lesson(), all own."""
    xyv = hsv.rgb_to_xyv(rgb)
    return {"reference": rough(xyv, rng), "coarse": hsv.hsv_to_hxhysv(hsv.xyv_to_hsv(F.adaptive_avg_pool2d(xyv, 8)))}


def coloured(generator: Any, lines: Tensor, hints: Tensor, reference: Tensor) -> Tensor:
    """RGB [N, 3, H, W] that a Generator makes of a sketch with the colours of a reference."""
    return hsv.hxhysv_to_rgb(generator(lines, hints, generator.encode(reference)).float())


def examined(
    paint: Callable[[Tensor, Tensor, Tensor], Tensor], picture: Tensor, side: int, rng: torch.Generator
) -> dict[str, float]:
    """Mean error of a, b in Lab of one picture: with 40 dots, of those dots spread alone, with a reference, with nothing;
    and how strong the last colours are beside the truth's.

    paint: sketch [1, 1, side, side], hints [1, 8, ...] and reference [1, 4, ...] -> RGB [1, 3, side, side], as in lesson().
    picture: uint8 [3, H, W], of which the middle square is seen.
    """
    edge = min(picture.shape[1:])
    top, left = (picture.shape[1] - edge) // 2, (picture.shape[2] - edge) // 2
    rgb = picture[None, :, top : top + edge, left : left + edge].float() / 255
    rgb = F.interpolate(rgb, (2 * side, 2 * side), mode="bilinear", align_corners=False, antialias=True).clamp(0, 1)
    lines, truth = F.avg_pool2d(sketch.drawn(rgb, rng), 2), F.avg_pool2d(rgb, 2)
    xyv, nothing = hsv.rgb_to_xyv(truth), truth.new_zeros(1, 4, 1, 1)
    painted = hinted(xyv, rng, 1.0, 40, 0.01, fewest=40)
    dots = spread.spread(painted, lines)
    made = {
        "spread": hsv.xyv_to_rgb(dots[:, 4:7]),
        "dots": paint(lines, dots, nothing),
        "reference": paint(lines, 0 * dots, rough(xyv, rng)),
        "nothing": paint(lines, 0 * dots, nothing),
    }
    wanted, figures, chroma = colour.rgb_to_lab(truth)[:, 1:], {}, 0.0
    for name, result in made.items():
        ab = colour.rgb_to_lab(result)[:, 1:]
        figures[f"ab_{name}"], chroma = float((ab - wanted).norm(dim=1).mean()), float(ab.norm(dim=1).mean())
    return {**figures, "chroma_share": chroma / max(1.0, float(wanted.norm(dim=1).mean()))}
