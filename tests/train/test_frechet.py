"""The Frechet distance against scipy's matrix square root and against its closed form; features named in its title."""

import numpy as np
import pytest
import torch

from engine.nn.perceptual import Features
from engine.train.metrics import frechet
from tests.nn.test_perceptual import own_file, squeezenet_file


def test_it_is_scipys_formula():
    linalg = pytest.importorskip("scipy.linalg")
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6))
    one, other = rng.normal(size=(50, 6)) @ mix + 1, rng.normal(size=(70, 6)) * [1, 2, 3, 1, 0.5, 0.1]
    c1, c2 = np.cov(one.T), np.cov(other.T)
    root = linalg.sqrtm(c1 @ c2).real
    expected = np.square(one.mean(0) - other.mean(0)).sum() + np.trace(c1 + c2 - 2 * root)
    assert frechet.distance(torch.from_numpy(one), torch.from_numpy(other)) == pytest.approx(expected, rel=1e-9)


def test_known_gaussians_and_few_vectors():
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(9, 4, generator=rng, dtype=torch.float64)
    assert frechet.distance(x, x) == pytest.approx(0, abs=1e-9)
    assert frechet.distance(x, x + 2) == pytest.approx(4 * 2**2)
    # Along one line the distance of two Gaussians is (m1 - m2)^2 + (s1 - s2)^2.
    line = torch.randn(20, 1, generator=rng)
    spread = float(line.double().std())
    assert frechet.distance(line, 3 * line) == pytest.approx(float(2 * line.double().mean()) ** 2 + (2 * spread) ** 2)
    few = frechet.distance(x[:3], x[3:6])  # fewer vectors than dimensions: covariances without full rank
    assert np.isfinite(few) and few > 0


@pytest.mark.parametrize(("make", "title"), [(squeezenet_file, "SqueezeNet"), (own_file, "own-classifier (f.safet")])
def test_the_network_is_named(tmp_path, make, title):
    make(tmp_path / "f.safetensors")
    features = Features(tmp_path / "f.safetensors")
    pictures = torch.rand(3, 3, 20, 24, generator=torch.Generator().manual_seed(1))
    found = frechet.vectors(features, pictures)
    assert found.shape == (3, features.channels[-1])
    assert frechet.title(features).startswith(f"Frechet {title}")
    other = frechet.vectors(features, pictures / 3)
    assert 100 * frechet.distance(found, found) < frechet.distance(found, other)
