"""The layers of the growing GAN, by their formulas; the balance of the game; what is shown to the discriminators."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from engine.nn import duel
from engine.nn.augment import augmented
from engine.nn.progressive import EqualConv, EqualLinear, MinibatchDeviation, PixelNorm, fade, filters


def test_pixel_norm_is_the_thesis_equation():
    a = torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0)).double()
    b = PixelNorm()(a)
    n = a.shape[1]
    for y, x in ((0, 0), (2, 3)):
        wanted = a[1, :, y, x] / np.sqrt(float((a[1, :, y, x] ** 2).sum()) / n + 1e-8)
        assert torch.allclose(b[1, :, y, x], wanted)
    assert torch.allclose(b.square().mean(1), torch.ones(()).double(), atol=1e-6)
    tiny = PixelNorm()(torch.full((1, 4, 1, 1), 1e-4).double())  # here epsilon counts: 1e-4 / sqrt(1e-8 + 1e-8)
    assert torch.allclose(tiny, torch.full((), 2**-0.5).double())


def test_minibatch_deviation_adds_one_constant_channel():
    x = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    out = MinibatchDeviation()(x)
    assert out.shape == (4, 4, 2, 2) and torch.equal(out[:, :3], x)
    assert torch.allclose(out[:, 3], torch.tensor(x.numpy().std(axis=0).mean()), atol=1e-5)
    alike = MinibatchDeviation()(x[:1].expand(4, -1, -1, -1))
    assert alike[:, 3].max() < 2e-4  # the root of epsilon


def test_fade_in_arithmetic():
    old, new = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -2.0])
    assert torch.equal(fade(old, new, 0.0), old) and torch.equal(fade(old, new, 1.0), new)
    assert torch.allclose(fade(old, new, 0.2), torch.tensor([1.4, 1.2]))
    steps = 0
    alpha = 0.2
    while alpha < 1:
        alpha, steps = alpha + 0.00008, steps + 1
    assert steps == pytest.approx(10_000, rel=0.01)  # what the thesis says its step comes to


def test_filters_halve_from_32_pixels_on():
    assert [filters(level, 256, 64) for level in range(6)] == [256, 256, 256, 128, 64, 64]


def test_scaled_weights_keep_the_variance():
    torch.manual_seed(0)
    x = torch.randn(8, 32, 16, 16)
    with torch.no_grad():
        assert float(F.relu(EqualConv(32, 64)(x)).square().mean()) == pytest.approx(1.0, rel=0.15)
        assert float(EqualConv(32, 64).weight.std()) == pytest.approx(1.0, rel=0.05)
        assert float(EqualLinear(400, 300, gain=1.0)(torch.randn(50, 400)).var()) == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize(("accuracy", "share"), [(0.2, 0.0), (0.5, 0.0), (0.75, 0.05), (1.0, 0.1)])
def test_the_share_of_fakes_shown_as_real(accuracy, share):
    assert duel.shown_as_real(accuracy, 0.1) == pytest.approx(share)


def test_the_losses_by_hand():
    logits = torch.tensor([[2.0], [-1.0]])
    p = torch.sigmoid(logits)
    assert torch.allclose(duel.judged(logits, True), -p.log().mean())
    assert torch.allclose(duel.judged(logits, False), -(1 - p).log().mean())
    assert duel.judged(logits, True, "hinge") == pytest.approx(1.0)  # (0 + 2) / 2
    assert duel.judged(logits, False, "hinge") == pytest.approx(1.5)
    assert duel.judged(logits, True, "wasserstein") == pytest.approx(-0.5)
    assert torch.allclose(duel.convinced(logits), -p.log().mean())
    assert duel.convinced(logits, "hinge") == pytest.approx(-0.5)
    with pytest.raises(ValueError, match="no loss"):
        duel.judged(logits, True, "magic")


def test_the_slope_of_a_plane_is_its_normal():
    class Plane(nn.Module):
        def forward(self, x):
            return (x * torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)).sum((1, 2, 3))[:, None]

    pictures = torch.rand(5, 2, 1, 1)
    assert duel.steepness(Plane(), pictures) == pytest.approx(25.0)
    assert duel.steepness(Plane(), pictures, 1.0) == pytest.approx(16.0)


def test_confusion_counts_truth_and_verdict():
    swapped = torch.tensor([False, False, False, True])  # the last was generated and shown as real
    counts = duel.confusion(
        torch.tensor([[1.0], [-1.0], [2.0], [3.0]]), torch.tensor([[-1.0], [-2.0], [1.0], [-3.0]]), swapped
    )
    assert {name.partition("/")[2]: int(n) for name, n in counts.items()} == {
        "real_real": 2,
        "real_fake": 1,
        "fake_real": 2,
        "fake_fake": 3,
    }


@pytest.mark.parametrize("kind", ["colour", "shift", "hole"])
def test_augmentations_change_pictures_and_let_gradients_through(kind):
    torch.manual_seed(3)
    x = torch.rand(6, 3, 16, 16, requires_grad=True)
    out = augmented(x, [kind])
    assert out.shape == x.shape and not torch.equal(out, x)
    out.sum().backward()
    assert x.grad.abs().sum() > 0
    assert not torch.equal(out[0] - x[0], out[1] - x[1])


def test_a_shift_moves_whole_pictures():
    x = torch.zeros(20, 1, 16, 16)
    x[:, :, 8, 8] = 1
    torch.manual_seed(0)
    places = augmented(x, ["shift"]).flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    assert rows.min() >= 6 and rows.max() <= 10 and columns.min() >= 6 and columns.max() <= 10
    assert len(set(places.tolist())) > 5


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="magic"):
        augmented(torch.rand(1, 1, 4, 4), ["magic"])


def test_grey_crops_are_the_luma():
    crops = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    wanted = (crops.double() / 255 * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert torch.allclose(duel.grey_crops(crops, 8).double(), wanted, atol=1e-6)
    assert torch.allclose(duel.grey_crops(crops, 4).mean((2, 3)).double(), wanted.mean((2, 3)), atol=0.03)
