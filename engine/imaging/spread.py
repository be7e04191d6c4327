"""Colours spread over a line drawing: to every pixel those of the hint that is nearest without crossing ink; and under lines.

Pure functions on tensors [N, C, H, W]; a sketch is 1 on paper and 0 in ink.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import diffusion, hsv

INK_COST = 40.0  # crossing a pixel of full ink costs as much as a way of so many pixels over paper
REACH = 0.25  # of the longer side: the distance over which nearness falls to 1/e
# Of a diffusion, chosen on drawings with 40 dots: how much worse full ink conducts than paper, how firmly a pixel holds to its
# hint, and what it loses on the way, so that far hints count less than near ones.
RESISTANCE, HOLD, FADING = 1000.0, 2.0, 1e-4


def nearest(mask: Tensor, cost: Tensor, rounds: int = 2) -> tuple[Tensor, Tensor]:
    """For every pixel the marked pixel that is nearest along the cheapest way, and the cost of that way.

    mask [N, H, W] bool, cost [N, H, W] > 0 of stepping onto each pixel -> index [N, H, W] into the flattened H * W and
    distance [N, H, W], infinite where nothing is marked. Sweeps in four directions, each row looking at the three
    neighbours before it, `rounds` times over: exact for convex ways, near enough for winding ones.
    """
    n, h, w = mask.shape
    # Rows first, so that a row of all pictures lies in one piece; NumPy, as these are thousands of small steps.
    steps = cost.cpu().numpy().transpose(1, 0, 2)
    distance = np.where(mask.cpu().numpy(), 0.0, np.inf).astype(steps.dtype).transpose(1, 0, 2)
    index = np.broadcast_to(np.arange(h * w).reshape(h, 1, w), (h, n, w))
    fields = [distance, index, steps]
    for _ in range(2 * rounds):
        fields = [np.array(field, order="C") for field in fields]
        _sweep(*fields)
        fields = [field.transpose(2, 1, 0) for field in fields]
    way, label = (torch.from_numpy(np.ascontiguousarray(field.transpose(1, 0, 2))) for field in fields[:2])
    return label.to(mask.device), way.to(mask.device)


def _sweep(distance: np.ndarray, index: np.ndarray, cost: np.ndarray) -> None:
    """Every row [N, W] of [H, N, W] looks at the three neighbours in the row before it, downwards and then upwards."""
    rows = len(distance)
    way, better = np.empty_like(distance[0]), np.empty_like(distance[0], bool)
    aside = slice(1, None), slice(None, -1)
    for order in (range(1, rows), range(rows - 2, -1, -1)):
        for row in order:
            before = row - order.step
            slanted = 1.41 * cost[row]
            for here, there, step in (
                (slice(None), slice(None), cost[row]),
                (*aside, slanted),
                (*aside[::-1], slanted),
            ):
                to, label, found = distance[row, :, here], way[:, here], better[:, here]
                np.add(distance[before, :, there], step[:, here], out=label)
                np.less(label, to, out=found)
                np.copyto(to, label, where=found)
                np.copyto(index[row, :, here], index[before, :, there], where=found)


@torch.no_grad()
def spread(hints: Tensor, sketch: Tensor, tolerance: float = 1e-4, wide: Tensor | None = None) -> Tensor:
    """What each pixel may take from the hints: [N, 2C + 2, H, W]. Without hints all is 0.

    The values of the nearest hint (its own within a hint) and the mask; the values as diffused() gives them and, last, how
    near the nearest hint is, in [0, 1]. wide [N, C, H, W]: in the place of the diffused values.

    hints [N, C + 1, H, W]: values and, last, the mask (0..1; from a half on a pixel counts). sketch [N, 1, H, W]. The nearest
    hints are worked out at half size: a guide for a network that sees the lines themselves.
    """
    h, w = hints.shape[-2:]
    mask = (hints[:, -1:] >= 0.5).to(hints.dtype)
    if not bool(mask.any()):
        return hints.new_zeros(hints.shape[0], 2 * hints.shape[1], h, w)
    half = (max(1, h // 2), max(1, w // 2))
    marked = F.adaptive_max_pool2d(mask, half)[:, 0] > 0
    share = F.adaptive_avg_pool2d(mask, half)
    values = F.adaptive_avg_pool2d(hints[:, :-1] * mask, half) / share.clamp_min(1e-6)
    cost = 1.0 + INK_COST * (1.0 - -F.adaptive_max_pool2d(-sketch, half)[:, 0])
    index, distance = nearest(marked, cost)
    taken = values.flatten(2).gather(2, index.flatten(1).unsqueeze(1).expand(-1, values.shape[1], -1)).view_as(values)
    nearness = torch.exp(-distance / (REACH * max(half))).unsqueeze(1)
    found = distance.isfinite().unsqueeze(1)
    small = torch.cat((taken * found, nearness * found), 1)
    small = F.interpolate(small, (h, w), mode="bilinear", align_corners=False)
    closest = torch.where(mask > 0, hints[:, :-1], small[:, :-1])
    wide = diffused(hints, sketch, tolerance) if wide is None else wide
    return torch.cat((closest, hints[:, -1:], wide, small[:, -1:]), 1)


def grid(mask: Tensor, sketch: Tensor) -> diffusion.Grid:
    """The paper [N, 1, H, W] over which hints flow from where mask [N, 1, H, W] is 1: ink hardly conducts."""
    conducts = 1.0 / (1.0 + RESISTANCE * (1.0 - sketch).clamp(0, 1).square())
    return diffusion.Grid(*diffusion.between(conducts), HOLD * mask + FADING)


@torch.no_grad()
def diffused(hints: Tensor, sketch: Tensor, tolerance: float = 1e-4) -> Tensor:
    """The hints' values flowing over paper and through ink as little as possible (Levin 2004): [N, C, H, W].

    hints, sketch: as for spread(); tolerance: of diffusion.solve(). Each sample's values lie between the least and the
    greatest of its hints; 0 without any.
    """
    mask = (hints[:, -1:] >= 0.5).to(hints.dtype)
    if not bool(mask.any()):
        return torch.zeros_like(hints[:, :-1])
    # The mask flows as well: with it the fading towards 0 is divided out, and nearer hints only count for more.
    both = diffusion.solve(
        grid(mask, sketch), HOLD * mask * torch.cat((hints[:, :-1], torch.ones_like(mask)), 1), tolerance
    )
    values = both[:, :-1] / both[:, -1:].clamp_min(1e-12)
    low = torch.where(mask > 0, hints[:, :-1], float("inf")).amin((2, 3), keepdim=True)
    high = torch.where(mask > 0, hints[:, :-1], -float("inf")).amax((2, 3), keepdim=True)
    there = mask.amax((2, 3), keepdim=True) > 0
    return torch.where(there, torch.minimum(torch.maximum(values, low), high), 0.0)


def guided(made: Tensor, trust: Tensor, hints: Tensor, refine: float = 0.0, ease: float = 0.0) -> Tensor:
    """HxHySV [N, 4, H, W] with the spread colours of hints [N, 8, H, W], as spread() gives them, taken where trust says so.

    trust [N, 1, H, W] says how far to take them instead of made; at first, the nearer a hint the more. refine > 0: trust
    [N, 5, H, W] also says which ones, at first mostly the diffused, and corrects X, Y, V, refine times as much. ease: added
    to trust in them, and in the diffused. A hint itself is always taken.
    """
    hints = hints.float()
    near, wide, painted = hints[:, 7:8], hints[:, 4:7], hints[:, 3:4] >= 0.5
    if refine > 0:
        wide = torch.lerp(hints[:, :3], wide, torch.sigmoid(trust[:, 1:2] + 4 + ease))
        wide = wide + 0.5 * refine * torch.tanh(trust[:, 2:])
        trust = trust[:, :1] + 2
    taken = hsv.xyv_to_directed(torch.where(painted, hints[:, :3], wide))
    share = torch.sigmoid(trust + 4 * near - 1 + ease) * (near > 0)
    return torch.lerp(made, taken, torch.where(painted, 1.0, share))


def fill(values: Tensor, weight: Tensor) -> Tensor:
    """Values [N, C, H, W] where weight [N, 1, H, W] (0..1) is 1, smoothly filled in from their surroundings where it is 0.

    A pyramid: weighted means going down, holes filled from the coarser level going up.
    """
    h, w = values.shape[-2:]
    weight = weight.clamp(0.0, 1.0)
    if min(h, w) <= 2:
        mean = (values * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(1e-6)
        return values * weight + mean * (1 - weight)
    half = ((h + 1) // 2, (w + 1) // 2)
    share = F.adaptive_avg_pool2d(weight, half)
    coarse = F.adaptive_avg_pool2d(values * weight, half) / share.clamp_min(1e-6)
    coarse = fill(coarse, (4 * share).clamp(0.0, 1.0))
    return values * weight + F.interpolate(coarse, (h, w), mode="bilinear", align_corners=False) * (1 - weight)
