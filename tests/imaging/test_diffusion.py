"""Colours that flow between lines: the system is solved, for any size and batch; they stop at ink and keep to the hints."""

import numpy as np
import pytest
import torch

from engine.imaging import diffusion, spread


def system(n, h, w, seed=0):
    rng = torch.Generator().manual_seed(seed)
    across, down = torch.rand(n, 1, h, w - 1, generator=rng) ** 4, torch.rand(n, 1, h - 1, w, generator=rng) ** 4
    held = (torch.rand(n, 1, h, w, generator=rng) > 0.9).float()
    held[..., 0, 0] = 1
    return diffusion.Grid(across, down, 2 * held + 1e-3), 2 * held * torch.rand(n, 3, h, w, generator=rng)


@pytest.mark.parametrize("size", [(9, 13), (16, 16), (1, 1), (1, 7), (23, 2)])
def test_the_solution_is_that_of_the_whole_matrix(size):
    grid, b = system(1, *size)
    count = size[0] * size[1]
    matrix = grid.times(torch.eye(count).view(1, count, *size))[0].view(count, count)
    assert torch.allclose(matrix, matrix.T) and (torch.linalg.eigvalsh(matrix) > 0).all()
    wanted = torch.linalg.solve(matrix.double(), b[0].flatten(1).T.double()).T.view(3, *size)
    assert (diffusion.solve(grid, b, 1e-6)[0] - wanted).abs().max() < 1e-3


def test_parts_behind_walls_are_solved_in_few_steps():
    """Two samples of rooms with walls that hardly conduct, each held faintly to colours of its own."""
    rng = torch.Generator().manual_seed(0)
    number = np.kron(np.arange(12).reshape(3, 4), np.ones((23, 19), int))  # no wall lies on a coarser grid's border
    number[::23], number[:, ::19] = -1, -1
    number = np.stack((number, number[::-1]))
    conducts = torch.where(torch.from_numpy(number < 0), 1e-5, 1.0).double()[:, None]
    grid = diffusion.Grid(*diffusion.between(conducts), torch.full_like(conducts, 1e-5))
    b = 1e-5 * torch.rand(2, 3, *number.shape[1:], generator=rng) * (2 + torch.from_numpy(number).sin())[:, None]
    wanted = diffusion.solve(grid, b, 1e-10, 3000)
    assert (diffusion.solve(grid, b, 1e-10, 10) - wanted).abs().max() > 0.1
    made = diffusion.solve(grid, b, 1e-10, 10, diffusion.Parts(grid, number))
    assert (made - wanted).abs().max() < 1e-4
    alone = diffusion.Grid(*(x[1:] for x in (grid.across, grid.down, grid.data)))
    again = diffusion.solve(alone, b[1:], 1e-10, 10, diffusion.Parts(alone, number[1:]))
    assert torch.allclose(again, made[1:])


def test_a_sample_of_a_batch_is_what_it_is_alone():
    grid, b = system(3, 30, 41)
    together = diffusion.solve(grid, b)
    for n in range(3):
        one = diffusion.Grid(*(x[n : n + 1] for x in (grid.across, grid.down, grid.data)))
        assert torch.allclose(diffusion.solve(one, b[n : n + 1]), together[n : n + 1], atol=1e-5)


def test_a_grid_made_coarser_keeps_its_currents():
    """Two flat halves that hold to 1 and 0: the same value on either grid, and odd sides lose nothing."""
    grid = diffusion.Grid(torch.ones(1, 1, 5, 6), torch.ones(1, 1, 4, 7), torch.ones(1, 1, 5, 7))
    coarse = grid.halved()
    assert coarse.data.shape == (1, 1, 3, 4) and coarse.data.sum() == 35
    assert coarse.across[0, 0, 0].tolist() == [1, 1, 1] and coarse.across[0, 0, 2].tolist() == [0.5, 0.5, 0.5]


def dots(size, *places):
    hints = torch.zeros(1, 4, *size)
    for row, column, colour in places:
        hints[0, :, row : row + 2, column : column + 2] = torch.tensor([*colour, 1.0]).view(4, 1, 1)
    return hints


def test_colours_stop_at_ink():
    drawing = torch.ones(1, 1, 40, 64)
    drawing[..., 31:33] = 0
    made = spread.diffused(dots((40, 64), (10, 10, (0.5, 0.0, 0.2)), (30, 50, (-0.5, 0.3, 0.9))), drawing)
    assert (made[0, 0, :, :30] - 0.5).abs().max() < 0.05 and (made[0, 0, :, 34:] + 0.5).abs().max() < 0.05
    drawing[...] = 1
    blended = spread.diffused(dots((40, 64), (10, 10, (0.5, 0.0, 0.2)), (30, 50, (-0.5, 0.3, 0.9))), drawing)
    assert blended[0, 0, 20, 31].abs() < 0.15  # without a line, halfway between the two


def test_hints_keep_their_colours_and_bound_all_others():
    rng = torch.Generator().manual_seed(1)
    places = [
        (int(r), int(c), torch.rand(3, generator=rng).tolist()) for r, c in torch.randint(0, 44, (9, 2), generator=rng)
    ]
    hints, drawing = dots((46, 46), *places), (torch.rand(1, 1, 46, 46, generator=rng) > 0.2).float()
    planes = spread.spread(hints, drawing)
    mask = hints[:, 3:] > 0
    assert torch.equal(planes[:, :3] * mask, hints[:, :3])  # of the nearest hint: exactly
    inside = (
        planes[:, 4:7][mask.expand(-1, 3, -1, -1)].view(3, -1),
        hints[:, :3][mask.expand(-1, 3, -1, -1)].view(3, -1),
    )
    assert (inside[0] - inside[1]).abs().mean() < 0.15
    flat = hints[:, :3][mask.expand(-1, 3, -1, -1)].view(3, -1)
    for channel in range(3):
        assert (
            planes[0, 4 + channel].min() >= flat[channel].min() and planes[0, 4 + channel].max() <= flat[channel].max()
        )


def test_a_sample_without_hints_among_others_stays_empty():
    hints = torch.cat((dots((20, 24), (5, 5, (0.3, 0.1, 0.6))), torch.zeros(1, 4, 20, 24)))
    made = spread.spread(hints, torch.ones(2, 1, 20, 24))
    assert made[1].abs().max() == 0 and torch.isfinite(made).all()
    assert torch.allclose(made[:1], spread.spread(hints[:1], torch.ones(1, 1, 20, 24)), atol=1e-5)
