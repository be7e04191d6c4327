"""The resampler against MATLAB's published weights, against torch's own in the interior, and part against whole."""

import pytest
import torch
import torch.nn.functional as F

from engine.imaging import resize


def picture(height=40, width=52):
    return torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_halving_has_matlabs_weights():
    impulse = torch.zeros(1, 32, dtype=torch.float64)
    impulse[0, 15] = 1
    half = resize.bicubic(impulse, 1, 16)[0]
    # Keys' kernel at 1.75, 1.25, 0.75, 0.25 from the centre, halved: what imresize(x, 0.5) weighs samples with.
    expected = [-0.01171875, 0.11328125, 0.43359375, -0.03515625]
    assert half[5:10].tolist() == pytest.approx([0.0, -0.03515625, 0.43359375, 0.11328125, -0.01171875])
    assert sorted(expected) == pytest.approx(sorted(half[half != 0].tolist()))


def test_quartering_has_matlabs_weights():
    """The reduction of the super-resolution literature: sixteen taps, Keys' kernel stretched four times."""
    line = torch.eye(64, dtype=torch.float64)
    taps = resize.bicubic(line[None], 64, 16)[0][:, 7]  # what the eighth output takes from each sample
    # h(t) / 4 at t = 0.125, 0.375, ... 1.875, where imresize(x, 0.25) samples it.
    near = [0.240966796875, 0.181884765625, 0.097412109375, 0.022705078125]
    far = [-0.011962890625, -0.018310546875, -0.010986328125, -0.001708984375]
    expected = torch.tensor([*near, *far], dtype=torch.float64)
    both = torch.cat((expected.flip(0), expected))
    assert torch.allclose(taps[22:38], both, atol=1e-12) and taps.count_nonzero() == 16


@pytest.mark.parametrize("size", [(10, 13), (160, 208), (80, 104)])
def test_the_interior_is_torchs_antialiased_bicubic(size):
    x = picture()
    ours = resize.bicubic(x, *size)
    theirs = F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)
    rows, columns = size[0] // 4, size[1] // 4
    assert torch.allclose(ours[..., rows:-rows, columns:-columns], theirs[..., rows:-rows, columns:-columns], atol=1e-6)


@pytest.mark.parametrize("size", [(7, 9), (64, 100), (1, 1), (40, 52), (200, 3)])
def test_a_constant_stays_constant_at_any_size(size):
    result = resize.bicubic(torch.full((1, 3, 40, 52), 0.3), *size)
    assert result.shape == (1, 3, *size)
    assert torch.allclose(result, torch.tensor(0.3), atol=1e-6)


def test_edges_are_mirrored():
    x = picture(8, 8)
    wide = torch.cat((x.flip(-1), x, x.flip(-1)), -1)
    wide = torch.cat((wide.flip(-2), wide, wide.flip(-2)), -2)
    assert torch.allclose(resize.bicubic(x, 4, 4), resize.bicubic(wide, 12, 12)[..., 4:8, 4:8])
    assert torch.allclose(resize.bicubic(x, 32, 32), resize.bicubic(wide, 96, 96)[..., 32:64, 32:64])


def test_downscaled_holds_8_bit_values():
    small = resize.downscaled(picture().float(), 4)
    assert small.shape == (2, 3, 10, 13)
    assert torch.equal((small * 255).round() / 255, small) and small.min() >= 0 and small.max() <= 1
