"""Rounding by pictures: what a layer puts out errs less, and the numbers are those that a file of so many bits holds."""

import copy

import pytest
import torch
from safetensors.torch import load_file
from skimage import data
from torch import nn

from engine.generators import srgan, swift
from engine.store import rounded, weights
from engine.store.header import Header
from engine.train.compensate import compensated


class Net(nn.Module):
    """A convolution that is rounded, one that is too small for it and one that no picture reaches."""

    def __init__(self):
        super().__init__()
        self.small = nn.Conv2d(3, 48, 3, padding=1)
        self.large = nn.Conv2d(48, 48, 3, padding=1)
        self.idle = nn.Conv2d(48, 48, 3, padding=1)

    def forward(self, x):
        return self.large(torch.relu(self.small(x)))


@pytest.fixture(scope="module")
def photo():
    return torch.from_numpy(data.astronaut()[:96, :128].copy()).permute(2, 0, 1)[None] / 255


@pytest.mark.parametrize("bits", [8, 6])
def test_results_err_less(photo, bits):
    torch.manual_seed(0)
    net = Net()
    plain, careful = copy.deepcopy(net), copy.deepcopy(net)
    plain.load_state_dict(rounded.unpacked(rounded.packed(net.state_dict(), bits)))
    compensated(careful, copy.deepcopy(net), bits, lambda: None)
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), careful.parameters(), strict=True))  # nothing seen
    seeing = copy.deepcopy(net)
    compensated(careful, seeing, bits, lambda: seeing(photo[..., :64]))
    with torch.no_grad():
        errors = [float((other(photo) - net(photo)).square().mean()) for other in (plain, careful)]
    if bits == 8:  # fine as it is
        assert torch.equal(careful.large.weight, net.large.weight)
        return
    assert errors[1] < 0.25 * errors[0]
    assert torch.equal(careful.small.weight, net.small.weight) and torch.equal(careful.idle.weight, net.idle.weight)
    again = rounded.unpacked(rounded.packed(careful.state_dict(), bits))
    assert torch.equal(again["large.weight"], careful.large.weight)
    assert not seeing.large._forward_pre_hooks


def test_what_makes_the_places_of_an_enlargement_stays_fine(photo, tmp_path):
    """In the last layer errors would repeat every four pixels; other layers are rounded."""
    torch.manual_seed(0)
    for module, sizes in ((srgan, {"channels": 48, "blocks": 1}), (swift, {"channels": 32, "layers": 2})):
        net = module.Generator(**{**module.CONFIG, **sizes}).eval()
        before = copy.deepcopy(net)
        compensated(net, before, 6, lambda net=before: net(photo[..., :32, :32]))
        assert torch.equal(net.tail.weight, before.tail.weight)
        path = tmp_path / f"{module.CARD.name}.toy.safetensors"
        header = Header(module.CARD.name, "toy", "upscale", "Toy", "none", "MIT", {**module.CONFIG, **sizes}, [])
        weights.write(path, net, header, bits=6)
        stored = load_file(path)
        assert stored["tail.weight"].dtype == torch.float16
        assert any(tensor.dtype in (torch.int8, torch.uint8) for tensor in stored.values())
        assert torch.equal(weights.load(path)[1].tail.weight, net.tail.weight.half().float())


def test_an_enlarger_s_pattern_is_taken_off_its_last_biases():
    """As the adversarial phase leaves it: the same at each 4x4 pixels. The thesis' net, which has no such biases, stays."""
    torch.manual_seed(0)
    net = srgan.Generator(**{**srgan.CONFIG, "channels": 8, "blocks": 1}).eval()
    recipe = srgan.Recipe(net, {"patch": 8})
    low = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        truth = net(low)
        net.tail.bias += 0.05 * torch.randn(48)
        assert (net(low) - truth).abs().max() > 0.05
    recipe.finish(net, ({"low": low, "truth": truth} for _ in range(2)))
    with torch.no_grad():
        assert torch.allclose(net(low), truth, atol=1e-5)
    other = srgan.Generator(**{**srgan.THESIS, "channels": 4, "blocks": 1})
    before = copy.deepcopy(other.state_dict())
    recipe.finish(other, iter(()))
    assert all(torch.equal(before[key], value) for key, value in other.state_dict().items())
