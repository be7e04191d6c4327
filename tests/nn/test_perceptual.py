"""Perceptual losses: both kinds of feature networks from files, distances and Gram matrices by their definitions."""

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.client.errors import WeightsMetadata, WeightsMissing
from engine.nn import perceptual
from engine.nn.classifier import Classifier
from engine.nn.perceptual import Features, gram, gram_matrix

WEIGHTS = (0.04, 0.12, 0.18, 0.6)


def own_file(path, space="rgb", **metadata):
    """A tiny classifier of our own, untrained."""
    torch.manual_seed(0)
    net = Classifier(base=4, classes=3, space=space)
    net.scale[:] = torch.tensor([0.5, 1.0, 2.0, 4.0])
    config = json.dumps({"base": 4, "classes": 3, "space": space})
    save_file(net.state_dict(), path, {"format": perceptual.FORMAT, "config": config, **metadata})
    return net.eval()


def squeezenet_file(path):
    """A file with SqueezeNet's names and sizes, untrained."""
    torch.manual_seed(0)
    state = {"conv1.weight": torch.randn(64, 3, 3, 3) / 300, "conv1.bias": torch.zeros(64)}
    inside = 64
    for number, squeeze in {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}.items():
        for name, a, b, k in (
            ("squeeze1x1", inside, squeeze, 1),
            ("expand1x1", squeeze, 4 * squeeze, 1),
            ("expand3x3", squeeze, 4 * squeeze, 3),
        ):
            state[f"fire{number}.{name}.weight"] = torch.randn(b, a, k, k) * (2 / (a * k * k)) ** 0.5
            state[f"fire{number}.{name}.bias"] = torch.zeros(b)
        inside = 8 * squeeze
    save_file(state, path)


@pytest.mark.parametrize("space", ["rgb", "xyv"])
def test_our_own_classifier(tmp_path, space):
    net = own_file(tmp_path / "own.safetensors", space)
    features = Features(tmp_path / "own.safetensors").train()
    assert features.space == space and space in features.name and features.channels == (4, 8, 16, 32)
    x = torch.rand(2, 3, 32, 24)
    maps = features(x)
    assert [m.shape for m in maps] == [(2, 4, 32, 24), (2, 8, 16, 12), (2, 16, 8, 6), (2, 32, 4, 3)]
    for ours, plain, scale in zip(maps, net.maps(x), (0.5, 1.0, 2.0, 4.0), strict=True):
        assert torch.equal(ours, plain / scale)  # batch norm is not learning in spite of train()


def test_squeezenet(tmp_path):
    squeezenet_file(tmp_path / "other.safetensors")
    features = Features(tmp_path / "other.safetensors")
    assert features.space == "rgb" and "SqueezeNet" in features.name
    assert [m.shape[1] for m in features(torch.rand(1, 3, 33, 40))] == list(features.channels)
    assert len(features(torch.rand(1, 3, 17, 17))) == 4


def test_the_gradient_reaches_the_made_picture_alone(tmp_path):
    own_file(tmp_path / "own.safetensors")
    features = Features(tmp_path / "own.safetensors")
    made, truth = torch.rand(1, 3, 16, 16).requires_grad_(), torch.rand(1, 3, 16, 16).requires_grad_()
    a, b = features.pair(made, truth)
    (perceptual.perceptual(a, b, WEIGHTS) + gram(a, b, WEIGHTS)).backward()
    assert made.grad.abs().sum() > 0 and truth.grad is None
    assert not any(p.requires_grad for p in features.parameters())


def test_distances_by_their_definitions():
    rng = torch.Generator().manual_seed(0)
    a, b = ([torch.randn(2, 3, 4, 5, generator=rng) for _ in range(2)] for _ in range(2))
    by_hand = []
    for x, y in zip(a, b, strict=True):
        d = (x - y).abs()
        by_hand.append(torch.where(d < 1, d * d / 2, d - 0.5).mean())
    assert perceptual.perceptual(a, b, (0.5, 2.0)) == pytest.approx(float(0.5 * by_hand[0] + 2 * by_hand[1]))
    squares = perceptual.perceptual(a, b, (0.0, 1.0), squares=True)
    assert squares == pytest.approx(float((a[1] - b[1]).square().mean()))
    expected = torch.einsum("nahw,nbhw->nab", a[0], a[0]) / (3 * 4 * 5)
    assert torch.allclose(gram_matrix(a[0]), expected, atol=1e-6)
    assert gram(a, a, (1, 1)) == 0
    turned = [x.flip(2, 3) for x in a]  # the same texture in other places
    assert gram(a, turned, (1, 1)) < 1e-12 < perceptual.perceptual(a, turned, (1, 1))


def test_what_is_no_feature_network_is_refused(tmp_path):
    with pytest.raises(WeightsMissing, match=r"--features FILE.*--set features=FILE"):
        Features(tmp_path / "nowhere.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(WeightsMetadata, match="no safetensors"):
        Features(tmp_path / "text.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsMetadata, match="no feature network"):
        Features(tmp_path / "x.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "y.safetensors", {"format": perceptual.FORMAT, "config": "{}"})
    with pytest.raises(WeightsMetadata, match="does not fit"):
        Features(tmp_path / "y.safetensors")
    with pytest.raises(ValueError, match="feature space"):
        Classifier(space="cmyk")
