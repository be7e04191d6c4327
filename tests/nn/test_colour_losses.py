"""Rare colours count more; noise that stands for something."""

import torch
import torch.nn.functional as F

from engine.nn import colour_losses as losses


def test_rare_colours_weigh_more_and_the_mean_weight_is_one():
    common, rare = torch.zeros(1, 2, 10, 10), torch.full((1, 2, 1, 1), 0.75)
    bins = torch.cat((losses.colour_bins(common).flatten(), losses.colour_bins(rare).flatten()))
    weight = losses.rarity(bins, 0.5)
    assert weight.shape == (losses.BINS**2,)
    assert weight[bins[-1]] > 1.5 * weight[bins[0]]
    assert torch.allclose(losses.rarity(bins, 0.0), torch.ones(losses.BINS**2))


def test_every_colour_has_a_bin():
    uv = torch.rand(1, 2, 50, 50, generator=torch.Generator().manual_seed(0)) * 2 - 1
    uv[..., 0, 0], uv[..., 0, 1] = -1.0, 1.0
    bins = losses.colour_bins(uv)
    assert bins.min() == 0 and bins.max() == losses.BINS**2 - 1


def test_coupled_noise_stays_normal_and_follows_its_target():
    g = torch.Generator().manual_seed(2)
    target = torch.randn(400, 1, 2, 2, generator=g)
    large = target.repeat_interleave(16, 2).repeat_interleave(16, 3)
    noise = losses.coupled(torch.randn(400, 1, 32, 32, generator=g), large, 16, 0.5)
    means = F.avg_pool2d(noise, 16) * 16
    assert abs(float(means.std()) - 1) < 0.05 and abs(float(noise.std()) - 1) < 0.01
    assert 0.4 < float(torch.corrcoef(torch.stack((means.flatten(), target.flatten())))[0, 1]) < 0.6
