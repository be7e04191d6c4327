"""Ronneberger 2015, U-Net, whole and in parts: what the colorizers are put together from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """[N, C, H, W] -> the same: two 3x3 convolutions with batch norm, added to their input."""

    FOLDS = (("conv1", "norm1"), ("conv2", "norm2"))

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.leaky_relu(self.norm1(self.conv1(x)), 0.2)
        return F.leaky_relu(x + self.norm2(self.conv2(inner)), 0.2)


class Down(nn.Module):
    """[N, C, H, W] -> [N, C', H/2, W/2]: convolution of stride 2, batch norm (not in the outermost), LeakyReLU, residuals."""

    FOLDS = (("conv", "norm"),)

    def __init__(self, inside: int, out: int, norm: bool, residual: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out, 4, 2, 1, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()
        self.blocks = nn.Sequential(*[Residual(out) for _ in range(residual)])

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(F.leaky_relu(self.norm(self.conv(x)), 0.2))


class UpTranspose(nn.Module):
    """[N, C, H, W], skip [N, S, 2H, 2W] -> [N, C' + S, 2H, 2W]: transposed convolution, batch norm, ReLU, concat."""

    FOLDS = (("conv", "norm"),)

    def __init__(self, inside: int, skip: int, out: int, dropout: float) -> None:
        super().__init__()
        self.channels = out + skip
        self.conv = nn.ConvTranspose2d(inside, out, 4, 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat((F.relu(self.dropout(self.norm(self.conv(x)))), skip), 1)


class UpBilinear(nn.Module):
    """[N, C, H, W], skip [N, S, 2H, 2W] -> [N, C', 2H, 2W]: 1x1 convolution, bilinear, concatenation, 3x3, batch norm, ReLU."""

    FOLDS = (("conv", "norm"),)

    def __init__(self, inside: int, skip: int, out: int, dropout: float) -> None:
        super().__init__()
        self.channels = out
        self.reduce = nn.Conv2d(inside, out, 1)
        self.conv = nn.Conv2d(out + skip, out, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
        return F.relu(self.dropout(self.norm(self.conv(torch.cat((x, skip), 1)))))


class HeadTranspose(nn.Module):
    """pix2pix' last layer: [N, C, H, W] -> [N, out, 2H, 2W] by one transposed convolution; the input is not used again."""

    def __init__(self, inside: int, start: int, out: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inside, out, 4, 2, 1)

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        return self.conv(x)


class HeadBilinear(nn.Module):
    """[N, C, H, W], the network's input [N, start, 2H, 2W] -> [N, out, 2H, 2W], with few channels at full size."""

    def __init__(self, inside: int, start: int, out: int, width: int = 16) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(inside, width, 1)
        self.conv = nn.Conv2d(width + start, width, 3, padding=1)
        self.out = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, x: Tensor, start: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(F.relu(self.conv(torch.cat((x, start), 1))))


class Context(nn.Module):
    """[N, C, H, W] -> the same plus one vector for the whole picture, made from its mean (Iizuka 2016's global features).

    With noise, its planes [N, 1, H, W] are added too, by a weight for each channel.
    """

    def __init__(self, channels: int, noise: bool) -> None:
        super().__init__()
        self.dense1 = nn.Linear(channels, channels)
        self.dense2 = nn.Linear(channels, channels)
        self.noise = nn.Conv2d(1, channels, 1, bias=False) if noise else None

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        vector = self.dense2(F.relu(self.dense1(x.mean((2, 3)))))
        x = x + vector[:, :, None, None]
        return x if self.noise is None else x + self.noise(noise)


class UNet(nn.Module):
    """[N, inside, H, W] -> [N, out, H, W], sides a multiple of `multiple`. The defaults are pix2pix' net for 256x256.

    base: filters of the first level, doubling up to max_filters; depth: number of stride-2 levels; upsample: "transpose"
    or "bilinear"; residual: number of residual blocks in each level, from the outermost; dropout: in the three innermost
    up blocks; context: the global vector; deep_noise: planes of noise beside it; deepest_norm: batch norm in the deepest
    level even where it has no residual blocks (it needs two pictures a batch when that level is a single pixel).
    """

    def __init__(
        self,
        inside: int,
        out: int,
        base: int = 64,
        depth: int = 8,
        max_filters: int = 512,
        upsample: str = "transpose",
        residual: Sequence[int] = (),
        dropout: float = 0.5,
        context: bool = False,
        deep_noise: bool = False,
        deepest_norm: bool = False,
    ) -> None:
        super().__init__()
        if upsample not in ("transpose", "bilinear"):
            raise ValueError(f"upsample must be 'transpose' or 'bilinear', not {upsample!r}")
        if not 1 <= depth <= 10 or sum(residual) > 64:  # a file's config must not be able to build a monster
            raise ValueError(f"depth must be 1 to 10 with at most 64 residual blocks, not {depth} and {sum(residual)}")
        up, head = (UpTranspose, HeadTranspose) if upsample == "transpose" else (UpBilinear, HeadBilinear)
        self.sizes = [min(base * 2**level, max_filters) for level in range(depth)]
        self.depth, self.multiple = depth, 2**depth
        blocks = [*residual, *[0] * depth]
        self.downs = nn.ModuleList()
        for level, filters in enumerate(self.sizes):
            norm = blocks[level] > 0 or (level > 0 and (level < depth - 1 or deepest_norm))
            self.downs.append(Down(self.sizes[level - 1] if level else inside, filters, norm, blocks[level]))
        self.context = Context(self.sizes[-1], deep_noise) if context else None
        self.ups = nn.ModuleList()
        channels = self.sizes[-1]
        for level in range(depth - 2, -1, -1):
            filters = self.sizes[level]
            block = up(channels, filters, filters, dropout if depth - 2 - level < 3 else 0.0)
            channels = block.channels
            self.ups.append(block)
        self.head = head(channels, inside, out)

    def check_sides(self, **sides: int) -> None:
        """Raises ValueError where pictures whose side in pixels is one of these do not pass through the net."""
        for name, side in sides.items():
            if side % self.multiple:
                raise ValueError(f"{name} must be a multiple of {self.multiple} at a depth of {self.depth}, not {side}")

    def pass_through(self, start: Tensor, deep_noise: Tensor | None = None) -> tuple[Tensor, list[Tensor]]:
        """The head's output without any output function, and what each encoder level made of the input.

        start: [N, inside, H, W]; deep_noise: [N, 1, H / multiple, W / multiple] -> [N, out, H, W] and the levels from the
        outermost, [N, C, H / 2**(i+1), W / 2**(i+1)].
        """
        x, levels = start, []
        for down in self.downs:
            x = down(x)
            levels.append(x)
        if self.context is not None:
            x = self.context(x, deep_noise)
        for up, skip in zip(self.ups, reversed(levels[:-1]), strict=True):
            x = up(x, skip)
        return self.head(x, start), levels


@torch.no_grad()
def tame(net: nn.Module) -> None:
    """Divide convolutions by the deviation that their batch norm remembers, where it is above 1, and the norm's memory too.

    What the net computes stays the same, but every stored number then fits in half precision.
    """
    for module in net.modules():
        for end in ("", "1", "2"):
            conv, norm = getattr(module, f"conv{end}", None), getattr(module, f"norm{end}", None)
            if (
                isinstance(norm, nn.BatchNorm2d)
                and isinstance(conv, nn.Conv2d | nn.ConvTranspose2d)
                and conv.bias is None
            ):
                assert norm.running_mean is not None and norm.running_var is not None
                factor = norm.running_var.sqrt().clamp_min(1.0)
                conv.weight /= factor.view((-1, 1, 1, 1) if isinstance(conv, nn.Conv2d) else (1, -1, 1, 1))
                norm.running_mean /= factor
                norm.running_var /= factor.square()
