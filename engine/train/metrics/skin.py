"""Chardon 1991, "Skin colour typology and suntanning pathways": skin by its individual typology angle, from light to dark.

For measuring whether a colorizer paints some people worse than others. Nothing here finds faces: every pixel of a skin's colour
counts, so give it pictures of people.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Above 41 degrees "very light" and "light", from 10 to 41 "intermediate" and "tan", below 10 "brown" and "dark".
TONES = {"light": (41.0, 90.1), "medium": (10.0, 41.0), "dark": (-90.1, 10.0)}
_HUE, _CHROMA = (25.0, 80.0), (8.0, 45.0)  # of skin in Lab, in degrees and as they come
LEAST = 0.02  # of a picture's pixels: fewer are no person


def tones(lab: Tensor) -> dict[str, Tensor]:
    """Lab [1, 3, H, W] -> for each tone that covers LEAST of the picture or more, the mask [H, W] bool of its pixels."""
    lightness, a, b = lab[0]
    hue, chroma = torch.rad2deg(torch.atan2(b, a)), torch.hypot(a, b)
    skin = (hue > _HUE[0]) & (hue < _HUE[1]) & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])
    angle = torch.atan2(lightness - 50, b) * (180 / math.pi)
    found = {name: skin & (angle > low) & (angle <= high) for name, (low, high) in TONES.items()}
    return {name: mask for name, mask in found.items() if float(mask.float().mean()) >= LEAST}


def skin_figures(result: Tensor, truth: Tensor) -> dict[str, dict[str, float]]:
    """By tone of the truth's skin: error in the ab plane, the truth's chroma (grey's error), and how much more red (a) and
    yellow (b) than the truth the result is. Both as Lab [1, 3, H, W].
    """
    found = {}
    for tone, mask in tones(truth).items():
        made, wanted = result[0, 1:, mask], truth[0, 1:, mask]
        off = (made - wanted).mean(1)
        found[tone] = {
            "ab_error": float((made - wanted).norm(dim=0).mean()),
            "ab_error_grey": float(wanted.norm(dim=0).mean()),
            "chroma": float(made.norm(dim=0).mean()),
            "chroma_truth": float(wanted.norm(dim=0).mean()),
            "redder": float(off[0]),
            "yellower": float(off[1]),
        }
    return found
