"""Smith 1978, HSV, and the two spaces that the UNAM 2022 thesis (section 5.1.2) makes of it, on float tensors [N, C, H, W].

HSV: all in [0, 1], hue 0 = red, growing through yellow. The hue as an angle is 2*pi*h - pi (the thesis' convention, so red
lies at minus pi). XYV = (s*cos, s*sin, v): hue and saturation as a point of the unit disc, in which distances make sense.
HxHySV = (cos, sin, s, v): the hue as a direction apart from the saturation, so that a net that is unsure of a hue need not
give a pale colour. The thesis' listing of XYV's inverse passes two products to the square root; their sum is meant.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

TAU = 2 * math.pi


def rgb_to_hsv(rgb: Tensor) -> Tensor:
    """HSV [N, 3, H, W] in [0, 1] of RGB [N, 3, H, W] in [0, 1]; grey has hue 0 and saturation 0."""
    r, g, b = rgb.unbind(1)
    value, low = rgb.amax(1), rgb.amin(1)
    chroma = value - low
    safe = torch.where(chroma > 0, chroma, torch.ones_like(chroma))
    hue = torch.where(
        value == r,
        torch.remainder((g - b) / safe, 6.0),
        torch.where(value == g, (b - r) / safe + 2.0, (r - g) / safe + 4.0),
    )
    hue = torch.where(chroma > 0, hue / 6.0, torch.zeros_like(hue))
    saturation = torch.where(value > 0, chroma / torch.where(value > 0, value, torch.ones_like(value)), chroma)
    return torch.stack((hue, saturation, value), 1)


def hsv_to_rgb(hsv: Tensor) -> Tensor:
    """RGB [N, 3, H, W] in [0, 1] of HSV [N, 3, H, W] in [0, 1]."""
    hue, saturation, value = hsv.unbind(1)
    channels = []
    for n in (5.0, 3.0, 1.0):
        k = torch.remainder(n + 6.0 * hue, 6.0)
        channels.append(value - value * saturation * torch.minimum(k, 4.0 - k).clamp(0.0, 1.0))
    return torch.stack(channels, 1)


def hsv_to_xyv(hsv: Tensor) -> Tensor:
    """XYV [N, 3, H, W] of HSV: X and Y within the unit disc, V in [0, 1]."""
    angle, s = TAU * hsv[:, 0:1] - math.pi, hsv[:, 1:2]
    return torch.cat((s * torch.cos(angle), s * torch.sin(angle), hsv[:, 2:3]), 1)


def xyv_to_hsv(xyv: Tensor) -> Tensor:
    """HSV [N, 3, H, W] in [0, 1] of XYV; points outside the disc are taken to its edge."""
    x, y, v = xyv.unbind(1)
    return torch.stack((_hue(x, y), torch.sqrt(x * x + y * y), v), 1).clamp(0.0, 1.0)


def hsv_to_hxhysv(hsv: Tensor) -> Tensor:
    """HxHySV [N, 4, H, W] of HSV: a point of the unit circle, saturation and value in [0, 1]."""
    angle = TAU * hsv[:, 0:1] - math.pi
    return torch.cat((torch.cos(angle), torch.sin(angle), hsv[:, 1:3]), 1)


def hxhysv_to_hsv(hxhysv: Tensor) -> Tensor:
    """HSV [N, 3, H, W] in [0, 1] of HxHySV; only the direction of (Hx, Hy) counts."""
    x, y, s, v = hxhysv.unbind(1)
    return torch.stack((_hue(x, y), s, v), 1).clamp(0.0, 1.0)


def hxhysv_to_xyv(hxhysv: Tensor) -> Tensor:
    """XYV [N, 3, H, W] of HxHySV, only the direction of (Hx, Hy) counting; gradients stay finite where it has none."""
    direction = hxhysv[:, 0:2]
    length = torch.sqrt(direction.square().sum(1, keepdim=True) + 1e-4)
    return torch.cat((direction / length * hxhysv[:, 2:3], hxhysv[:, 3:4]), 1)


def xyv_to_directed(xyv: Tensor) -> Tensor:
    """HxHySV [N, 4, H, W] of XYV without a detour through angles; greys get a direction shorter than 1."""
    # A root has no gradient at 0, where greys are.
    length = torch.sqrt(xyv[:, 0:2].square().sum(1, keepdim=True) + 1e-10)
    return torch.cat((xyv[:, 0:2] / length.clamp_min(0.02), length.clamp(max=1.0), xyv[:, 2:3].clamp(0, 1)), 1)


def rgb_to_xyv(rgb: Tensor) -> Tensor:
    """XYV [N, 3, H, W] of RGB [N, 3, H, W] in [0, 1]."""
    return hsv_to_xyv(rgb_to_hsv(rgb))


def xyv_to_rgb(xyv: Tensor) -> Tensor:
    """RGB [N, 3, H, W] of XYV."""
    return hsv_to_rgb(xyv_to_hsv(xyv))


def rgb_to_hxhysv(rgb: Tensor) -> Tensor:
    """HxHySV [N, 4, H, W] of RGB [N, 3, H, W] in [0, 1]."""
    return hsv_to_hxhysv(rgb_to_hsv(rgb))


def hxhysv_to_rgb(hxhysv: Tensor) -> Tensor:
    """RGB [N, 3, H, W] in [0, 1] of HxHySV."""
    return hsv_to_rgb(hxhysv_to_hsv(hxhysv))


def _hue(x: Tensor, y: Tensor) -> Tensor:
    # Neither the angle nor its gradient exists at the centre: there the hue is that of a point just beside it.
    x = torch.where(x * x + y * y < 1e-12, torch.full_like(x, -1e-6), x)
    return (torch.atan2(y, x) + math.pi) / TAU
