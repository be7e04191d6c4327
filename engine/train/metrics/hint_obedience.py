"""Zhang 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors": are the user's colours there in the result?

Reported here as the mean distance between the wanted and the given colour inside the hints, beside how far off the
picture was there without them.
"""

from __future__ import annotations

from torch import Tensor

from engine.imaging.colour import rgb_to_lab


def hint_error(result: Tensor, wanted: Tensor, mask: Tensor) -> float:
    """Mean ab distance of two RGB pictures [N, 3, H, W] in [0, 1] where mask [N, 1, H, W] is set; 0 is perfect obedience.

    Raises ValueError when the mask is empty.
    """
    if float(mask.sum()) == 0:
        raise ValueError("there is no hint in the mask")
    distance = (rgb_to_lab(result.float())[:, 1:] - rgb_to_lab(wanted.float())[:, 1:]).norm(dim=1, keepdim=True)
    return float((distance * mask).sum() / mask.sum())
