"""HSV against published values and scikit-image; XYV and HxHySV there and back, with the thesis' slip corrected."""

import math

import pytest
import torch
from skimage import color as reference

from engine.imaging import hsv

# The table of colours in the article "HSL and HSV" of Wikipedia: R, G, B and H in degrees, S, V.
PUBLISHED = [
    ((1.0, 1.0, 1.0), (0.0, 0.0, 1.0)),
    ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 1.0)),
    ((0.75, 0.75, 0.0), (60.0, 1.0, 0.75)),
    ((0.0, 0.5, 0.0), (120.0, 1.0, 0.5)),
    ((0.5, 1.0, 1.0), (180.0, 0.5, 1.0)),
    ((0.5, 0.5, 1.0), (240.0, 0.5, 1.0)),
    ((0.75, 0.25, 0.75), (300.0, 0.667, 0.75)),
    ((0.628, 0.643, 0.142), (61.8, 0.779, 0.643)),
    ((0.255, 0.104, 0.918), (251.1, 0.887, 0.918)),
    ((0.116, 0.675, 0.255), (134.9, 0.828, 0.675)),
    ((0.941, 0.785, 0.053), (49.5, 0.944, 0.941)),
    ((0.704, 0.187, 0.897), (283.7, 0.792, 0.897)),
    ((0.931, 0.463, 0.316), (14.3, 0.661, 0.931)),
]


def pixel(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, -1, 1, 1)


@pytest.fixture
def colours():
    rgb = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rgb[0, :, 0] = rgb[0, :1, 0]  # a row of greys
    rgb[0, :, 1] = torch.eye(3, dtype=torch.float64).repeat(1, 8)
    return rgb


@pytest.mark.parametrize(("rgb", "wanted"), PUBLISHED)
def test_published_values(rgb, wanted):
    h, s, v = hsv.rgb_to_hsv(pixel(*rgb)).flatten().tolist()
    assert 360 * h == pytest.approx(wanted[0], abs=0.15)
    assert (s, v) == (pytest.approx(wanted[1], abs=1e-3), pytest.approx(wanted[2], abs=1e-3))


def test_the_same_as_scikit_image(colours):
    ours = hsv.rgb_to_hsv(colours).permute(0, 2, 3, 1).numpy()
    assert abs(ours - reference.rgb2hsv(colours.permute(0, 2, 3, 1).numpy())).max() < 1e-9
    back = hsv.hsv_to_rgb(hsv.rgb_to_hsv(colours))
    assert (back - colours).abs().max() < 1e-9


def test_both_spaces_go_there_and_back(colours):
    assert (hsv.xyv_to_rgb(hsv.rgb_to_xyv(colours)) - colours).abs().max() < 1e-5
    assert (hsv.hxhysv_to_rgb(hsv.rgb_to_hxhysv(colours)) - colours).abs().max() < 1e-9
    through = hsv.hxhysv_to_xyv(hsv.rgb_to_hxhysv(colours))
    assert (through - hsv.rgb_to_xyv(colours)).abs().max() < 1e-4
    directed = hsv.xyv_to_directed(hsv.rgb_to_xyv(colours))
    assert (hsv.hxhysv_to_rgb(directed) - colours).abs().max() < 1e-5


def test_hues_lie_as_the_thesis_says():
    """angle = 2 * pi * h - pi: red at (-1, 0), cyan at (1, 0), and a half-saturated green in between."""
    assert torch.allclose(hsv.rgb_to_xyv(pixel(1, 0, 0)), pixel(-1, 0, 1), atol=1e-12)
    assert torch.allclose(hsv.rgb_to_xyv(pixel(0, 1, 1)), pixel(1, 0, 1), atol=1e-12)
    wanted = pixel(0.5 * math.cos(-math.pi / 3), 0.5 * math.sin(-math.pi / 3), 1)
    assert torch.allclose(hsv.rgb_to_xyv(pixel(0.5, 1, 0.5)), wanted, atol=1e-12)


def test_saturation_of_xyv_is_the_length_of_x_and_y():
    """The thesis' listing passes two products to the root instead of their sum."""
    assert hsv.xyv_to_hsv(pixel(0.3, 0.4, 1.0))[0, 1].item() == pytest.approx(0.5)


def test_only_the_direction_of_the_hue_counts_and_its_gradient_is_finite():
    assert torch.allclose(hsv.hxhysv_to_rgb(pixel(-0.2, 0, 1, 1)), pixel(1, 0, 0), atol=1e-9)
    at_centre = pixel(0.0, 0.0, 0.5, 0.5).requires_grad_()
    (hsv.hxhysv_to_rgb(at_centre).sum() + hsv.hxhysv_to_xyv(at_centre).sum()).backward()
    assert at_centre.grad.isfinite().all()
