"""Weights files: what is written is read again, and every damaged or lying file is refused with its own code."""

from __future__ import annotations

import json
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.client import errors
from engine.generators import base
from engine.store import header as headers
from engine.store import weights


@pytest.fixture
def good(tmp_path, tiny_folder) -> Path:
    path = tmp_path / "srgan.psnr.safetensors"
    path.write_bytes((tiny_folder / path.name).read_bytes())
    return path


def parts(path: Path) -> tuple[dict, bytes]:
    """The header's JSON and the tensors' bytes."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(path: Path, head: dict, body: bytes) -> Path:
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


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


def in_few_bits(path: Path, bits: int = 8) -> tuple[headers.Header, torch.nn.Module]:
    """An enlarger as wide as the shipped ones, wider for fewer bits, written to `path` in so many; its header and network."""
    header, _ = weights.load(path)
    sizes = {"channels": 48 if bits == 8 else 96, "blocks": 1, "attention": True}
    torch.manual_seed(0)
    header, network = replace(header, config=sizes), base.module("srgan").Generator(**sizes)
    weights.write(path, network, header, bits=bits)
    return header, network


def test_in_8_bits_a_file_is_nearly_as_good(good):
    """Every number to half a step of its channel's scale, small tensors to float16; the scales keep their range."""
    header, network = in_few_bits(good)
    name, largest = max(network.named_parameters(), key=lambda named: named[1].numel())
    with torch.no_grad():
        largest[0] *= 1e-6  # one channel far below the smallest float16
    small = good.with_name("srgan.small.safetensors")
    weights.write(small, network, replace(header, tag="small"), bits=8)
    again, loaded = weights.load(small)
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == again.shapes
    head, _ = parts(small)
    rounded = [key for key, entry in head.items() if entry.get("dtype") == "I8"]
    assert name in rounded
    state, other = network.state_dict(), loaded.state_dict()
    for key, tensor in state.items():
        step = tensor.flatten(1).abs().amax(1) / 127 if key in rounded else tensor.abs().max() / 1000
        assert ((other[key] - tensor).abs() <= 0.51 * step.view(-1, *[1] * (tensor.ndim - 1))).all(), key
    weights.adopt(loaded, small)  # training goes on from it


@pytest.mark.parametrize(
    "bits, shape, error",
    [(6, [6, 48, 384, 3, 3], 0.04), (4, [192, 384, 3, 3], 0.13), (3, [3, 48, 384, 3, 3], 0.21)],
)
def test_in_6_4_and_3_bits_large_tensors_err_by_a_twenty_fifth_a_tenth_and_a_fifth(good, bits, shape, error):
    """And the others as in 8; a number far above its channel's others is cut where that errs less in all."""
    header, network = in_few_bits(good, bits)
    name, largest = max(network.named_parameters(), key=lambda named: named[1].numel())
    with torch.no_grad():
        largest.normal_()
        largest[1] *= 1e-6
    weights.write(good, network, header, bits=bits)
    again, loaded = weights.load(good)
    assert {k: tuple(v.shape) for k, v in network.state_dict().items()} == again.shapes
    head, _ = parts(good)
    assert head[name]["dtype"] == "U8" and head[name]["shape"] == shape
    assert "I8" in {entry.get("dtype") for entry in head.values()} and head["tail.weight"]["dtype"] == "F16"
    state, other = network.state_dict(), loaded.state_dict()
    for key, tensor in state.items():
        tensor, found = (x.float().reshape(len(x) if x.ndim > 1 else 1, -1) for x in (tensor, other[key]))
        share = error if head[key]["dtype"] == "U8" else 0.02
        assert ((found - tensor).norm(dim=1) <= share * tensor.norm(dim=1) + 1e-12).all(), key
    assert other[name].abs().max() < 0.9 * state[name].abs().max()


def test_a_byte_of_no_shape_with_a_scale_is_refused(good):
    in_few_bits(good)
    head, body = parts(good)
    key = next(k for k in head if k.endswith(":scale")).removesuffix(":scale")
    head[key] |= {"dtype": "U8", "shape": []}
    with pytest.raises(errors.WeightsMetadata):
        weights.load(rewrite(good, head, body))


def test_a_scale_that_is_too_large_is_no_number(good):
    in_few_bits(good)
    head, body = parts(good)
    start, stop = next(head[k] for k in head if k.endswith(":scale"))["data_offsets"]
    huge = struct.pack("<f", 3e38) * ((stop - start) // 4)
    with pytest.raises(errors.WeightsNotFinite):
        weights.load(rewrite(good, head, body[:start] + huge + body[stop:]))


@pytest.mark.parametrize("bits", [8, 6, 4, 3])
@pytest.mark.parametrize("how", ["without", "shape", "orphan"])
def test_scales_that_do_not_fit_are_refused(good, how, bits):
    in_few_bits(good, bits)
    head, body = parts(good)
    key = next(k for k in head if k.endswith(":scale"))
    if how == "without":
        head["extra"] = head.pop(key)
    elif how == "shape":
        head[key]["shape"] = [1, *head[key]["shape"]]
    else:
        whole = head[key.removesuffix(":scale")]
        whole["dtype"] = "U8" if whole["dtype"] == "I8" else "I8"
    with pytest.raises(errors.WeightsMetadata, match="few bits"):
        weights.load(rewrite(good, head, body))


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
