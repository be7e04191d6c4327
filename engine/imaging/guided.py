"""He and Sun 2015, "Fast guided filter": low-resolution chroma carried to full resolution along the edges of the luma.

In each window the chroma is a linear function of the luma, U = a * Y + b. The coefficients are fitted on a guide of
moderate size and enlarged smoothly; applied to the full-size luma they give chroma whose edges are the photograph's own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.imaging import resize, windows

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
        mean_y, mean_uv = windows.mean(guide, radius), windows.mean(wanted, radius)
        covariance = windows.mean(guide * wanted, radius) - mean_y * mean_uv
        variance = windows.mean(guide * guide, radius) - mean_y * mean_y
        slope = covariance / (variance.clamp_min(0) + EPSILON)
        offset = mean_uv - slope * mean_y
        slope, offset = windows.mean(slope, radius), windows.mean(offset, radius)
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
