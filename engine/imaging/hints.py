"""Colour hints: from a layer that an artist painted on to the planes that a colorizer is conditioned on.

The planes are [N, 3, H, W]: U/0.436, V/0.615 and the mask. Where the mask is 0 the chroma planes are 0 too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import colour, resize

# A hint counts fully once it covers this share of a working pixel: a dot 3 pixels wide in a 12-megapixel photograph
# covers about 1/150 of the pixel that it falls into when the network works at 96 pixels, and must not fade away.
FULL_COVERAGE = 1.0 / 200.0


def painted(rgba: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """RGB [N, 3, height, width] and mask [N, 1, height, width] of a painted layer [N, 4, H, W] (straight alpha, in [0, 1]).

    Every painted pixel counts: colours are premultiplied and averaged over the area of each working pixel, then divided
    by the coverage, so a small dot keeps its full colour; the mask is the coverage, saturating at FULL_COVERAGE.
    """
    alpha = rgba[:, 3:4]
    averaged = _area(torch.cat((rgba[:, :3] * alpha, alpha), 1), height, width)
    coverage = averaged[:, 3:4]
    return averaged[:, :3] / coverage.clamp_min(1e-8), (coverage / FULL_COVERAGE).clamp(0.0, 1.0)


def rasterise(rgba: Tensor, height: int, width: int) -> Tensor:
    """Hint planes [N, 3, height, width] of a painted layer [N, 4, H, W], as painted() averages it."""
    rgb, mask = painted(rgba, height, width)
    uv = colour.scale_uv(colour.rgb_to_yuv(rgb)[:, 1:])
    return torch.cat((uv.clamp(-1.0, 1.0) * mask, mask), 1)


def smaller(planes: Tensor, height: int, width: int) -> Tensor:
    """Hint planes [N, 3, H, W] at a smaller size, at least half of theirs; a hint of one pixel keeps its full colour."""
    low = resize.bilinear(planes, height, width)
    # The least share of a pixel that the nearest result has is a quarter squared.
    mask = (16.0 * low[:, 2:]).clamp(0.0, 1.0)
    return torch.cat((low[:, :2] / low[:, 2:].clamp_min(1e-6) * mask, mask), 1)


def _area(x: Tensor, height: int, width: int) -> Tensor:
    """x averaged over the exact area of each of height x width cells; a cell smaller than a pixel takes that pixel."""
    rows = _overlap(x.shape[2], height).to(x)
    columns = _overlap(x.shape[3], width).to(x)
    return torch.matmul(torch.matmul(rows, x), columns.T)


def _overlap(size: int, count: int) -> Tensor:
    """[count, size]: which share of cell i, of `count` equal cells along `size` pixels, lies in pixel j."""
    edges = torch.arange(count + 1, dtype=torch.float64)[:, None] * (size / count)
    pixels = torch.arange(size, dtype=torch.float64)[None, :]
    overlap = (torch.minimum(edges[1:], pixels + 1) - torch.maximum(edges[:-1], pixels)).clamp_min(0.0)
    return overlap / overlap.sum(1, keepdim=True)


def simulate(uv: Tensor, generator: torch.Generator, share: float = 0.5, dots: int = 20, radius: int = 3) -> Tensor:
    """Random hints for training: planes [N, 3, H, W] from the true chroma uv [N, 2, H, W] (the networks' scale).

    A `share` of the samples gets 1 to `dots` square dots of 1 to 2*radius+1 pixels in the mean true colour under them;
    the others get none. `generator` makes it repeatable; it must live on uv's device.
    """
    n, _, height, width = uv.shape
    device = uv.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    # Few dots as often as many: the count is uniform in its logarithm.
    count = torch.exp(uniform(n) * torch.log(torch.tensor(float(dots) + 0.99))).floor()
    count = count * (uniform(n) < share)
    place = (uniform(n, dots) * (height * width)).long()
    used = (torch.arange(dots, device=device) < count[:, None]).to(uv.dtype)
    seeds = torch.zeros(n, height * width, device=device, dtype=uv.dtype).scatter_reduce(1, place, used, "amax")
    seeds = seeds.view(n, 1, height, width)
    radii = (uniform(n) * (radius + 1)).long()
    planes = torch.zeros(n, 3, height, width, device=device, dtype=uv.dtype)
    for r in range(radius + 1):
        rows = torch.nonzero((radii == r) & (count > 0)).flatten()
        if len(rows) == 0:
            continue
        mean = F.avg_pool2d(uv[rows], 2 * r + 1, 1, r, count_include_pad=False)
        spread = F.avg_pool2d(torch.cat((mean * seeds[rows], seeds[rows]), 1), 2 * r + 1, 1, r)
        inside = spread[:, 2:3] > 1e-6
        colours = torch.where(inside, spread[:, :2] / spread[:, 2:3].clamp_min(1e-6), torch.zeros_like(mean))
        planes[rows] = torch.cat((colours, inside.to(uv.dtype)), 1)
    return planes
