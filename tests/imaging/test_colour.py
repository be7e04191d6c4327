"""Colour spaces against scikit-image and published values, and the gamut clamp's promises."""

import numpy as np
import pytest
import torch

from engine.imaging import colour

# Sharma, Wu and Dalal 2005, table 1: L, a, b of both samples and their CIEDE2000 difference.
SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 -1.1848 -84.8006 50.0000 0.0000 -82.7485 1.0000
50.0000 -0.9009 -85.5211 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 -1.0000 2.0000 50.0000 0.0000 0.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0010 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0012 7.2195
50.0000 -0.0010 2.4900 50.0000 0.0009 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0010 -2.4900 4.8045
50.0000 -0.0010 2.4900 50.0000 0.0011 -2.4900 4.7461
50.0000 2.5000 0.0000 50.0000 0.0000 -2.5000 4.3065
50.0000 2.5000 0.0000 73.0000 25.0000 -18.0000 27.1492
50.0000 2.5000 0.0000 61.0000 -5.0000 29.0000 22.8977
50.0000 2.5000 0.0000 56.0000 -27.0000 -3.0000 31.9030
50.0000 2.5000 0.0000 58.0000 24.0000 15.0000 19.4535
50.0000 2.5000 0.0000 50.0000 3.1736 0.5854 1.0000
50.0000 2.5000 0.0000 50.0000 3.2972 0.0000 1.0000
50.0000 2.5000 0.0000 50.0000 1.8634 0.5757 1.0000
50.0000 2.5000 0.0000 50.0000 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def random_rgb(n=2, height=17, width=13, dtype=torch.float64):
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=dtype)


def hwc(x):
    return x.permute(0, 2, 3, 1).numpy()


def test_delta_e_2000_gives_the_published_values():
    table = torch.tensor([float(v) for v in SHARMA.split()], dtype=torch.float64).view(-1, 7)
    assert len(table) == 34
    first, second = table[:, :3].T[None, :, :, None], table[:, 3:6].T[None, :, :, None]
    for a, b in ((first, second), (second, first)):
        assert (colour.delta_e_2000(a, b).flatten() - table[:, 6]).abs().max() < 1e-4


def test_lab_equals_scikit_image():
    color = pytest.importorskip("skimage.color")
    rgb = random_rgb()
    np.testing.assert_allclose(
        hwc(colour.rgb_to_lab(rgb)), color.rgb2lab(hwc(rgb)), atol=2e-2
    )  # its white point is rounded otherwise


def test_grey_has_no_ab():
    grey = torch.linspace(0, 1, 256, dtype=torch.float64).view(1, 1, 1, -1).expand(1, 3, 1, 256)
    lab = colour.rgb_to_lab(grey)
    assert lab[:, 1:].abs().max() < 1e-9
    assert lab[0, 0, 0, 0].abs() < 1e-6 and abs(lab[0, 0, 0, -1].item() - 100) < 1e-6


def test_yuv_equals_scikit_image_and_comes_back():
    color = pytest.importorskip("skimage.color")
    rgb = random_rgb()
    yuv = colour.rgb_to_yuv(rgb)
    np.testing.assert_allclose(hwc(yuv), color.rgb2yuv(hwc(rgb)), atol=5e-5)
    assert (colour.yuv_to_rgb(yuv) - rgb).abs().max() < 1e-12
    assert torch.equal(colour.luma(rgb), yuv[:, :1])


# The analog BT.601 form's matrix applied to the colour bars, as printed for RGB-YUV conversion: name, RGB, YUV.
BARS = """
white    1 1 1   1.000  0.000  0.000
yellow   1 1 0   0.886 -0.436  0.100
cyan     0 1 1   0.701  0.147 -0.615
green    0 1 0   0.587 -0.289 -0.515
magenta  1 0 1   0.413  0.289  0.515
red      1 0 0   0.299 -0.147  0.615
blue     0 0 1   0.114  0.436 -0.100
black    0 0 0   0.000  0.000  0.000
"""


@pytest.mark.parametrize("line", BARS.strip().splitlines(), ids=lambda line: line.split()[0])
def test_the_colour_bars_have_the_published_yuv_and_come_back(line):
    rgb, yuv = torch.tensor([float(v) for v in line.split()[1:]], dtype=torch.float64).view(2, 1, 3, 1, 1)
    found = colour.rgb_to_yuv(rgb)
    assert (found - yuv).abs().max() < 6e-4  # three decimals are printed
    assert (colour.yuv_to_rgb(found) - rgb).abs().max() < 1e-12
    assert (colour.yuv_to_rgb(yuv) - rgb).abs().max() < 2e-3


def test_pure_colours_reach_the_ends_of_the_scaled_range():
    corners = torch.tensor([[0, 0, 1], [1, 1, 0], [1, 0, 0], [0, 1, 1]], dtype=torch.float64).view(4, 3, 1, 1)
    uv = colour.scale_uv(colour.rgb_to_yuv(corners)[:, 1:]).flatten(1)
    assert torch.allclose(uv[:, 0][:2], torch.tensor([1.0, -1.0], dtype=torch.float64))
    assert torch.allclose(uv[:, 1][2:], torch.tensor([1.0, -1.0], dtype=torch.float64))
    assert torch.allclose(colour.unscale_uv(colour.scale_uv(uv[:, :, None, None])), uv[:, :, None, None])


def test_srgb_transfer_comes_back_and_is_the_standard_one():
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert (colour.linear_to_srgb(colour.srgb_to_linear(values)) - values).abs().max() < 1e-9
    assert abs(colour.srgb_to_linear(torch.tensor(0.5, dtype=torch.float64)).item() - 0.21404114) < 1e-7


def test_clamped_chroma_is_in_gamut_and_keeps_luma_and_hue():
    g = torch.Generator().manual_seed(1)
    y = torch.rand(1, 1, 64, 64, generator=g, dtype=torch.float64)
    y[0, 0, 0], y[0, 0, 1] = 0.0, 1.0
    uv = torch.randn(1, 2, 64, 64, generator=g, dtype=torch.float64) * 0.5
    clamped = colour.clamp_chroma(y, uv)
    rgb = colour.yuv_to_rgb(torch.cat((y, clamped), 1))
    assert rgb.min() > -1e-5 and rgb.max() < 1 + 1e-5
    assert (colour.luma(rgb) - y).abs().max() < 1e-12
    cross = uv[:, 0] * clamped[:, 1] - uv[:, 1] * clamped[:, 0]
    assert cross.abs().max() < 1e-12
    assert bool((clamped.norm(dim=1) <= uv.norm(dim=1) + 1e-12).all())


def test_the_knee_leaves_weak_chroma_alone_and_is_smooth_and_monotone():
    length = torch.linspace(0, 2, 4001, dtype=torch.float64).view(1, 1, 1, -1)
    y = torch.full_like(length, 0.4)
    direction = torch.tensor([0.3, 0.5], dtype=torch.float64).view(1, 2, 1, 1)
    out = colour.clamp_chroma(y, direction * length).norm(dim=1).flatten()
    wanted = (direction * length).norm(dim=1).flatten()
    assert torch.equal(out[:100], wanted[:100])
    first = out.diff()
    assert bool((first >= 0).all())  # never less colour from more
    assert first.diff().abs().max() < 0.01 * first.max()  # no corner anywhere
