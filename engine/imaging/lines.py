"""Colours from a network's working size carried to full size along the lines of a drawing, and below them.

Between lines the colours stay as they are; close to a line and under it every pixel takes the colour of the nearest
pixel that it reaches without crossing ink, so that borders lie in the middle of lines and no pale seam shows beside them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.imaging import resize, windows
from engine.imaging.spread import INK_COST, nearest

GUIDE_SIZE = 640  # the guide's shortest side, in pixels


class ColourUpsampler:
    """Colours for any band of rows of a drawing of height x width.

    colours: RGB [1, 3, h, w] in [0, 1] as a network gave them. ink: [1, 1, gh, gw] of the same drawing in [0, 1], gh >= h.
    reach: so many pixels of the colours around ink are taken from farther away; a network cannot place them better than 1.5.
    """

    def __init__(self, colours: Tensor, ink: Tensor, height: int, width: int, reach: float = 1.5) -> None:
        self.height, self.width = height, width
        guide = ink.shape[-2:]
        # Bilinear: no ringing in flat colours.
        wide = resize.bilinear(colours, *guide)
        around = max(1, round(reach * guide[0] / colours.shape[-2]))
        paper = 1 - ink
        clear = 1 - windows.highest(ink, around)
        # In places narrower than that, what lies farthest from ink counts, so that small shapes keep their colour.
        openness = windows.mean(paper, around)
        best = (openness >= windows.highest(openness, around) - 0.01) & (paper > 0.7)
        known = (clear > 0.7) | best
        if bool(known.any()):  # else there is nothing but ink
            index, _ = nearest(known[:, 0], (1 + INK_COST * ink)[:, 0], rounds=1)
            taken = wide.flatten(2).gather(2, index.flatten(1).unsqueeze(1).expand(-1, 3, -1)).view_as(wide)
            smooth = F.avg_pool2d(F.pad(taken, (1, 1, 1, 1), "replicate"), 3, 1)
            wide = torch.where(known, wide, smooth)
        self._colours = wide
        self._columns = resize.weights(guide[1], width)[1]

    def rows(self, start: int, stop: int) -> Tensor:
        """RGB [1, 3, stop - start, width] in [0, 1] of the rows start..stop."""
        first, down = resize.weights(self._colours.shape[-2], self.height, start, stop)
        part = self._colours[..., first : first + down.shape[1], :]
        return resize.apply(part, down, self._columns).clamp(0, 1)
