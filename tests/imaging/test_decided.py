"""Hints that decide between colours, and the shapes that they fill."""

import numpy as np
import pytest
import torch

from engine.imaging import hsv, spread
from engine.imaging.decided import ALIKE, MOST, decided, labels
from engine.imaging.shapes import Shapes

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.2, 0.9)
SIDE = 60


def dots(*places):
    """Hint planes [1, 4, SIDE, SIDE] with dots (row, column, colour) of 4 x 4 pixels."""
    planes = torch.zeros(1, 4, SIDE, SIDE)
    for row, column, rgb in places:
        xyv = hsv.rgb_to_xyv(torch.tensor(rgb).view(1, 3, 1, 1))[0, :, 0, 0]
        planes[0, :, row : row + 4, column : column + 4] = torch.cat((xyv, torch.ones(1)))[:, None, None]
    return planes


def rgb_of(xyv, row, column):
    return hsv.xyv_to_rgb(xyv)[0, :, row, column]


def test_between_two_hints_of_one_shape_there_is_a_border():
    paper, hints = torch.ones(1, 1, SIDE, SIDE), dots((28, 4, RED), (28, 52, BLUE))
    sharp, soft = decided(hints, paper), spread.diffused(hints, paper)
    for column, wanted in ((18, RED), (41, BLUE)):
        ours, mean = (float((rgb_of(x, 30, column) - torch.tensor(wanted)).norm()) for x in (sharp, soft))
        assert ours < 0.7 * mean


def test_many_of_a_kind_outvote_what_leaks_in():
    # A wall with a gap: red leaks through it to where two blue dots of nearly one colour lie.
    paper = torch.ones(1, 1, SIDE, SIDE)
    paper[..., :, 30] = 0
    paper[..., 28:31, 30] = 1
    hints = dots((28, 22, RED), (4, 50, BLUE), (52, 50, (0.12, 0.2, 0.88)))
    beside = (30, 36)
    ours, mean = (float(rgb_of(x, *beside)[0]) for x in (decided(hints, paper), spread.diffused(hints, paper)))
    assert ours < 0.7 * mean


def test_hints_themselves_and_shapes_with_one_keep_their_colour():
    paper = torch.ones(1, 1, SIDE, SIDE)
    paper[..., 30] = 0
    made = decided(dots((10, 10, RED), (10, 45, BLUE)), paper)
    torch.testing.assert_close(rgb_of(made, 11, 11), torch.tensor(RED), atol=0.02, rtol=0)
    torch.testing.assert_close(rgb_of(made, 50, 5), torch.tensor(RED), atol=0.05, rtol=0)
    torch.testing.assert_close(rgb_of(made, 50, 55), torch.tensor(BLUE), atol=0.05, rtol=0)
    assert not decided(torch.zeros(1, 4, SIDE, SIDE), paper).any()


def test_in_a_closed_shape_only_its_own_hints_count():
    # A thin line, pale at the network's size, and a hint beyond it that is much nearer than a shape's own: it leaks through.
    small, ink = torch.ones(1, 1, SIDE, SIDE), torch.zeros(1, 1, 2 * SIDE, 2 * SIDE)
    small[..., 30], ink[..., 60] = 0.9, 1
    hints = dots((10, 24, RED), (52, 52, BLUE))
    leaking, kept = decided(hints, small), decided(hints, small, Shapes(ink, hints[:, 3:]))
    assert float(rgb_of(leaking, 11, 33)[0]) > 0.25
    torch.testing.assert_close(rgb_of(kept, 11, 33), torch.tensor(BLUE), atol=0.02, rtol=0)
    torch.testing.assert_close(rgb_of(kept, 50, 10), torch.tensor(RED), atol=0.02, rtol=0)


def test_labels_are_few_and_tell_colours_apart():
    rng = np.random.default_rng(1)
    lab = np.concatenate(
        [centre + rng.normal(0, 0.5, (20, 3)) for centre in ((50, 60, 40), (60, -50, 10), (30, 5, -60))]
    )
    centres, label = labels(lab)
    assert len(centres) == 3
    assert all(len(set(label[k : k + 20])) == 1 for k in (0, 20, 40))
    assert len(labels(rng.uniform(-60, 60, (400, 3)))[0]) == MOST
    assert len(labels(np.full((9, 3), 7.0) + ALIKE / 40)[0]) == 1


@pytest.mark.parametrize("side", [60, 300])
def test_shapes_without_a_hint_get_their_mean(side):
    ink, mask = torch.zeros(1, 1, side, side), torch.zeros(1, 1, 16, 16)
    ink[..., side // 2] = 1
    mask[..., 8, 3] = 1
    shapes = Shapes(ink, mask)
    height, width = shapes.size
    assert min(height, width) == min(side, 216)
    assert shapes.hinted[..., : width // 2 - 2].all() and not shapes.hinted[..., width // 2 :].any()
    colours = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    made = shapes.flattened(colours)
    right = made[..., width // 2 + 2 :]
    assert float(right.flatten(2).std(2).max()) < 1e-6
    torch.testing.assert_close(right[0, :, 0, 0], colours[..., 8:].mean((0, 2, 3)), atol=0.06, rtol=0)
    assert float(made[..., : width // 2 - 2].std()) > 0.05  # a hint's own shape is the network's matter
