"""Levin 2004, "Colorization using Optimization": values that flow over paper and stop at ink, as a sparse linear system.

Solved exactly (to a tolerance) by conjugate gradients with a multigrid cycle as preconditioner, for a whole batch at once and
on any device. Pure functions on tensors; the system is that of a network of resistors on the pixels' grid.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SMOOTHINGS, DAMPING = 2, 0.8  # Jacobi steps before and after each coarser grid, and their length
SMALLEST = 4  # pixels of a side: below it a grid is not halved any more


class Grid:
    """The matrix: data on the diagonal, conductances between neighbours; symmetric, positive where any data is.

    across [N, 1, H, W - 1], down [N, 1, H - 1, W] >= 0: between pixels beside and below one another. data [N, 1, H, W] >= 0:
    how firmly each pixel is held to what is given there.
    """

    def __init__(self, across: Tensor, down: Tensor, data: Tensor) -> None:
        self.across, self.down, self.data = across, down, data
        self.diagonal = (
            data + F.pad(across, (0, 1)) + F.pad(across, (1, 0)) + F.pad(down, (0, 0, 0, 1)) + F.pad(down, (0, 0, 1, 0))
        )
        self.damped = DAMPING / self.diagonal.clamp_min(1e-12)

    def times(self, x: Tensor) -> Tensor:
        """The matrix times x [N, C, H, W]."""
        result = self.diagonal * x
        for here, there, between in (
            (result[..., 1:], x[..., :-1], self.across),
            (result[..., :-1], x[..., 1:], self.across),
            (result[..., 1:, :], x[..., :-1, :], self.down),
            (result[..., :-1, :], x[..., 1:, :], self.down),
        ):
            here.addcmul_(between, there, value=-1)  # in place: most of the time goes into fresh memory otherwise
        return result

    def halved(self) -> Grid:
        """The grid of 2 x 2 pixels as one: their data added, their borders in parallel, each twice as far from the next."""
        h, w = self.data.shape[-2:]
        odd = (0, w % 2, 0, h % 2)
        data, across, down = (F.pad(x, odd) for x in (self.data, self.across, self.down))
        across, down = across[..., 1::2], down[..., 1::2, :]
        return Grid(
            0.5 * (across[..., ::2, :] + across[..., 1::2, :]),
            0.5 * (down[..., ::2] + down[..., 1::2]),
            4 * F.avg_pool2d(data, 2),
        )


def between(conducts: Tensor) -> tuple[Tensor, Tensor]:
    """The conductances across and down between pixels of these own ones [N, 1, H, W]: of each two the lesser."""
    across = torch.minimum(conducts[..., 1:], conducts[..., :-1])
    return across, torch.minimum(conducts[..., 1:, :], conducts[..., :-1, :])


def _cycle(grids: list[Grid], b: Tensor, level: int = 0) -> Tensor:
    """About the solution of the system at `level` for b: one V cycle, linear and symmetric, as a preconditioner must be."""
    grid = grids[level]
    x = grid.damped * b
    steps = SMOOTHINGS if level + 1 < len(grids) else 8
    for _ in range(steps - 1):
        x.addcmul_(grid.damped, b - grid.times(x))
    if level + 1 == len(grids):
        return x
    rest = b - grid.times(x)
    h, w = rest.shape[-2:]
    coarse = _cycle(grids, 4 * F.avg_pool2d(F.pad(rest, (0, w % 2, 0, h % 2)), 2), level + 1)
    x = x + coarse.repeat_interleave(2, 2)[..., :h, :].repeat_interleave(2, 3)[..., :w]
    for _ in range(SMOOTHINGS):
        x.addcmul_(grid.damped, b - grid.times(x))
    return x


class Parts:
    """The mean error of each part that walls cut off from the others, which no coarser grid shows (Nicolaides 1987).

    number [N, H, W]: the same whole number in all pixels of a part, below 0 in those of none; each sample has parts of its own.
    Called with what is left of b [N, C, H, W] it gives what to add to each part, [N, C, H, W].
    """

    def __init__(self, grid: Grid, number: np.ndarray) -> None:
        samples = np.arange(len(number))[:, None, None]
        _, where = np.unique(np.where(number < 0, -1, number + samples * (number.max() + 1)), return_inverse=True)
        self._where, self._member = where.ravel(), torch.from_numpy(number >= 0)[:, None]
        edge = [torch.from_numpy(np.diff(number, axis=axis) != 0)[:, None] for axis in (2, 1)]
        # How firmly a part as a whole is held: by its data, and by all that it conducts to the outside.
        self._firm = self._sums(Grid(grid.across * edge[0], grid.down * edge[1], grid.data).diagonal)

    def _sums(self, plane: Tensor) -> np.ndarray:
        """The sum of a plane [N, 1, H, W] over each part: one after the other, the same by any number of threads."""
        found: np.ndarray = np.bincount(self._where, plane.numpy().ravel())
        return found

    def __call__(self, rest: Tensor) -> Tensor:
        means = [(self._sums(plane) / self._firm)[self._where].reshape(plane.shape) for plane in rest.split(1, 1)]
        return torch.from_numpy(np.concatenate(means, 1)).to(rest) * self._member


def total(x: Tensor) -> Tensor:
    """The sum over rows and columns, [N, C, 1, 1]: row by row, so that it is the same to the bit by any number of threads."""
    return x.sum(3, keepdim=True).sum(2, keepdim=True)


def solve(grid: Grid, b: Tensor, tolerance: float = 1e-3, most: int = 60, parts: Parts | None = None) -> Tensor:
    """x [N, C, H, W] with grid.times(x) = b, each sample and channel to `tolerance` of b's length, or after `most` steps.

    parts: of the grid; on the CPU alone. A third of the steps is enough with them where walls hardly conduct.
    """
    grids = [grid]
    while min(grids[-1].data.shape[-2:]) > SMALLEST:
        grids.append(grids[-1].halved())

    def dot(one: Tensor, other: Tensor) -> Tensor:
        return total(one * other)

    def nearly_solved(rest: Tensor) -> Tensor:
        return _cycle(grids, rest) if parts is None else _cycle(grids, rest) + parts(rest)

    x, r = torch.zeros_like(b), b
    enough = tolerance**2 * dot(b, b)
    z = nearly_solved(r)
    p, rz = z, dot(r, z)
    for _ in range(most):
        ap = grid.times(p)
        # What is solved stands still while others of the batch go on: a sample's result is its own.
        alpha = torch.where(dot(r, r) <= enough, 0.0, rz / dot(p, ap).clamp_min(1e-30))
        x = x + alpha * p
        r = r - alpha * ap
        if bool((dot(r, r) <= enough).all()):
            break
        z = nearly_solved(r)
        rz, before = dot(r, z), rz
        p = z + rz / before.clamp_min(1e-30) * p
    return x
