"""Where a picture is flat; which layers of a U-Net Muon takes, and the matrices that it steps along."""

import math

import pytest
import torch

from engine.generators import yuv_cgan
from engine.nn.losses import flatness
from engine.nn.optim import Muon, orthogonalized


def test_flatness_is_one_on_flat_ground_and_falls_with_the_deviation():
    picture = torch.full((1, 3, 12, 24), 0.5)
    picture[..., 12:] += 0.04 * (torch.arange(12) % 2 * 2.0 - 1)  # columns of 0.46 and 0.54: a deviation near 0.04
    found = flatness(picture)
    assert found.shape == (1, 1, 12, 24)
    assert torch.allclose(found[..., :9], torch.ones(1))
    # Five columns of two kinds, 3 to 2: a deviation of sqrt(0.24) * 0.08.
    assert torch.allclose(found[..., 16:20], torch.tensor(math.exp(-(0.24**0.5) * 0.08 / 0.02)), atol=2e-3)


def test_muon_takes_the_inner_convolutions_of_a_unet():
    net = yuv_cgan.Generator(base=4, depth=3, max_filters=8, upsample="bilinear", residual=[0, 1], context=True)
    hidden, others = Muon.inside(net, 0.02, 1e-3).param_groups
    names = {id(p): name for name, p in net.named_parameters()}
    taken = {names[id(p)] for p in hidden["params"]}
    assert "downs.1.conv.weight" in taken and "downs.1.blocks.0.conv1.weight" in taken and "ups.0.conv.weight" in taken
    assert not any(name.startswith(("downs.0.", "head.")) for name in taken)
    assert len(hidden["params"]) + len(others["params"]) == len(names)


@pytest.mark.parametrize("shape", [(24, 200), (40, 40), (90, 16)])
def test_orthogonalized_is_the_plain_quintic_iteration(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    assert torch.allclose(orthogonalized(matrix), x, atol=1e-5)
    assert torch.linalg.svdvals(orthogonalized(matrix)).max() < 1.3
