"""Zhang 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors": are the user's colours there in the result?

Reported as the CIEDE2000 difference (Sharma 2005) between the wanted and the given colour inside the hints, beside how far
off the picture was there without them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.imaging.colour import delta_e_2000, rgb_to_lab


def hint_error(result: Tensor, wanted: Tensor, mask: Tensor) -> float:
    """Mean CIEDE2000 of two RGB pictures [N, 3, H, W] in [0, 1] where mask [N, 1, H, W] is set; 0 is perfect obedience.

    Both are taken at the result's lightness: that is the photograph's own, which no hint may change. Raises ValueError when
    the mask is empty.
    """
    if float(mask.sum()) == 0:
        raise ValueError("there is no hint in the mask")
    given, asked = rgb_to_lab(result.float()), rgb_to_lab(wanted.float())
    difference = delta_e_2000(given, torch.cat((given[:, :1], asked[:, 1:]), 1))
    return float((difference * mask).sum() / mask.sum())
