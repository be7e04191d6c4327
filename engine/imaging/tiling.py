"""Cutting a picture into tiles that, with enough context around each, give the same result as the whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """A stretch start..stop of one side."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        return self.stop - self.start

    def widened(self, margin: int, limit: int, multiple: int = 1) -> Span:
        """With `margin` more at both ends, outwards to a multiple where there is room, inside 0..limit."""
        start = max(0, self.start - margin) // multiple * multiple
        stop = min(limit, -(-(self.stop + margin) // multiple) * multiple)
        return Span(start, stop)


def cuts(size: int, most: int) -> list[Span]:
    """`size` cut into the fewest equal stretches (within one) of at most `most`."""
    count = max(1, -(-size // most))
    edges = [size * i // count for i in range(count + 1)]
    return [Span(a, b) for a, b in pairwise(edges)]


def tiles(height: int, width: int, side: int) -> Iterator[tuple[Span, Span]]:
    """Equalised tiles of at most side x side pixels, (rows, columns), row by row."""
    for rows in cuts(height, side):
        for columns in cuts(width, side):
            yield rows, columns


def pad_to(x: Tensor, multiple: int) -> Tensor:
    """x [N, C, H, W] with its last row and column repeated until both sides are multiples."""
    height, width = x.shape[-2:]
    down, right = -height % multiple, -width % multiple
    return F.pad(x, (0, right, 0, down), mode="replicate") if down or right else x
