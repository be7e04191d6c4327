"""Weights of few bits: how far they err, and files whose whole numbers and scales are damaged or lie."""

from __future__ import annotations

import copy
import json
import math
import struct
import tempfile
import zlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from engine.client import errors
from engine.generators import base
from engine.store import header as headers
from engine.store import rounded, weights
from tests.store.files import parts, rewrite

SHIPPED = Path(__file__).parents[2] / "weights"
# Files of earlier versions, whose whole numbers lie unsqueezed: of 8 bits, of 6, and of 3 and 4.
EARLIER = ("swift.x4", "srgan.art", "conv_gan.comics")


@lru_cache
def network_of(bits: int) -> tuple[headers.Header, torch.nn.Module, bytes]:
    """An enlarger as wide as the shipped ones, wider where only very large tensors have few bits, and its file in so many."""
    sizes = {"channels": 96 if bits in (4, 3) else 48, "blocks": 1, "attention": True}
    torch.manual_seed(0)
    network = base.module("srgan").Generator(**sizes)
    header = headers.Header("srgan", "psnr", "upscale", "t", "t", "MIT", sizes, [{"pack": "none"}])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "srgan.psnr.safetensors"
        weights.write(path, network, header, bits=bits)
        return header, network, path.read_bytes()


def in_few_bits(path: Path, bits: int = 8) -> tuple[headers.Header, torch.nn.Module]:
    """network_of(), its file at `path`; its header and a network of the test's own."""
    header, network, data = network_of(bits)
    path.write_bytes(data)
    return header, copy.deepcopy(network)


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
    assert name in again.coded
    state, other = network.state_dict(), loaded.state_dict()
    for key, tensor in state.items():
        step = tensor.flatten(1).abs().amax(1) / 127 if key in again.coded else tensor.abs().max() / 1000
        assert ((other[key] - tensor).abs() <= 0.51 * step.view(-1, *[1] * (tensor.ndim - 1))).all(), key
    weights.adopt(loaded, small)  # training goes on from it


@pytest.mark.parametrize("bits, error", [(6, 0.04), (5, 0.07), (4, 0.13), (3, 0.21)])
def test_in_few_bits_large_tensors_err_by_a_twenty_fifth_to_a_fifth(good, bits, error):
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
    few = [key for key in again.coded if rounded.bits_of(network.state_dict()[key], bits) < 8]
    assert name in few and len(few) < len(again.coded) and head["tail.weight"]["dtype"] == "F16"
    unsqueezed = sum(math.prod(shape) * (bits if key in few else 8) for key, shape in again.coded.items()) / 8
    if bits != 3:  # of eight steps, then, some have four bits
        assert head[headers.CODES]["shape"][0] < unsqueezed
    state, other = network.state_dict(), loaded.state_dict()
    for key, tensor in state.items():
        tensor, found = (x.float().reshape(len(x) if x.ndim > 1 else 1, -1) for x in (tensor, other[key]))
        share = error if key in few else 0.02
        assert ((found - tensor).norm(dim=1) <= share * tensor.norm(dim=1) + 1e-12).all(), key
    assert other[name].abs().max() < 0.9 * state[name].abs().max()


def copied(path: Path, name: str) -> Path:
    """A shipped weights file beside `path`."""
    made = path.with_name(f"{name}.safetensors")
    made.write_bytes((SHIPPED / made.name).read_bytes())
    return made


def test_a_byte_of_no_shape_with_a_scale_is_refused(good):
    path = copied(good, EARLIER[0])
    head, body = parts(path)
    key = next(k for k in head if k.endswith(":scale")).removesuffix(":scale")
    head[key] |= {"dtype": "U8", "shape": []}
    with pytest.raises(errors.WeightsMetadata):
        weights.load(rewrite(path, head, body))


def test_a_scale_that_is_too_large_is_no_number(good):
    in_few_bits(good)
    head, body = parts(good)
    start, stop = next(head[k] for k in head if k.endswith(":scale"))["data_offsets"]
    huge = struct.pack("<f", 3e38) * ((stop - start) // 4)
    with pytest.raises(errors.WeightsNotFinite):
        weights.load(rewrite(good, head, body[:start] + huge + body[stop:]))


@pytest.mark.parametrize("name", [*EARLIER, "now"])
@pytest.mark.parametrize("how", ["without", "shape", "orphan"])
def test_scales_that_do_not_fit_are_refused(good, how, name):
    if name == "now":
        in_few_bits(good, 5)
    else:
        good = copied(good, name)
    head, body = parts(good)
    key = next(k for k in head if k.endswith(":scale"))
    if how == "without":
        head["extra"] = head.pop(key)
    elif how == "shape":
        head[key]["shape"] = [1, *head[key]["shape"]]
    elif name == "now":
        coded = json.loads(head["__metadata__"]["coded"])
        head["__metadata__"]["coded"] = json.dumps({f"{k}.": shape for k, shape in coded.items()})
    else:
        whole = head[key.removesuffix(":scale")]
        whole["dtype"] = "U8" if whole["dtype"] == "I8" else "I8"
    with pytest.raises(errors.WeightsMetadata, match="few bits"):
        weights.load(rewrite(good, head, body))


@pytest.mark.parametrize("how", ["many", "none", "negative", "twice", "list", "type", "missing", "unsaid"])
def test_whole_numbers_that_no_file_can_hold_are_refused_before_memory_is_taken(good, how):
    in_few_bits(good, 5)
    head, body = parts(good)
    coded = json.loads(head["__metadata__"]["coded"])
    key = next(iter(coded))
    if how == "type":
        head[headers.CODES]["dtype"] = "I8"
    elif how == "missing":
        head["other"] = head.pop(headers.CODES)
    sizes = {"many": [8192, 8192, 3, 3], "none": [*coded[key][:1], 0], "negative": [*coded[key][:1], -1, -1]}
    coded |= {"tail.weight": [48, 96, 3, 3]} if how == "twice" else {key: sizes.get(how, coded[key])}
    text = json.dumps({"list": list(coded), "unsaid": {}}.get(how, coded))
    head["__metadata__"]["coded"] = text
    with pytest.raises(errors.WeightsMetadata):
        headers.read_header(rewrite(good, head, body))


@pytest.mark.parametrize("how", ["flipped", "cut", "more"])
def test_damaged_whole_numbers_are_refused(good, how):
    """Deflated bytes end with a sum of what they hold (RFC 1950): no damage goes unseen."""
    in_few_bits(good, 5)
    head, body = parts(good)
    start, stop = head[headers.CODES]["data_offsets"]
    stream = bytearray(body[start:stop])
    if how == "flipped":
        stream[len(stream) // 2] ^= 16
    elif how == "cut":
        stream[-100:] = bytes(100)
    else:
        stream = zlib.compress(zlib.decompress(stream) + b"x")
        head[headers.CODES] |= {"shape": [len(stream)], "data_offsets": [start, start + len(stream)]}
        for key, entry in head.items():
            if key not in ("__metadata__", headers.CODES) and entry["data_offsets"][0] >= stop:
                entry["data_offsets"] = [place + len(stream) - (stop - start) for place in entry["data_offsets"]]
    with pytest.raises(errors.WeightsTruncated, match="whole numbers"):
        weights.load(rewrite(good, head, body[:start] + bytes(stream) + body[stop:]))
