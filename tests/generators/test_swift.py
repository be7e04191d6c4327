"""swift's limit: photographs do not reach it, what it bounds cannot run away, and a senseless one is refused."""

import pytest
import torch

from engine.generators import swift
from engine.imaging.resize import bicubic


def wild(limit):
    torch.manual_seed(0)
    network = swift.Generator(layers=3, limit=limit).eval()
    with torch.no_grad():
        for layer in network.body:
            for parameter in layer.parameters():
                parameter.mul_(10)
    return network


def test_a_limit_bounds_what_is_added():
    given = torch.rand(1, 3, 12, 9, generator=torch.Generator().manual_seed(1))
    added = {}
    for limit in (0.0, 1.0, 1e6):
        with torch.inference_mode():
            added[limit] = (wild(limit)(given) - bicubic(given, 48, 36)).abs().max()
    assert added[1.0] < 0.2 * added[0.0]
    assert torch.equal(added[1e6], added[0.0])


@pytest.mark.parametrize("limit", [-1, float("nan")])
def test_a_senseless_limit_is_refused(limit):
    with pytest.raises(ValueError, match="limit"):
        swift.Generator(limit=limit)
