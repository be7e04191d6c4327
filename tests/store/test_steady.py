"""Convolutions of the CPU: the same to the last bit by any number of threads, and the same sums as torch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.store.steady import Steady

# What torch itself gives to different libraries by the number of threads, or to a product that shares out its sums.
LAYERS = {
    "1x1": nn.Conv2d(256, 128, 1),
    "small": nn.Conv2d(256, 256, 3, padding=1),
    "strided": nn.Conv2d(64, 128, 4, 2, 1, bias=False),
    "flat": nn.Conv2d(16, 32, (3, 1), padding=(1, 0)),
    "odd": nn.Conv2d(5, 7, 3, padding=1),
    "dilated": nn.Conv2d(24, 24, 3, padding=2, dilation=2),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_the_number_of_threads_does_not_show(name, layout):
    g = torch.Generator().manual_seed(0)
    layer = LAYERS[name].to(memory_format=layout)
    before = torch.get_num_threads()
    try:
        for size in ((2, 3), (3, 4), (8, 12), (12, 16), (16, 24), (20, 31)):
            x, made = torch.randn(1, layer.in_channels, *size, generator=g).to(memory_format=layout), []
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                with Steady():
                    made.append(layer(x))
            assert torch.equal(made[0], made[1]) and torch.equal(made[0], made[2]), size
            torch.testing.assert_close(made[0], layer(x))
    finally:
        torch.set_num_threads(before)


def test_other_numbers_and_other_functions_are_torch_s_own():
    x = torch.rand(1, 3, 6, 6, dtype=torch.float64)
    with Steady():
        made = F.conv2d(x, torch.ones(2, 3, 3, 3, dtype=torch.float64), padding=1)
        assert torch.equal(torch.relu(-x), torch.zeros_like(x))
    assert made.dtype == torch.float64
    torch.testing.assert_close(made[0, 0, 1, 1], x[..., :3, :3].sum())
