"""Batch norms folded into convolutions: the same numbers, and nothing left to normalize where the pair says so."""

import copy

import pytest
import torch
from torch import nn

from engine.generators import pix2pix, srgan, swift, yuv_cgan
from engine.nn.branched import Branched
from engine.nn.folding import folded

SMALL = {"base": 8, "depth": 4, "max_filters": 16}
CASES = {
    "srgan, thesis": (srgan, {**srgan.THESIS, "channels": 8, "blocks": 2}, 2 * 2 + 1),
    "yuv_cgan, compact": (yuv_cgan, {**yuv_cgan.CONFIG, **SMALL, "residual": [0, 1, 1, 0]}, None),
    "pix2pix, transposed": (pix2pix, {**pix2pix.CONFIG, **SMALL, "residual": [], "upsample": "transpose"}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_folding_changes_no_number(case):
    module, config, norms = CASES[case]
    torch.manual_seed(3)
    network = module.Generator(**config).eval()
    found = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(found) == norms if norms else found
    for norm in found:
        nn.init.normal_(norm.running_mean), nn.init.uniform_(norm.running_var, 0.3, 3)
        nn.init.uniform_(norm.weight, 0.5, 2), nn.init.normal_(norm.bias)
    side = 2 * module.CARD.multiple if module.CARD.multiple > 1 else 16
    given = [torch.rand(1, port.channels, side, side) for port in module.CARD.inputs]
    with torch.no_grad():
        before = network(*given)
        network = folded(copy.deepcopy(network))
        after = network(*given)
    assert (after - before).abs().max() < 1e-4 * max(1.0, float(before.abs().max()))
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def test_branches_become_one_convolution():
    torch.manual_seed(3)
    network = swift.Generator(channels=8, layers=3).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    picture = torch.rand(1, 3, 12, 12)
    with torch.no_grad():
        before = network(picture)
        after = folded(copy.deepcopy(network))(picture)
    assert (after - before).abs().max() < 1e-4
    assert not [m for m in folded(network).modules() if isinstance(m, Branched)]
    assert sum(p.numel() for p in network.body.parameters()) == 3 * (8 * 8 * 9 + 8)
