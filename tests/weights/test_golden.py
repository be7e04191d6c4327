"""The shipped networks still give what they gave when they were published, to the last bits that machines may differ in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from engine import paths
from engine.generators import base
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
