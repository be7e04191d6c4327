"""Weights in 8 to 3 bits: for each output channel of a large tensor whole numbers and one scale (Jacob 2018, section 2).

A rounded tensor is I8 under its own name, and its scales, float32, are NAME:scale. 8 bits are for all large tensors; 4 and 3
bits for the largest, which hold most numbers and of which a result depends least; 6 and 5 for all large ones of nets without
very large ones. Steps of 6, 5 and 3 bits are half a step from zero on: the whole numbers are their doubles. What is small
stays float16. Results hardly differ (DECISIONS.md).

In a file the whole numbers follow one another under CODES, deflated by Huffman's codes alone (RFC 1951): small numbers are
frequent, so that 5 bits take about 4.4. Files of earlier versions hold theirs unsqueezed: I8; U8 with two channels to a byte
(4 bits); U8 with the three or six bits of eight channels in as many bytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Collection, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from engine.store.header import CODES, SCALE

LEAST = 1 << 14  # numbers of a tensor that is worth it: the outermost layers are small, and coarse ones there show
# Numbers of a tensor that so few bits serve, in a file of 6 or 5 bits, of 4 and of 3.
FEW: dict[int, tuple[tuple[int, int], ...]] = {
    6: ((LEAST, 6), (1 << 12, 8)),
    5: ((LEAST, 5), (1 << 12, 8)),
    4: ((1 << 18, 4),),
    3: ((1 << 18, 3), (1 << 16, 4)),
}
HALVES = (3, 5, 6)  # bits whose steps are half a step from zero on
# Of so few steps, some are better spent on the many small numbers than on the few large ones, which are cut.
_CUTS = [share / 40 for share in range(40, 9, -1)]
# Of each byte its eight bits in a byte each, all eight as one number: a table is quicker than shifting them one by one.
_SPREAD = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little").view(np.uint64)[:, 0]


def packed(state: Mapping[str, Tensor], bits: int = 8, fine: Collection[str] = ()) -> dict[str, Tensor]:
    """A network's state with its large floating-point tensors [channels, ...] as whole numbers and their scales [channels].

    bits: 8; or 6, 5, 4 or 3 for those of them that FEW says. fine: layers that are left alone, as fine_of() says.
    """
    made = {}
    for key, tensor in state.items():
        few = 0 if key.rpartition(".")[0] in fine else bits_of(tensor, bits)
        if not few:
            made[key] = tensor
            continue
        steps, scale = steps_of(tensor, few)
        double = 2 if few in HALVES else 1
        made[key] = (steps * double).to(torch.int8)
        made[key + SCALE] = scale / double
    return made


def fine_of(network: nn.Module) -> Collection[str]:
    """The layers of a network that no file rounds: its generator's FINE."""
    return getattr(network, "FINE", ())


def bits_of(tensor: Tensor, bits: int) -> int:
    """Of a tensor's numbers in a file of so many `bits`; 0 for tensors that are not rounded."""
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return 0
    return next((few for least, few in (*FEW.get(bits, ()), (LEAST, 8)) if tensor.numel() >= least), 0)


def step_range(bits: int) -> tuple[float, float]:
    """The largest step, and how far the steps are from whole numbers: 0, or 0.5 for those half a step from zero on."""
    return ((2**bits - 1) / 2, 0.5) if bits in HALVES else (2 ** (bits - 1) - 1, 0.0)


def steps_of(tensor: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Steps of a tensor [channels, ...] and each channel's scale [channels]: of those tried the one that errs least.

    Numbers that are steps of a scale already stay what they are.
    """
    most, middle = step_range(bits)
    channels = tensor.float().flatten(1)
    tiny = torch.finfo(torch.float32).tiny
    full = (channels.abs().amax(1) / most).clamp_min(tiny)
    # The smallest number but zero is the first step of those that have steps.
    first = channels.abs().masked_fill(channels == 0, torch.inf).amin(1).nan_to_num(posinf=1.0).clamp_min(tiny) / (
        middle or 1
    )
    least, best, best_scale = torch.full_like(full, torch.inf), torch.empty_like(channels), full
    for scale in (*(full * cut for cut in (_CUTS if bits < 8 else [1.0])), first):
        steps = ((channels / scale[:, None] - middle).round() + middle).clamp(-most, most)
        error = (steps * scale[:, None] - channels).square().sum(1)
        better = error < least
        least, best_scale = torch.where(better, error, least), torch.where(better, scale, best_scale)
        best = torch.where(better[:, None], steps, best)
    return best.view(tensor.shape), best_scale


def squeezed(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, list[int]]]:
    """A packed state with all its whole numbers in one tensor, CODES; and their tensors' shapes, in their order."""
    coded = {key: tensor for key, tensor in state.items() if key + SCALE in state}
    if not coded:
        return dict(state), {}
    deflate = zlib.compressobj(9, memLevel=9, strategy=zlib.Z_HUFFMAN_ONLY)
    parts = [deflate.compress(tensor.contiguous().numpy().tobytes()) for tensor in coded.values()]
    stream = bytearray(b"".join(parts) + deflate.flush())
    made = {key: tensor for key, tensor in state.items() if key not in coded}
    return {**made, CODES: torch.frombuffer(stream, dtype=torch.uint8)}, {k: list(t.shape) for k, t in coded.items()}


def unsqueezed(state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """squeezed() the other way round. Raises ValueError for numbers that are damaged, too few or too many."""
    if not shapes:
        return dict(state)
    counts = [math.prod(shape) for shape in shapes.values()]
    inflate = zlib.decompressobj()
    try:
        numbers = inflate.decompress(state[CODES].numpy().tobytes(), sum(counts) + 1)
    except zlib.error as error:
        raise ValueError(f"its whole numbers are damaged: {error}") from error
    if len(numbers) != sum(counts) or not inflate.eof:
        raise ValueError("its whole numbers are not as many as their tensors hold")
    parts = torch.frombuffer(bytearray(numbers), dtype=torch.int8).split(counts)
    whole = {key: part.view(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}
    return {key: tensor for key, tensor in state.items() if key != CODES} | whole


def _codes(planes: Tensor) -> Tensor:
    """Planes of bits [bits, channels / 8, ...], the same bit of eight channels in a byte each -> codes [channels, ...]."""
    codes = np.zeros(planes.shape[1:], np.uint64)
    for bit, plane in enumerate(planes.numpy()):
        codes |= _SPREAD[plane] << np.uint64(bit)
    eight = codes.view(np.uint8).reshape(*codes.shape, 8)  # the eight channels last
    return torch.from_numpy(np.moveaxis(eight, -1, 1).copy()).flatten(0, 1)


def unpacked(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state as it was before packed(), to its whole numbers' steps; float32 where it was packed."""
    made = {}
    for key, tensor in state.items():
        if key + SCALE in state:
            scale = state[key + SCALE].float()
            if tensor.dtype == torch.uint8 and 2 * len(tensor) == len(scale):
                tensor = torch.stack((tensor & 15, tensor >> 4), 1).flatten(0, 1).float() - 8
            elif tensor.dtype == torch.uint8:
                tensor = _codes(tensor).float() - (2 ** len(tensor) - 1) / 2
            made[key] = tensor * scale.view(-1, *[1] * (tensor.ndim - 1))
        elif not key.endswith(SCALE):
            made[key] = tensor
    return made
