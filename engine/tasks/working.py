"""What tasks share that show a network the whole picture at its working size, and work at full size in bands of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import HintsInvalid, HintsSize, OutOfMemory, WeightsNotFinite
from engine.imaging import resize
from engine.imaging.tiling import Span, cuts
from engine.store.cache import Model
from engine.tasks import convert
from engine.tasks.base import Picture

BAND_PIXELS = 1 << 20  # full-size work is done in bands of about this many pixels


def reduced_size(source: Picture, shortest: int) -> tuple[int, int]:
    """(height, width) with the shortest side at `shortest` pixels, the longest at no more than 8 times that."""
    factor = min(shortest / min(source.width, source.height), 8 * shortest / max(source.width, source.height))
    return max(1, round(source.height * factor)), max(1, round(source.width * factor))


def reduced(source: Picture, height: int, width: int, plane: Callable[[np.ndarray], Tensor]) -> Tensor:
    """plane(rows of the source's array) -> [1, C, rows, W] of the whole source, resized to [1, C, height, width] and clamped
    to [0, 1]; made in groups of rows that need about BAND_PIXELS of the source.
    """
    right = resize.weights(source.width, width)[1]
    parts = []
    for rows in cuts(height, max(1, BAND_PIXELS * height // (source.width * source.height))):
        first, down = resize.weights(source.height, height, rows.start, rows.stop)
        values = plane(source.array[first : first + down.shape[1]])
        parts.append(resize.apply(values.clamp(0, 1), down, right).clamp(0, 1))
    return torch.cat(parts, 2)


def bands(source: Picture) -> Iterator[Span]:
    """Bands of whole rows of about BAND_PIXELS."""
    yield from cuts(source.height, max(1, BAND_PIXELS // source.width))


def check_hints(source: Picture, hints: Picture) -> None:
    """Raises HintsSize or HintsInvalid, or what convert.check raises, where a hint layer does not fit the source."""
    convert.check(hints, "hints picture")
    if (hints.width, hints.height) != (source.width, source.height):
        raise HintsSize(
            f"The hints are {hints.width} x {hints.height} pixels, the picture is {source.width} x {source.height}."
        )
    if not hints.has_alpha:
        raise HintsInvalid("The hints picture has no alpha channel to say where its hints are.")


def computed(model: Model, *inputs: Tensor) -> Tensor:
    """The network's output. Raises OutOfMemory and WeightsNotFinite."""
    try:
        out = model(*inputs)
    except (MemoryError, RuntimeError) as error:
        if not convert.out_of_memory(error):
            raise
        raise OutOfMemory("There is not enough memory to colour this picture.") from error
    if not bool(torch.isfinite(out).all()):
        raise WeightsNotFinite(f"The network {model.name} gave values that are not numbers.")
    return out
