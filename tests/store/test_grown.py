"""Weights taken over into a larger network, which starts as what the smaller one could."""

from __future__ import annotations

import pytest
import torch

from engine.client import errors
from engine.generators import base
from engine.store import header as headers
from engine.store import weights


@pytest.mark.parametrize("config", [{}, {"norm": "batch", "kernel": 9, "upsampling": "nearest", "skip": False}])
def test_a_grown_network_starts_as_what_the_old_one_could(tmp_path, config):
    torch.manual_seed(0)
    srgan = base.module("srgan")
    small = {**srgan.CONFIG, "channels": 8, "blocks": 2, **config}
    old = srgan.Generator(**small).eval()
    for parameter in old.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    header = headers.Header("srgan", "old", "upscale", "t", "t", "MIT", small, [{"pack": "none"}])
    weights.write(tmp_path / "srgan.old.safetensors", old, header, bits=32)
    picture = torch.rand(1, 3, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for larger in ({"blocks": 5}, {"channels": 12}, {"channels": 12, "blocks": 5, "attention": True}):
        grown = srgan.Generator(**{**small, **larger}).eval()
        assert weights.adopt(grown, tmp_path / "srgan.old.safetensors").steps == 0
        with torch.no_grad():
            # In double precision: wider layers sum in another order, which in single precision shows on some processors.
            torch.testing.assert_close(grown.double()(picture), old.double()(picture), rtol=1e-6, atol=1e-6)
    for wrong in ({"channels": 4}, {"blocks": 1}):
        with pytest.raises(errors.WeightsShape, match="sizes asked for") as refused:
            weights.adopt(srgan.Generator(**{**small, **wrong}), tmp_path / "srgan.old.safetensors")
        assert "not smaller" in refused.value.remedy and "another generator" not in refused.value.remedy


def test_a_grown_network_of_joined_layers_starts_as_the_old_one(tmp_path):
    """The line-art network joins its encoder's levels to its decoder's: what is added to one must not move the other."""
    torch.manual_seed(0)
    sketch = base.module("sketch_unet")
    small = {**sketch.CONFIG, "widths": [4, 6, 8], "encoder": [4, 4], "decoder": 4}
    old = sketch.Generator(**small).eval()
    for parameter in old.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    header = headers.Header("sketch_unet", "old", "sketch", "t", "t", "MIT", small, [{"pack": "none"}])
    weights.write(tmp_path / "sketch_unet.old.safetensors", old, header, bits=32)
    inputs = [torch.rand(1, n, *size).double() for n, size in ((1, (16, 32)), (8, (16, 32)), (64, (1, 1)))]
    for widths in ([6, 6, 8], [4, 10, 8], [4, 6, 14], [8, 10, 12]):
        grown = sketch.Generator(**{**small, "widths": widths}).eval()
        weights.adopt(grown, tmp_path / "sketch_unet.old.safetensors")
        with torch.no_grad():
            torch.testing.assert_close(grown.double()(*inputs), old.double()(*inputs), rtol=1e-6, atol=1e-6)
