"""Shapes of a drawing, closed by its lines, and which of them hold a hint: those are filled, the others get one colour each."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import resize, windows

SIDE = 216  # shortest side, in pixels, at which shapes and strokes are looked at
WALL = 0.5  # ink from here on parts shapes; it is thickened by a pixel, so that small gaps do not join them
ALIKE = 0.15  # of 1: neighbours that differ by more in any channel belong to two strokes; a brush has grain


class Shapes:
    """The shapes of ink [1, 1, H, W] (1 = black), and which of them a hint of mask [1, 1, h, w] (1 or 0) lies in.

    hinted [1, 1, h', w'] is 1 in those, 0 in others and on lines; its shorter side is SIDE or that of ink.
    """

    def __init__(self, ink: Tensor, mask: Tensor) -> None:
        self.size = seen_at(ink)
        self.number = components(thickened(ink, self.size)[0, 0].numpy() <= WALL)
        self.hinted = self._with(mask)

    def _with(self, mask: Tensor) -> Tensor:
        """1 in the shapes [1, 1, h', w'] in which something of mask [1, 1, h, w] lies."""
        marked = F.interpolate(mask, self.size, mode="nearest-exact")[0, 0].numpy() > 0
        found = np.isin(self.number, np.unique(self.number[marked])) & (self.number >= 0)
        return torch.from_numpy(found)[None, None].float()

    def welcome(self, members: Tensor) -> Tensor:
        """Where each of several kinds of hints [1, K, h, w] (1 or 0) counts: everywhere but in shapes that hold others only."""
        homes = torch.cat([self._with(member) for member in members.split(1, 1)], 1)
        return F.interpolate(torch.maximum(homes, 1 - self.hinted), members.shape[-2:], mode="nearest-exact")

    def flattened(self, colours: Tensor) -> Tensor:
        """RGB [1, 3, h, w] -> at the size of `hinted`: in each shape without a hint the mean of what lay in it."""
        wide = resize.bilinear(colours, *self.size)
        alone = (self.number >= 0) & (self.hinted[0, 0].numpy() == 0)
        _, where = np.unique(self.number[alone], return_inverse=True)
        count = np.bincount(where.ravel())
        for plane in wide[0].numpy():  # a view: written into
            plane[alone] = (np.bincount(where.ravel(), plane[alone]) / np.maximum(count, 1))[where.ravel()]
        return wide


def seen_at(ink: Tensor) -> list[int]:
    """The height and width at which the shapes of ink [N, 1, H, W] are looked at."""
    finer = max(1.0, min(ink.shape[-2:]) / SIDE)
    return [max(1, round(side / finer)) for side in ink.shape[-2:]]


def thickened(ink: Tensor, size: list[int] | torch.Size) -> Tensor:
    """Ink [N, 1, H, W] brought to a size, its lines a pixel thicker on either side."""
    return windows.highest(F.adaptive_max_pool2d(ink, size), 1)


def components(member: np.ndarray, rgb: np.ndarray | None = None) -> np.ndarray:
    """The connected parts, by sides, of member [H, W] bool: [H, W], the same number from 0 on in each, -1 outside.

    rgb [3, H, W]: neighbours that differ by more than ALIKE are not connected.
    """
    h, w = member.shape
    number = np.arange(h * w).reshape(h, w)
    across, down = member[:, 1:] & member[:, :-1], member[1:] & member[:-1]
    if rgb is not None:
        across = across & (np.abs(np.diff(rgb, axis=2)).max(0) <= ALIKE)
        down = down & (np.abs(np.diff(rgb, axis=1)).max(0) <= ALIKE)
    one = np.concatenate((number[:, :-1][across], number[:-1][down]))
    other = np.concatenate((number[:, 1:][across], number[1:][down]))
    parent = number.ravel().copy()
    while not np.array_equal(parent[one], parent[other]):
        # Of two parts that touch, the root with the greater number takes the lesser; then all ways to roots are shortened.
        np.minimum.at(parent, np.maximum(parent[one], parent[other]), np.minimum(parent[one], parent[other]))
        while not np.array_equal(parent, parent[parent]):
            parent = parent[parent]
    return np.where(member, parent.reshape(h, w), -1)
