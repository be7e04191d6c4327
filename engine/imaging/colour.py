"""Colour spaces, colour difference and gamut, as pure functions on float tensors [N, C, H, W].

RGB is in [0, 1], gamma-encoded (sRGB's transfer) unless a name says linear. YUV is the analog BT.601 form that the first
thesis uses, on gamma-encoded RGB: Y in [0, 1], U in [-0.436, 0.436], V in [-0.615, 0.615]. The networks speak scaled
chroma, U/0.436 and V/0.615, so both planes fill [-1, 1]. Lab is CIE L*a*b* for the D65 white and the 2 degree observer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

KR, KG, KB = 0.299, 0.587, 0.114  # BT.601 luma weights
U_MAX, V_MAX = 0.436, 0.615
_U_OF_B = U_MAX / (1.0 - KB)  # U = (B - Y) * _U_OF_B
_V_OF_R = V_MAX / (1.0 - KR)

# IEC 61966-2-1 primaries to CIE XYZ; the white point is the image of (1, 1, 1), so that grey is exactly a = b = 0.
_XYZ_OF_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = tuple(sum(row) for row in _XYZ_OF_RGB)
_LAB_EPSILON = (6.0 / 29.0) ** 3


# ---- YUV -----------------------------------------------------------------------------------------------------------


def luma(rgb: Tensor) -> Tensor:
    """Y [N, 1, H, W] in [0, 1] of RGB [N, 3, H, W] in [0, 1] (BT.601)."""
    r, g, b = rgb.unbind(1)
    # The weighted sum, written so that a grey's luma is its very value: in three channels it must give what it gives in one.
    return (g + KR * (r - g) + KB * (b - g)).unsqueeze(1)


def rgb_to_yuv(rgb: Tensor) -> Tensor:
    """YUV [N, 3, H, W] of RGB [N, 3, H, W] in [0, 1]; U within 0.436 of zero, V within 0.615."""
    y = luma(rgb)
    return torch.cat((y, (rgb[:, 2:3] - y) * _U_OF_B, (rgb[:, 0:1] - y) * _V_OF_R), 1)


def yuv_to_rgb(yuv: Tensor) -> Tensor:
    """RGB [N, 3, H, W] of YUV [N, 3, H, W]. Not clamped: outside [0, 1] where the chroma leaves the gamut."""
    y = yuv[:, 0:1]
    return y + chroma_to_offsets(yuv[:, 1:3])


def chroma_to_offsets(uv: Tensor) -> Tensor:
    """What chroma UV [N, 2, H, W] adds to the luma in each of R, G, B: [N, 3, H, W]. Its own luma is zero."""
    blue = uv[:, 0:1] / _U_OF_B
    red = uv[:, 1:2] / _V_OF_R
    return torch.cat((red, -(KR * red + KB * blue) / KG, blue), 1)


def scale_uv(uv: Tensor) -> Tensor:
    """UV in natural units to the networks' [-1, 1]."""
    return uv / _uv_range(uv)


def unscale_uv(uv: Tensor) -> Tensor:
    """The networks' UV in [-1, 1] to natural units."""
    return uv * _uv_range(uv)


def _uv_range(like: Tensor) -> Tensor:
    return torch.tensor((U_MAX, V_MAX), dtype=like.dtype, device=like.device).view(1, 2, 1, 1)


# ---- gamut ---------------------------------------------------------------------------------------------------------


def clamp_chroma(y: Tensor, uv: Tensor, knee: float = 0.85) -> Tensor:
    """UV [N, 2, H, W] reduced just enough that RGB stays in [0, 1]; hue (the direction of UV) and Y do not change.

    y is [N, 1, H, W] in [0, 1], uv in natural units. For every pixel the largest chroma in gamut along its direction is
    found; chroma below `knee` of that passes unchanged, above it bends smoothly (equal slope at the knee) and reaches
    the limit only for infinite chroma, so gradients of strong colours stay gradients instead of turning flat.
    """
    red, green, blue = chroma_to_offsets(uv).split(1, 1)
    tiny = 1e-6
    up = torch.maximum(torch.maximum(red, green), blue) / (1.0 - y).clamp_min(tiny)
    down = torch.minimum(torch.minimum(red, green), blue) / y.clamp_min(tiny)
    used = torch.maximum(up, -down)  # 1 = exactly at the limit
    bent = 1.0 - (1.0 - knee) * torch.exp((knee - used).clamp_max(0.0) / (1.0 - knee))
    return uv * (bent / used.clamp_min(tiny)).clamp_max(1.0)  # below the knee, bent is the knee: nothing changes


