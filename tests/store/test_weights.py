"""Weights files: what is written is read again, and every damaged or lying file is refused with its own code."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch

from engine.client import errors
from engine.generators import base
from engine.store import header as headers
from engine.store import weights
from tests.store.files import parts, rewrite


def lie(path: Path, **metadata: str) -> Path:
    head, body = parts(path)
    head["__metadata__"] |= metadata
    return rewrite(path, head, body)


def test_what_is_written_is_read(good):
    header, network = weights.load(good)
    assert header.name == "srgan.psnr" and header.task == "upscale" and header.data == [{"pack": "none"}]
    state = network.state_dict()
    again = good.with_name("srgan.other.safetensors")
    other = headers.Header(
        "srgan", "other", "upscale", "t", "t", "MIT", header.config, header.data, steps=7, metrics={"psnr": 1}
    )
    weights.write(again, network, other, bits=32)
    header, network = weights.load(again)
    assert header.steps == 7 and header.metrics == {"psnr": 1}
    assert all(torch.equal(state[k], v) for k, v in network.state_dict().items())
    assert not network.training


def test_half_precision_is_what_lies_on_disk(good):
    head, _ = parts(good)
    assert {v["dtype"] for k, v in head.items() if k != "__metadata__"} == {"F16"}
    assert all(p.dtype == torch.float32 for p in weights.load(good)[1].parameters())


@pytest.mark.parametrize("cut", [0, 3, 8, 100, -1, -1000])
def test_truncated_anywhere(good, cut):
    good.write_bytes(good.read_bytes()[:cut])
    with pytest.raises(errors.WeightsTruncated):
        weights.load(good)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_are_refused_unread(tmp_path, protocol):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "srgan.psnr.safetensors"
    path.write_bytes(pickle.dumps(Trap(), protocol=protocol))
    with pytest.raises(errors.WeightsPickle):
        weights.load(path)
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(errors.WeightsPickle):
        weights.load(path)
    assert not (tmp_path / "sprung").exists()


def test_missing(tmp_path):
    with pytest.raises(errors.WeightsMissing):
        weights.load(tmp_path / "srgan.psnr.safetensors")


@pytest.mark.parametrize(
    "metadata",
    [
        {"format": "pincel/9"},
        {"format": ""},
        {"generator": "no_such"},
        {"generator": "../../etc/passwd"},
        {"generator": "yuv_cgan"},
        {"tag": "other"},
        {"tag": "../psnr"},
        {"task": "colorize"},
        {"config": "not json"},
        {"config": "[]"},
        {"config": '{"channels": 1000000000}'},
        {"config": '{"channels": -3}'},
        {"config": '{"blocks": "many"}'},
        {"config": '{"no_such_argument": 1}'},
        {"config": '{"upsampling": "magic"}'},
        {"config": "[" * 5000},
        {"data": "{}"},
        {"steps": '"many"'},
        {"metrics": "[1]"},
    ],
)
def test_lying_metadata(good, metadata):
    with pytest.raises(errors.WeightsMetadata) as caught:
        weights.load(lie(good, **metadata))
    assert caught.value.remedy


def test_figures_that_are_no_numbers_are_read_as_none(good):
    """Trainings have published NaN, which would make lists of weights no JSON."""
    header = headers.read_header(lie(good, metrics='{"psnr_y": NaN, "above": -Infinity, "steps": 3}'))
    assert header.metrics == {"psnr_y": None, "above": None, "steps": 3}


def test_no_metadata_at_all(good):
    head, body = parts(good)
    del head["__metadata__"]
    with pytest.raises(errors.WeightsMetadata):
        weights.load(rewrite(good, head, body))


def test_another_shape_is_told_as_a_difference(good):
    with pytest.raises(errors.WeightsShape) as caught:
        weights.load(lie(good, config=json.dumps({**base.module("srgan").CONFIG, "channels": 16, "blocks": 3})))
    assert "head.weight [16, 3, 3, 3] is [8, 3, 3, 3]" in caught.value.sentence
    assert "-body.2" in caught.value.sentence


@pytest.mark.parametrize(
    "damage",
    [
        lambda e: e | {"data_offsets": [0, 10**12]},
        lambda e: e | {"data_offsets": [-4, 0]},
        lambda e: e | {"shape": [2**40, 2**40]},
        lambda e: e | {"dtype": "F8"},
        lambda e: e | {"shape": "big"},
        lambda e: [],
        lambda e: {},
    ],
)
def test_lying_tensor_entries_are_refused_before_memory_is_taken(good, damage):
    head, body = parts(good)
    head["head.weight"] = damage(head["head.weight"])
    with pytest.raises((errors.WeightsMetadata, errors.WeightsTruncated)):
        weights.load(rewrite(good, head, body))


def test_a_header_of_terabytes(good):
    good.write_bytes(struct.pack("<Q", 2**42) + b"{}")
    with pytest.raises(errors.WeightsMetadata):
        weights.load(good)


def test_bytes_behind_the_end(good):
    good.write_bytes(good.read_bytes() + b"extra")
    with pytest.raises(errors.WeightsMetadata):
        weights.load(good)


def test_weights_that_are_not_numbers(good):
    header, network = weights.load(good)
    network.tail.weight.data[0, 0, 0, 0] = float("nan")
    weights.write(good, network, header)
    with pytest.raises(errors.WeightsNotFinite):
        weights.load(good)


def test_numbers_whose_sum_is_too_large_are_numbers(good):
    header, network = weights.load(good)
    network.tail.weight.data.fill_(3e38)
    weights.write(good, network, header, bits=32)
    assert weights.load(good)[1].tail.weight.min() == network.tail.weight.max()


def test_no_random_number_is_drawn(good):
    state = torch.random.get_rng_state()
    weights.load(good)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_failed_write_leaves_the_old_file(good, monkeypatch):
    before = good.read_bytes()
    header, network = weights.load(good)
    monkeypatch.setattr(
        "os.replace", lambda part, target: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(errors.DiskFull):
        weights.write(good, network, header)
    assert good.read_bytes() == before and [p.name for p in good.parent.iterdir()] == [good.name]
