"""Colours spread over a line drawing: to every pixel those of the hint that is nearest without crossing ink; and under lines.

Pure functions on tensors [N, C, H, W]; a sketch is 1 on paper and 0 in ink.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

INK_COST = 40.0  # crossing a pixel of full ink costs as much as a way of so many pixels over paper
REACH = 0.25  # of the longer side: the distance over which nearness falls to 1/e


def nearest(mask: Tensor, cost: Tensor, rounds: int = 2) -> tuple[Tensor, Tensor]:
    """For every pixel the marked pixel that is nearest along the cheapest way, and the cost of that way.

    mask [N, H, W] bool, cost [N, H, W] > 0 of stepping onto each pixel -> index [N, H, W] into the flattened H * W and
    distance [N, H, W], infinite where nothing is marked. Sweeps in four directions, each row looking at the three
    neighbours before it, `rounds` times over: exact for convex ways, near enough for winding ones.
    """
    n, h, w = mask.shape
    index = torch.arange(h * w, device=mask.device).view(1, h, w).expand(n, h, w).clone()
    distance = torch.where(mask, 0.0, float("inf")).to(cost.dtype)
    for _ in range(rounds):
        for turned in (False, True):
            d, i, c = (t.transpose(1, 2) if turned else t for t in (distance, index, cost))
            d, i, c = d.contiguous(), i.contiguous(), c.contiguous()
            rows = d.shape[1]
            for order in (range(1, rows), range(rows - 2, -1, -1)):
                back = -1 if order.step == 1 else 1
                for row in order:
                    step = c[:, row]
                    before, label = d[:, row + back], i[:, row + back]
                    straight = before + step
                    slanted = F.pad(before, (1, 1), value=float("inf"))
                    left, right = slanted[:, :-2] + 1.41 * step, slanted[:, 2:] + 1.41 * step
                    labels = F.pad(label, (1, 1))
                    best = d[:, row]
                    for candidate, from_label in ((straight, label), (left, labels[:, :-2]), (right, labels[:, 2:])):
                        better = candidate < best
                        best = torch.minimum(candidate, best)
                        i[:, row] = torch.where(better, from_label, i[:, row])
                    d[:, row] = best
            distance, index = (t.transpose(1, 2) if turned else t for t in (d, i))
    return index, distance


@torch.no_grad()
def spread(hints: Tensor, sketch: Tensor) -> Tensor:
    """What each pixel may take from the hints: [N, C + 1, H, W], the nearest hint's values and its nearness in [0, 1].

    hints [N, C + 1, H, W]: values and, last, the mask (0..1; from a half on a pixel counts). sketch [N, 1, H, W]. Worked out
    at half size: a guide for a network that sees the lines themselves. Without hints all is 0.
    """
    h, w = hints.shape[-2:]
    mask = hints[:, -1:]
    if not bool((mask >= 0.5).any()):
        return torch.zeros_like(hints)
    half = (max(1, h // 2), max(1, w // 2))
    marked = F.adaptive_max_pool2d((mask >= 0.5).float(), half)[:, 0] > 0
    share = F.adaptive_avg_pool2d((mask >= 0.5).to(hints.dtype), half)
    values = F.adaptive_avg_pool2d(hints[:, :-1] * (mask >= 0.5), half) / share.clamp_min(1e-6)
    cost = 1.0 + INK_COST * (1.0 - -F.adaptive_max_pool2d(-sketch, half)[:, 0])
    index, distance = nearest(marked, cost)
    taken = values.flatten(2).gather(2, index.flatten(1).unsqueeze(1).expand(-1, values.shape[1], -1)).view_as(values)
    nearness = torch.exp(-distance / (REACH * max(half))).unsqueeze(1)
    found = distance.isfinite().unsqueeze(1)
    small = torch.cat((taken * found, nearness * found), 1)
    return F.interpolate(small, (h, w), mode="bilinear", align_corners=False)


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
