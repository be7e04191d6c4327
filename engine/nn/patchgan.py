"""Isola 2017, PatchGAN: a discriminator that judges every patch of a picture for itself."""

from __future__ import annotations

from torch import Tensor, nn


class PatchGAN(nn.Module):
    """[N, channels, H, W] -> one logit a patch, [N, 1, H/8 - 2, W/8 - 2] with three levels: 30x30 for 256x256.

    As the Coruña 2020 thesis builds it: 3x3 convolutions of stride 2, batch norm but in the first, LeakyReLU 0.2, and one
    3x3 convolution without padding; with three levels each logit sees 31x31 pixels.
    """

    def __init__(self, channels: int, base: int = 64, levels: int = 3, max_filters: int = 512) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = channels
        for level in range(levels):
            out = min(base * 2**level, max_filters)
            layers.append(nn.Conv2d(inside, out, 3, 2, 1, bias=level == 0))
            layers += [nn.BatchNorm2d(out)] if level else []
            layers.append(nn.LeakyReLU(0.2))
            inside = out
        layers.append(nn.Conv2d(inside, 1, 3))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits
