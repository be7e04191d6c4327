"""Flat colours: one for each shape, also through small gaps; as varied as the clouds that they are made of."""

import pytest
import torch

from engine.imaging.flat import flattened


def clouds(n, h, w, seed=0):
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, 3, 5, 6, generator=rng)
    return torch.nn.functional.interpolate(coarse, (h, w), mode="bilinear", align_corners=False)


def box(gap):
    """Ink [1, 1, 180, 240]: a box with a gap of so many pixels in its upper side."""
    ink = torch.zeros(1, 1, 180, 240)
    ink[..., 40:42, 60:180] = ink[..., 140:142, 60:180] = 1
    ink[..., 40:142, 60:62] = ink[..., 40:142, 178:180] = 1
    ink[..., 40:42, 110 : 110 + gap] = 0
    return ink


@pytest.mark.parametrize("gap", [0, 2])
def test_a_shape_is_flat_and_keeps_to_itself(gap):
    """Also where its line has a gap of two pixels."""
    given = clouds(1, 60, 80)
    made = flattened(given, box(gap))
    assert made.shape == (1, 3, 180, 240)
    inside, outside = (
        made[..., 46:134, 66:172],
        torch.cat((made[..., :32, :].flatten(2), made[..., -32:, :].flatten(2)), 2),
    )
    assert given[..., 18:42, 25:55].std((2, 3)).max() > 0.05
    assert inside.std((2, 3)).max() < 0.01 and outside.std(2).max() < 0.03
    assert (inside.mean((2, 3)) - outside.mean(2)).abs().max() > 0.03


def test_without_a_line_between_there_is_one_colour():
    assert flattened(clouds(1, 60, 80), torch.zeros(1, 1, 180, 240)).std((2, 3)).max() < 0.03


def test_it_is_as_varied_as_what_it_is_made_of():
    """Many small shapes: means of clouds are taken apart again, but not beyond what the clouds had."""
    ink = torch.zeros(1, 1, 180, 240)
    ink[..., ::30, :] = ink[..., ::30] = 1
    given = clouds(1, 60, 80)
    made = flattened(given, ink)
    share = (made - made.mean((2, 3), keepdim=True)).square().mean() / (
        given - given.mean((2, 3), keepdim=True)
    ).square().mean()
    assert 0.8 < share < 1.05
    assert made.min() >= 0 and made.max() <= 1


def test_one_colour_stays_exactly_so():
    white = torch.ones(1, 3, 32, 32)
    assert torch.equal(flattened(white, box(0)), torch.ones(1, 3, 180, 240))


def test_a_sample_of_a_batch_is_what_it_is_alone():
    given, ink = clouds(2, 60, 80), torch.cat((box(0), box(2)))
    both = flattened(given, ink)
    for n in range(2):
        assert torch.allclose(flattened(given[n : n + 1], ink[n : n + 1]), both[n : n + 1], atol=1e-4)


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (1, 300), (64, 7)])
def test_every_size_works(size):
    made = flattened(clouds(1, *size), torch.rand(1, 1, *size))
    assert torch.isfinite(made).all() and made.shape[1] == 3