# ---- sRGB, XYZ, Lab ------------------------------------------------------------------------------------------------


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Linear light of gamma-encoded sRGB values (IEC 61966-2-1), any shape; negative values pass through linearly."""
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Gamma-encoded sRGB values of linear light, any shape."""
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """CIE L*a*b* [N, 3, H, W] (D65) of gamma-encoded sRGB [N, 3, H, W] in [0, 1]; L in [0, 100]."""
    matrix = torch.tensor(_XYZ_OF_RGB, dtype=rgb.dtype, device=rgb.device)
    white = torch.tensor(_WHITE, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,njhw->nihw", matrix, srgb_to_linear(rgb)) / white
    linear_part = xyz * (841.0 / 108.0) + 4.0 / 29.0
    f = torch.where(xyz > _LAB_EPSILON, xyz.clamp_min(_LAB_EPSILON) ** (1.0 / 3.0), linear_part)
    fx, fy, fz = f.unbind(1)
    return torch.stack((116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)), 1)


def delta_e_2000(lab1: Tensor, lab2: Tensor) -> Tensor:
    """CIEDE2000 colour difference [N, 1, H, W] of two Lab tensors [N, 3, H, W], with kL = kC = kH = 1.

    Source: Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes".
    """
    l1, a1, b1 = lab1.unbind(1)
    l2, a2, b2 = lab2.unbind(1)
    mean_c7 = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - torch.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    turn = 2 * math.pi
    h1, h2 = torch.remainder(torch.atan2(b1, a1), turn), torch.remainder(torch.atan2(b2, a2), turn)
    chromatic = c1 * c2 > 0

    dh = h2 - h1
    dh = torch.where(dh > math.pi, dh - turn, torch.where(dh < -math.pi, dh + turn, dh))
    dh = torch.where(chromatic, dh, torch.zeros_like(dh))
    d_l, d_c = l2 - l1, c2 - c1
    d_h = 2 * torch.sqrt(c1 * c2) * torch.sin(dh / 2)

    # The mean hue is taken on the shorter arc; with a neutral colour it is the other's hue (their sum).
    h_sum = h1 + h2
    h_mean = torch.where((h1 - h2).abs() <= math.pi, h_sum, torch.where(h_sum < turn, h_sum + turn, h_sum - turn)) / 2
    h_mean = torch.where(chromatic, h_mean, h_sum)
    l_mean, c_mean = (l1 + l2) / 2, (c1 + c2) / 2

    def cos_deg(factor: float, degrees: float) -> Tensor:
        return torch.cos(factor * h_mean + math.radians(degrees))

    t = 1 - 0.17 * cos_deg(1, -30) + 0.24 * cos_deg(2, 0) + 0.32 * cos_deg(3, 6) - 0.20 * cos_deg(4, -63)
    s_l = 1 + 0.015 * (l_mean - 50) ** 2 / torch.sqrt(20 + (l_mean - 50) ** 2)
    s_c = 1 + 0.045 * c_mean
    s_h = 1 + 0.015 * c_mean * t
    rotation = math.radians(30) * torch.exp(-(((torch.rad2deg(h_mean) - 275) / 25) ** 2))
    c7 = c_mean**7
    r_t = -2 * torch.sqrt(c7 / (c7 + 25.0**7)) * torch.sin(2 * rotation)
    l_term, c_term, h_term = d_l / s_l, d_c / s_c, d_h / s_h
    squared = l_term**2 + c_term**2 + h_term**2 + r_t * c_term * h_term
    return torch.sqrt(squared.clamp_min(0)).unsqueeze(1)
