"""Isola 2017, PatchGAN: a discriminator that judges every patch of a picture for itself."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class PatchGAN(nn.Module):
    """[N, channels, H, W] -> one logit a patch, [N, 1, h, w]. The defaults are the paper's 70x70 patches, 30x30 for 256x256.

    Convolutions of `widths` filters and `strides` (2 where strides has no more), batch norm but in the first, LeakyReLU 0.2;
    then one convolution to the logits, padded by last_padding (above and left, below and right), the others by 1.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int] = (64, 128, 256, 512),
        strides: Sequence[int] = (2, 2, 2, 1),
        kernel: int = 4,
        last_padding: tuple[int, int] = (1, 1),
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = channels
        for level, out in enumerate(widths):
            stride = strides[level] if level < len(strides) else 2
            layers.append(nn.Conv2d(inside, out, kernel, stride, 1, bias=level == 0))
            layers += [nn.BatchNorm2d(out)] if level else []
            layers.append(nn.LeakyReLU(0.2))
            inside = out
        before, after = last_padding
        layers += [nn.ZeroPad2d((0, after - before, 0, after - before))] if after != before else []
        layers.append(nn.Conv2d(inside, 1, kernel, padding=before))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits
