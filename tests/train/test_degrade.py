"""What spoils pictures for training and measuring: as much as it is told, the same each time, and nothing by itself."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from engine.imaging.resize import downscaled
from engine.train.degrade import Damage, blurred, compressed, damaged, degraded


def rng():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def truth(photo):
    return torch.from_numpy(photo[:128, :128].copy()).permute(2, 0, 1).float().div(255).repeat(8, 1, 1, 1)


def test_without_damage_it_is_the_plain_reduction(truth):
    plain = downscaled(truth, 4)
    for found in (degraded(truth, 4, rng(), 0.0), damaged(truth, 4, Damage(), rng())):
        torch.testing.assert_close(found, plain, rtol=0, atol=1e-6)


def test_the_same_each_time_and_each_picture_otherwise(truth):
    found, again = degraded(truth, 4, rng()), degraded(truth, 4, rng())
    assert torch.equal(found, again) and found.shape == (8, 3, 32, 32)
    assert len({picture.numpy().tobytes() for picture in found}) == 8
    assert torch.equal((found * 255).round() / 255, found) and found.min() >= 0 and found.max() <= 1
    distance = (found - downscaled(truth, 4)).abs().mean((1, 2, 3))
    assert distance.min() > 0.001 and distance.max() < 0.1  # spoilt, and still the picture


def test_only_a_share_is_spoilt(truth):
    many = truth[:1].repeat(64, 1, 1, 1)
    whole = (degraded(many, 4, rng(), 0.5) == downscaled(many, 4)).flatten(1).all(1)
    assert 16 <= int(whole.sum()) <= 48


def test_four_pictures_are_made_smaller_as_the_first_of_them_is(truth):
    many = truth[:1].repeat(256, 1, 1, 1)[..., :32, :32]
    spoilt = torch.rand(8, 256, generator=rng())[0] < 0.5
    plain = (degraded(many, 4, rng(), 0.5) == downscaled(many, 4)).flatten(1).all(1)
    first = spoilt[::4].repeat_interleave(4)
    assert plain[~spoilt & ~first].all()
    assert 0.4 < (~plain[~spoilt & first]).float().mean() < 0.8  # bicubic is one of the ways, four in ten of all


def test_a_blur_is_a_gaussian():
    point = torch.zeros(2, 1, 33, 33)
    point[:, :, 16, 16] = 1
    soft = blurred(point, torch.tensor([0.0, 2.0]))
    assert torch.equal(soft[0], point[0])
    places = torch.arange(33.0) - 16
    assert soft[1].sum() == pytest.approx(1, abs=1e-5)
    assert (soft[1, 0].sum(0) * places.square()).sum() == pytest.approx(4, rel=0.03)  # its variance


def test_noise_has_the_strength_it_is_told(truth):
    grey = torch.full((1, 3, 256, 256), 0.5)
    assert float(damaged(grey, 4, Damage(noise=8), rng()).std() * 255) == pytest.approx(8, rel=0.05)


def test_compression_is_what_a_file_would_do(photo):
    pixels = np.ascontiguousarray(photo[:40, :48])
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=40, subsampling=2)
    low = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    found = compressed(torch.cat((low, low)), [40, 0], [True, True], rng(), offset=False)
    wanted = np.asarray(Image.open(file))
    assert np.array_equal((found[0] * 255).round().byte().permute(1, 2, 0).numpy(), wanted)
    assert torch.equal(found[1], low[0])
    moved = compressed(low, [40], [True], rng())
    assert moved.shape == low.shape and not torch.equal(moved[0], found[0])


@pytest.mark.parametrize("wrong", [{"blur": -1}, {"noise": 300}, {"jpeg": 99}])
def test_impossible_damage(wrong):
    with pytest.raises(ValueError, match="no such damage"):
        Damage(**wrong)


def test_drawings_are_the_same_each_time_and_clean():
    from engine.train.drawings import SIDE, drawing

    found = [np.asarray(drawing(index)) for index in (1, 4)]
    assert all(picture.shape == (SIDE, SIDE, 3) for picture in found)
    assert np.array_equal(found[0], drawing(1)) and not np.array_equal(*found)
    for picture in found:  # flat: most neighbours are of just the same colour
        assert (np.diff(picture.astype(int), axis=1) == 0).all(2).mean() > 0.8
