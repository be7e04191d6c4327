"""He and Sun 2015, "Fast guided filter": low-resolution chroma carried to full resolution along the edges of the luma.

In each window the chroma is a linear function of the luma, U = a * Y + b. The coefficients are fitted on a guide of
moderate size and enlarged smoothly; applied to the full-size luma they give chroma whose edges are the photograph's own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import resize

# The guide's shortest side, in pixels: several times a network's working size, so that its edges are finer than the chroma.
GUIDE_SIZE = 384
# Luma variations well below sqrt(EPSILON) (3 % of full scale) count as texture, not as an edge.
EPSILON = 1e-3


class ChromaUpsampler:
    """Chroma for any band of rows of a picture of height x width.

    chroma: UV [1, 2, h, w] as a network gave it. guide: luma [1, 1, gh, gw] of the same picture in [0, 1], gh >= h.
    """

    def __init__(self, chroma: Tensor, guide: Tensor, height: int, width: int) -> None:
        self.height, self.width = height, width
        guide_height, guide_width = guide.shape[-2:]
        wanted = resize.bicubic(chroma, guide_height, guide_width)
        # The window spans about three of the network's own pixels: what it cannot place better than that is snapped to edges.
        radius = max(2, round(1.5 * guide_height / chroma.shape[-2]))
        mean_y, mean_uv = _box(guide, radius), _box(wanted, radius)
        covariance = _box(guide * wanted, radius) - mean_y * mean_uv
        variance = _box(guide * guide, radius) - mean_y * mean_y
        slope = covariance / (variance.clamp_min(0) + EPSILON)
        offset = mean_uv - slope * mean_y
        slope, offset = _box(slope, radius), _box(offset, radius)
        # The windows' means soften small coloured things: what is missing at the network's own size is added again.
        missing = chroma - resize.bicubic(slope * guide + offset, *chroma.shape[-2:])
        offset = offset + resize.bicubic(missing, guide_height, guide_width)
        # As wide as the picture already, as high as the guide: what is left for each band is a few products a pixel.
        self._coefficients = resize.bicubic(torch.cat((slope, offset), 1), guide_height, width)

    def rows(self, luma: Tensor, start: int) -> Tensor:
        """UV [1, 2, n, width] of the n rows from `start` on, whose luma [1, 1, n, width] is given."""
        first, down = resize.weights(self._coefficients.shape[-2], self.height, start, start + luma.shape[-2])
        part = self._coefficients[..., first : first + down.shape[1], :]
        slope, offset = (down.to(part) @ part).split(2, 1)
        return torch.addcmul(offset, slope, luma)


def _box(x: Tensor, radius: int) -> Tensor:
    """Mean over a (2 * radius + 1) square window, its part inside the picture; one direction after the other."""
    side = 2 * radius + 1
    columns = F.avg_pool2d(x, (side, 1), 1, (radius, 0), count_include_pad=False)
    return F.avg_pool2d(columns, (1, side), 1, (0, radius), count_include_pad=False)
