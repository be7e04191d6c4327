"""Zhang 2016, "Colorful Image Colorization": per-pixel Euclidean distance in Lab's ab plane (there "raw accuracy").

The usual judge of colorization when the luma is kept. It rewards caution (the mean colour of all photographs already gains
about a tenth over grey), so it is read together with chroma.
"""

from __future__ import annotations

from torch import Tensor

from engine.imaging.colour import rgb_to_lab


def ab_error(result: Tensor, truth: Tensor) -> float:
    """Mean ab distance of two RGB pictures [N, 3, H, W] in [0, 1]; leaving a photograph grey gives its mean chroma."""
    return float((rgb_to_lab(result.float())[:, 1:] - rgb_to_lab(truth.float())[:, 1:]).norm(dim=1).mean())
