"""Hints: small dots survive, colours are exact, simulated hints carry the true colour."""

import pytest
import torch

from engine.imaging import colour, hints

RED = torch.tensor([0.8, 0.2, 0.1])


def layer(height, width):
    return torch.zeros(1, 4, height, width)


def red_uv():
    return colour.scale_uv(colour.rgb_to_yuv(RED.view(1, 3, 1, 1))[:, 1:]).flatten()


@pytest.mark.slow
def test_a_three_pixel_dot_in_twelve_megapixels_survives_in_full_colour():
    rgba = layer(3000, 4000)
    rgba[0, :3, 1000:1003, 2000:2003] = RED[:, None, None]
    rgba[0, 3, 1000:1003, 2000:2003] = 1.0
    planes = hints.rasterise(rgba, 96, 128)
    peak = planes[0, 2].argmax()
    row, column = divmod(int(peak), 128)
    assert (row, column) == (32, 64)
    mask = planes[0, 2, row, column]
    assert mask > 0.8
    assert (planes[0, :2, row, column] / mask - red_uv()).abs().max() < 1e-3


def test_transparent_pixels_do_not_count_whatever_their_colour():
    rgba = layer(60, 60)
    rgba[0, :3] = torch.tensor([0.0, 1.0, 0.0])[:, None, None]
    assert hints.rasterise(rgba, 6, 6).abs().max() == 0
    rgba[0, 3, 10:13, 10:13] = 0.5
    rgba[0, :3, 10:13, 10:13] = RED[:, None, None]
    planes = hints.rasterise(rgba, 6, 6)
    assert planes[0, 2, 1, 1] == 1.0
    assert (planes[0, :2, 1, 1] - red_uv()).abs().max() < 1e-4


def test_uneven_sizes_keep_every_dot():
    for position in range(0, 101, 7):
        rgba = layer(101, 67)
        rgba[0, 3, position, 66] = 1.0
        rgba[0, :3, position, 66] = RED
        planes = hints.rasterise(rgba, 32, 21)
        assert planes[0, 2].max() == 1.0
        assert (planes[0, :2] * planes[0, 2:]).sum().abs() > 0


def test_a_layer_smaller_than_the_working_size_is_enlarged():
    rgba = layer(5, 5)
    rgba[0, 3, 2, 2] = 1.0
    rgba[0, :3, 2, 2] = RED
    planes = hints.rasterise(rgba, 32, 32)
    assert planes.shape == (1, 3, 32, 32)
    assert 30 < planes[0, 2].sum() <= 64  # 6.4 pixels wide and high


def test_simulated_hints_carry_the_true_colour_and_a_share_has_none():
    g = torch.Generator().manual_seed(3)
    uv = torch.tensor([0.3, -0.6]).view(1, 2, 1, 1).expand(200, 2, 32, 32).contiguous()
    planes = hints.simulate(uv, g, share=0.5)
    mask = planes[:, 2:]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.allclose(planes[:, :2], uv * mask, atol=1e-5)
    hinted = mask.flatten(1).amax(1)
    assert 70 < hinted.sum() < 130
    again = hints.simulate(uv, torch.Generator().manual_seed(3), share=0.5)
    assert torch.equal(planes, again)


@pytest.mark.parametrize("size", [48, 64, 72, 80])
def test_a_hint_of_one_pixel_keeps_its_colour_and_mask_in_a_smaller_view(size):
    """Wherever it lies, from 96 pixels to half of them."""
    for place in range(40, 52):
        planes = torch.zeros(1, 3, 96, 96)
        planes[0, :, place, 90 - place] = torch.tensor([0.5, -0.25, 1.0])
        seen = hints.smaller(planes, size, size)[0]
        strongest = seen[:, seen[2] == seen[2].max()][:, 0]
        assert strongest.tolist() == pytest.approx([0.5, -0.25, 1.0], abs=1e-5)
        assert (seen[2] > 0).sum() <= 4
