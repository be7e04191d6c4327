"""Parts of U-Nets: numbers too large for half precision are tamed without changing what the net computes."""

import torch

from engine.generators import yuv_cgan
from engine.nn import unet


def test_taming_changes_the_numbers_and_not_the_net():
    torch.manual_seed(0)
    for upsample in ("bilinear", "transpose"):
        net = yuv_cgan.Generator(base=4, depth=3, max_filters=8, upsample=upsample, residual=[0, 1, 1]).eval()
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.fill_(1e6)
                module.running_mean.normal_(0, 300)
                module.weight.data.uniform_(100, 900)
        inputs = torch.rand(1, 1, 16, 16), torch.randn(1, 1, 16, 16), torch.zeros(1, 3, 16, 16)
        before = net(*inputs)
        assert before.std() > 0.01
        unet.tame(net)
        assert torch.allclose(net(*inputs), before, atol=1e-4)
        assert max(float(v.abs().max()) for k, v in net.state_dict().items() if "running" in k) <= 10
