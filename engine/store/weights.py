"""Weights files: written and loaded. Safetensors only; a file's tensors must be exactly those that its config builds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn
from torch.overrides import TorchFunctionMode

from engine import disk
from engine.client import errors
from engine.generators import base
from engine.store import rounded
from engine.store.header import FORMAT, SCALE, Header, read_header


def write(path: Path, network: nn.Module, header: Header, bits: int = 16) -> None:
    """Save a network's state with its header, whole or not at all. bits: of floating-point numbers, 32, 16, 8, 6, 5, 4 or 3.

    Raises the errors of disk.whole.
    """
    state = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
    coded: dict[str, list[int]] = {}
    if bits < 32:
        small = state
        if bits <= 8:
            small, coded = rounded.squeezed(rounded.packed(state, bits, rounded.fine_of(network)))
        # Of scales float16 would lose the smallest.
        state = {k: v.half() if v.is_floating_point() and not k.endswith(SCALE) else v for k, v in small.items()}
    metadata = {"format": FORMAT, "generator": header.generator, "tag": header.tag, "task": header.task}
    metadata |= {"title": header.title, "thesis": header.thesis, "licence": header.licence}
    metadata |= {"commit": header.commit, "created": header.created, "command": header.command}
    metadata |= {key: json.dumps(getattr(header, key)) for key in ("config", "data", "steps", "metrics")}
    if coded:
        metadata["coded"] = json.dumps(coded)
    disk.whole(path, lambda part: part.write_bytes(save(state, metadata)))


def load(path: Path) -> tuple[Header, nn.Module]:
    """The header and the generator in evaluation mode, float32, on the CPU.

    The network's tensors must be exactly the file's, by name and shape. Raises the errors of read_header, WeightsShape,
    WeightsNotFinite.
    """
    header = read_header(path)
    module = base.module(header.generator)
    if header.task != module.CARD.task:
        raise errors.WeightsMetadata(f"{path.name}: it says that {header.generator} does {header.task!r}.")
    try:
        with torch.device("meta"), _Unfilled():  # shapes without memory: a lying config costs nothing
            expected = {k: tuple(v.shape) for k, v in module.Generator(**header.config).state_dict().items()}
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, IndexError, KeyError) as error:
        raise errors.WeightsMetadata(f"{path.name}: its config does not fit {header.generator}: {error}.") from error
    if expected != header.shapes:
        raise errors.WeightsShape(
            f"{path.name} does not fit {header.generator}: {_difference(expected, header.shapes)}."
        )
    try:
        state = rounded.unsqueezed(load_file(path), header.coded)
    except Exception as error:  # the header was checked: what is left is a damaged or vanishing file
        raise errors.WeightsTruncated(f"{path.name} cannot be read: {error}.") from error
    state = rounded.unpacked(state)  # before it is looked at: a scale may be too large for its numbers
    for key, tensor in state.items():
        # What is no number makes the sum none; a sum may also be too large, so only then each number is looked at.
        if tensor.is_floating_point() and not (tensor.sum().isfinite() or torch.isfinite(tensor).all()):
            raise errors.WeightsNotFinite(f"{path.name} holds values that are not numbers (in {key}).")
    with _Unfilled():
        network = module.Generator(**header.config)
    network.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    return header, network.eval()


class _Unfilled(TorchFunctionMode):
    """Inside, torch.nn.init leaves tensors as they are: random numbers that a file's would replace take most of the time."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(function, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def _difference(expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> str:
    """The first differences of each kind, readable: missing -, unexpected +, another shape !."""
    missing = [f"-{k} {list(expected[k])}" for k in expected if k not in found]
    unexpected = [f"+{k} {list(found[k])}" for k in found if k not in expected]
    both = [k for k in expected if k in found and expected[k] != found[k]]
    other = [f"!{k} {list(expected[k])} is {list(found[k])}" for k in both]
    more = sum(max(0, len(kind) - 2) for kind in (missing, unexpected, other))
    return "; ".join([*missing[:2], *unexpected[:2], *other[:2], *([f"and {more} more"] if more else [])])


def adopt(network: nn.Module, path: Path) -> Header:
    """Take a file's weights over into a network, to go on training it; the network may be deeper than the file's.

    Tensors that the file lacks keep their own start (new residual blocks begin as nothing added). A network whose class
    says WIDENS may be wider, too (Chen 2016, Net2Net): its new channels come after the file's and start as the network has
    them, and what the file's channels take from them starts at zero, so that it computes what the file's did. Where layers'
    inputs are several tensors joined, its joined() says their channels. Raises the errors of load(), and WeightsShape where a
    tensor of the file has no place in the network.
    """
    header, loaded = load(path)
    state = network.state_dict()
    expected = {key: tuple(state[key].shape) for key in state if key in header.shapes}
    widens = getattr(network, "WIDENS", False)
    placed = {
        k: header.shapes[k] if widens and _holds(shape, header.shapes[k]) else shape for k, shape in expected.items()
    }
    if placed != header.shapes:
        raise errors.WeightsShape(
            f"{path.name} does not fit the sizes asked for: {_difference(expected, header.shapes)}.",
            "Sizes (--config) may be larger than those of the weights to begin with, not smaller: "
            "`pincel models show NAME` says them.",
        )
    ours: Mapping[str, tuple[int, ...]] = getattr(network, "joined", dict)()
    theirs: Mapping[str, tuple[int, ...]] = getattr(loaded, "joined", dict)()
    for key, value in loaded.state_dict().items():
        new = state[key]
        if value.ndim < 2:
            new[tuple(slice(side) for side in value.shape)] = value
            continue
        starts = accumulate(ours.get(key, ()), initial=0)
        parts = [range(n, n + size) for n, size in zip(starts, theirs.get(key, (value.shape[1],)), strict=False)]
        new[: len(value)] = 0
        new[: len(value), [channel for part in parts for channel in part]] = value
    network.load_state_dict(state)
    return header


def _holds(outer: tuple[int, ...], inner: tuple[int, ...]) -> bool:
    """Whether a kernel or bias has room for another's channels."""
    return (
        len(outer) == len(inner) and outer[2:] == inner[2:] and all(a >= b for a, b in zip(outer, inner, strict=True))
    )
