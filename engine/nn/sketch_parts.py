"""The UNAM 2022 thesis' parts (section 5.2): residual blocks with CELU, Z encoder and decoder, HueDropout, positions."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Z_SIZE = 64
REFERENCE_SIDE = 96  # pixels: the encoder sees every reference at this size
DRAWS = 8  # Zs among which a seed chooses
_POSITIONS = 4  # a sine and a cosine along each axis


class ResBlock(nn.Module):
    """[N, inside, H, W] -> [N, out, H / stride, W / stride]: 3x3 convolutions, CELU (alpha 1), batch norm right after it."""

    def __init__(self, inside: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(inside, out, 3, stride, 1), nn.BatchNorm2d(out)
        self.conv2, self.norm2 = nn.Conv2d(out, out, 3, 1, 1), nn.BatchNorm2d(out)
        self.shortcut = nn.Conv2d(inside, out, 1) if inside != out else nn.Identity()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        inner = self.norm1(F.celu(self.conv1(x)))
        x = F.avg_pool2d(x, self.stride, ceil_mode=True) if self.stride > 1 else x
        return self.norm2(F.celu(self.conv2(inner) + self.shortcut(x)))


class Shuffle(nn.Module):
    """[N, inside, H, W] -> [N, out, factor H, factor W]: a convolution and PixelShuffle (Shi 2016).

    The convolution starts alike for the pixels that it makes of one (ICNR, Aitken 2017): no checkerboard to unlearn.
    """

    def __init__(self, inside: int, out: int, factor: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inside, out * factor * factor, 3, 1, 1)
        self.factor = factor
        with torch.no_grad():
            same = factor * factor
            self.conv.weight.copy_(self.conv.weight[::same].repeat_interleave(same, 0))

    def forward(self, x: Tensor) -> Tensor:
        return F.celu(F.pixel_shuffle(self.conv(x), self.factor))


def in_range(x: Tensor) -> Tensor:
    """A network's numbers [N, 4, H, W] as HxHySV: the hue's two by tanh, saturation and value by sigmoid."""
    x = x.float()
    return torch.cat((torch.tanh(x[:, :2]), torch.sigmoid(x[:, 2:])), 1)


class HueDropout(nn.Module):
    """In training each pixel of a reference [N, 4, H, W] (X, Y, V, where it is set) turns into unset white by chance."""

    def __init__(self, chance: float = 0.25) -> None:
        super().__init__()
        self.chance = chance

    def forward(self, reference: Tensor) -> Tensor:
        if not self.training or self.chance <= 0:
            return reference
        keep = torch.rand_like(reference[:, :1]) >= self.chance
        return torch.where(keep, reference, unset(reference))


def unset(like: Tensor) -> Tensor:
    """White that is not set, shaped to broadcast with references [N, 4, H, W] in XYV and mask."""
    return like.new_tensor((0.0, 0.0, 1.0, 0.0)).view(1, 4, 1, 1)


def positions(height: int, width: int, like: Tensor) -> Tensor:
    """Where each pixel lies [1, 4, H, W]: sine and cosine of a half turn over each axis (Vaswani 2017, two waves)."""
    down = torch.linspace(0, math.pi, height, device=like.device, dtype=like.dtype).view(1, 1, -1, 1)
    along = torch.linspace(0, math.pi, width, device=like.device, dtype=like.dtype).view(1, 1, 1, -1)
    parts = (torch.sin(down), torch.cos(down), torch.sin(along), torch.cos(along))
    return torch.cat([part.expand(1, 1, height, width) for part in parts], 1)


class ZEncoder(nn.Module):
    """Reference [N, 4, H, W] (X, Y, V and where it is set, 0..1) of any size -> Z [N, 64, 1, 1] in (-1, 1).

    Resized to 96x96, HueDropout, positions, residual blocks of stride 2 with `widths` channels, a linear layer, tanh.
    direct: a second linear layer, past the blocks, from the colours of 8x8 areas: it learns within minutes what a palette is.
    """

    def __init__(
        self, widths: tuple[int, ...] = (32, 64, 128, 128), chance: float = 0.25, direct: bool = False
    ) -> None:
        super().__init__()
        self.dropout = HueDropout(chance)
        blocks: list[nn.Module] = []
        inside = 4 + _POSITIONS
        for width in widths:
            blocks.append(ResBlock(inside, width, 2))
            inside = width
        self.blocks = nn.Sequential(*blocks)
        side = -(-REFERENCE_SIDE // 2 ** len(widths))
        features = inside * side * side
        self.linear = nn.Linear(features, Z_SIZE)
        # What goes in has length 2, however many features there are: else the first steps of training drive tanh to its
        # ends, where nothing is learnt any more.
        self.scale = 2 / features**0.5
        nn.init.normal_(self.linear.weight, 0.0, 0.25)
        self.direct = nn.Linear(4 * 8 * 8, Z_SIZE) if direct else None

    def forward(self, reference: Tensor) -> Tensor:
        mask = reference[:, 3:4].clamp(0, 1)
        size = (REFERENCE_SIDE, REFERENCE_SIDE)
        if reference.shape[-2:] != size:
            # Averaged over what is set, so that the unset does not bleed into the colours.
            both = F.interpolate(torch.cat((reference[:, :3] * mask, mask), 1), size, mode="bilinear", antialias=True)
            share = both[:, 3:4]
            mask, colours = share.clamp(0, 1), both[:, :3] / share.clamp_min(1e-4)
        else:
            colours = reference[:, :3]
        seen = torch.lerp(unset(reference)[:, :3].expand_as(colours), colours, mask)
        seen = self.dropout(torch.cat((seen, mask), 1))
        where = positions(*size, seen).expand(seen.shape[0], -1, -1, -1)
        x = self.blocks(torch.cat((seen, where), 1))
        z = self.linear(x.flatten(1) * self.scale)
        if self.direct is not None:
            z = z + self.direct(
                F.adaptive_avg_pool2d(torch.cat((seen[:, :3] * seen[:, 3:], seen[:, 3:]), 1), 8).flatten(1)
            )
        return torch.tanh(z.float())[:, :, None, None]


class ZDecoder(nn.Module):
    """Z [N, 64, 1, 1] -> [N, 32, 8, 8]; its first 4 channels are the extra output, a coarse picture in HxHySV.

    direct: a linear layer past the blocks adds to those four.
    """

    def __init__(self, width: int = 128, direct: bool = False) -> None:
        super().__init__()
        self.direct = nn.Linear(Z_SIZE, 4 * 8 * 8) if direct else None
        self.width = width
        self.linear = nn.Linear(Z_SIZE, width * 4)
        self.blocks = nn.Sequential(ResBlock(width, width), Shuffle(width, width), ResBlock(width, width))
        self.up = Shuffle(width, width // 2)
        self.out = nn.Conv2d(width // 2, 32, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = F.celu(self.linear(z.flatten(1))).view(-1, self.width, 2, 2)
        made: Tensor = self.out(self.up(self.blocks(x)))
        if self.direct is None:
            return made
        return torch.cat((made[:, :4] + self.direct(z.flatten(1)).view(-1, 4, 8, 8), made[:, 4:]), 1)


class Verdict(nn.Module):
    """[N, inside, H, W] -> one logit [N, 1] a picture: residual blocks of stride 2 with `widths` channels, mean, linear."""

    def __init__(self, inside: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        sizes = (inside, *widths)
        self.blocks = nn.Sequential(*[ResBlock(sizes[i], sizes[i + 1], 2) for i in range(len(widths))])
        self.linear = nn.Linear(sizes[-1], 1)

    def forward(self, x: Tensor) -> Tensor:
        logit: Tensor = self.linear(self.blocks(x).mean((2, 3)))
        return logit


class ZBank(nn.Module):
    """The Zs of the last `size` training pictures: what seeds draw from, kept in the weights."""

    zs: Tensor
    filled: Tensor

    def __init__(self, size: int = 256) -> None:
        super().__init__()
        self.register_buffer("zs", torch.zeros(size, Z_SIZE))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))  # how many were ever remembered

    @torch.no_grad()
    def remember(self, z: Tensor) -> None:
        """Keep z [N, 64, 1, 1] in the place of the oldest."""
        places = (self.filled + torch.arange(len(z), device=z.device)) % len(self.zs)
        self.zs[places] = z.flatten(1).to(self.zs.dtype)
        self.filled += len(z)

    def draw(self, seed: int, count: int = 1) -> Tensor:
        """Zs [count, 64, 1, 1] for a seed, from the seed alone: each one of the bank's with up to a third of another."""
        rng = torch.Generator().manual_seed(seed)
        known, drawn = min(len(self.zs), max(1, int(self.filled))), []
        for _ in range(count):
            one, other = torch.randint(0, known, (2,), generator=rng).tolist()
            share = 0.35 * float(torch.rand((), generator=rng))
            drawn.append(torch.lerp(self.zs[one].float(), self.zs[other].float(), share).clamp(-1, 1))
        return torch.stack(drawn).view(count, Z_SIZE, 1, 1)


def imagined(bank: ZBank, decoder: ZDecoder, seed: int) -> Tensor:
    """Z [1, 64, 1, 1] for a seed: of DRAWS from the bank the one whose coarse picture has the most varied colours.

    Most pictures' Zs are pale or of one hue, and then all shapes look alike where no hint says otherwise.
    """
    zs = bank.draw(seed, DRAWS)
    coarse = in_range(decoder.forward(zs)[:, :4])
    colours = coarse[:, :2] * coarse[:, 2:3] * coarse[:, 3:]  # as places on a disc, grey and black in its middle
    mean = colours.mean((2, 3), keepdim=True)
    varied = (colours - mean).square().sum(1).mean((1, 2)).sqrt()
    # Strength counts as well, a third as much: as in colorfulness (Hasler 2003).
    return zs[int((varied + 0.3 * mean.square().sum((1, 2, 3)).sqrt()).argmax())][None]
