"""The enlargement that networks correct: the same sums whichever way they are taken."""

import pytest
import torch
import torch.nn.functional as F

from engine.nn.blocks import enlarged_by


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_correction_is_added_shuffled_or_not_trained_or_not(scale, dtype, layout):
    g = torch.Generator().manual_seed(0)
    rgb = torch.rand(2, 3, 5, 7, generator=g)
    correction = torch.randn(2, 3 * scale**2, 5, 7, generator=g).to(dtype).to(memory_format=layout)
    bicubic = F.interpolate(rgb, scale_factor=scale, mode="bicubic", antialias=True)
    wanted = bicubic + F.pixel_shuffle(correction, scale)
    with torch.inference_mode():
        made = enlarged_by(rgb.to(memory_format=layout), correction, scale)
        large = enlarged_by(rgb, F.pixel_shuffle(correction, scale), scale)
    assert made.dtype == large.dtype == torch.float32
    for found in (made, large, enlarged_by(rgb, correction, scale)):
        assert torch.equal(found, wanted)
