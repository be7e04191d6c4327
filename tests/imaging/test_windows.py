"""Windows against torch's own pooling."""

import pytest
import torch
import torch.nn.functional as F

from engine.imaging import windows


@pytest.mark.parametrize("radius", [0, 1, 2, 6, 30])  # the last is wider than the picture
def test_as_torch_pools(radius):
    x = torch.randn(2, 3, 21, 34, generator=torch.Generator().manual_seed(radius), dtype=torch.float64)
    padded = F.pad(x, [radius] * 4, value=-torch.inf)
    assert torch.equal(windows.highest(x, radius), F.max_pool2d(padded, 2 * radius + 1, 1))
    assert torch.equal(windows.lowest(x, radius), -windows.highest(-x, radius))
    inside = F.avg_pool2d(F.pad(torch.ones_like(x), [radius] * 4), 2 * radius + 1, 1)
    mean = F.avg_pool2d(F.pad(x, [radius] * 4), 2 * radius + 1, 1) / inside
    assert torch.allclose(windows.mean(x, radius), mean)


def test_a_maximum_spreads_to_the_whole_window_and_no_farther():
    x = torch.zeros(1, 1, 9, 11)
    x[..., 4, 5] = 1
    wide = windows.highest(x, 2)
    assert wide[..., 2:7, 3:8].min() == 1
    assert wide.sum() == 25
    assert windows.lowest(wide, 2).equal(x)
