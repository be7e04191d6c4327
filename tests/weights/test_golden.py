"""The shipped networks still give what they gave when they were published, to the last bits that machines may differ in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine import paths
from engine.generators import base
from engine.imaging.resize import bicubic
from engine.store import weights
from engine.store.header import digest, read_header
from engine.train import golden

FOLDER = paths.shipped("weights")
FILES = sorted(FOLDER.glob("*.safetensors"))
# Kinds of processors add float32 numbers in other orders; one 8-bit step is 0.004.
TOLERANCE = 2e-4


def test_there_are_weights():
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_pair(path):
    pair = FOLDER / "golden" / path.name
    assert pair.exists(), f"run: python -m engine.train.golden weights/{path.name}"
    with safe_open(pair, "pt") as file:
        assert file.metadata()["weights"] == digest(path), "the golden pair belongs to other weights"
    tensors = load_file(pair)
    expected = tensors.pop(golden.OUTPUT)
    card = base.card(read_header(path).generator)
    assert set(tensors) == {port.name for port in card.inputs}
    _, network = weights.load(path)
    with torch.inference_mode():
        output = network(*(tensors[port.name] for port in card.inputs))
    assert output.shape == expected.shape
    assert (output - expected).abs().max() < TOLERANCE
    limits = card.output
    assert expected.std() > 0.01, "a flat output would prove nothing"
    assert ((expected > limits.low) & (expected < limits.high)).float().mean() > 0.5, "nor would one at its limits"


@pytest.mark.parametrize("name", base.names())
def test_the_inputs_are_the_same_everywhere(name):
    card = base.card(name)
    first, again = golden.inputs(card), golden.inputs(card)
    for port in card.inputs:
        np.testing.assert_array_equal(first[port.name], again[port.name])
        assert first[port.name].min() >= port.low and first[port.name].max() <= port.high
        assert first[port.name].shape[2] == 1 if port.vector else first[port.name].shape[2] % card.multiple == 0


def test_no_pair_without_its_weights():
    assert {path.name for path in (FOLDER / "golden").glob("*.safetensors")} == {path.name for path in FILES}


def test_a_pair_notices_a_changed_network(tmp_path, tiny_folder):
    path = next(iter(sorted(tiny_folder.glob("*.safetensors"))))
    pair = load_file(golden.write(path, tmp_path))
    card = base.card(read_header(path).generator)
    _, network = weights.load(path)
    with torch.inference_mode():
        next(network.parameters()).mul_(1.01)
        output = network(*(pair[port.name] for port in card.inputs))
    assert (output - pair[golden.OUTPUT]).abs().max() > TOLERANCE


WILD = (
    8.0  # what a network may add to the bicubic enlargement of nothing that it was trained on; photographs ask for 0.5
)


@pytest.mark.parametrize("path", [p for p in FILES if read_header(p).task == "upscale"], ids=lambda path: path.stem)
def test_enlargers_stay_sane_where_no_photograph_has_taught_them(path):
    """Strong noise, single pixels, checks: 16 blocks without a limit answered a noisy scan with ten thousand times white."""
    rng = torch.Generator().manual_seed(0)
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    check = ((x + y) % 2).float()
    inputs = [
        torch.rand(4, 3, 32, 32, generator=rng),
        (torch.rand(4, 3, 32, 32, generator=rng) > 0.5).float(),
        (torch.rand(4, 3, 32, 32, generator=rng) > 0.95).float(),
        check.expand(1, 3, 32, 32),
        torch.stack((check, 1 - check, torch.zeros(32, 32)))[None],
        (0.5 + torch.randn(4, 3, 32, 32, generator=rng) * 45 / 255).clamp(0, 1),
    ]
    _, network = weights.load(path)
    with torch.inference_mode():
        for given in inputs:
            assert (network(given) - bicubic(given, 128, 128)).abs().max() < WILD
