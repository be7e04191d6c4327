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
from engine.tasks.preview import Box

# Full-size work is done in bands of about this many pixels: their planes stay in a core's cache.
BAND_PIXELS = 1 << 17


def reduced_size(source: Picture, shortest: int) -> tuple[int, int]:
    """(height, width) with the shortest side at `shortest` pixels, the longest at no more than 8 times that."""
    factor = min(shortest / min(source.width, source.height), 8 * shortest / max(source.width, source.height))
    return max(1, round(source.height * factor)), max(1, round(source.width * factor))


def reduced(
    source: Picture, sizes: list[tuple[int, int]], plane: Callable[[np.ndarray], Tensor], margin: int = 0
) -> list[Tensor]:
    """plane(rows of the source's array) -> [1, C, rows, W] of the whole source, resized to each of `sizes` (height, width)
    and clamped to [0, 1]: [1, C, height, width] each. Made in bands, each seen once; margin: rows beyond the band that
    plane looks at as well.
    """
    low: list[Tensor] = []  # as wide as the source still, as high as the results
    for rows in bands(source):
        seen = rows.widened(margin, source.height)
        values = plane(source.array[seen.start : seen.stop])
        values = values[..., rows.start - seen.start : rows.stop - seen.start, :].clamp(0, 1)
        low = low or [values.new_zeros(*values.shape[:2], height, source.width) for height, _ in sizes]
        for (height, _), total in zip(sizes, low, strict=True):
            start, stop, matrix = resize.share(source.height, height, rows.start, rows.stop)
            total[..., start:stop, :] += matrix.to(values) @ values
    return [resize.bicubic(x, *size).clamp(0, 1) for x, size in zip(low, sizes, strict=True)]


def bands(source: Picture, part: Box | None = None) -> Iterator[Span]:
    """Bands of whole rows of about BAND_PIXELS; of a part of the picture those of them that it touches."""
    for rows in cuts(source.height, max(1, BAND_PIXELS // source.width)):
        if part is None or (rows.start < part[1] + part[3] and rows.stop > part[1]):
            yield rows


def check_hints(source: Picture, hints: Picture) -> None:
    """Raises HintsSize or HintsInvalid, or what convert.check raises, where a hint layer does not fit the source."""
    convert.check(hints, "hints picture")
    if (hints.width, hints.height) != (source.width, source.height):
        raise HintsSize(
            f"The hints are {hints.width} x {hints.height} pixels, the picture is {source.width} x {source.height}."
        )
    if not hints.has_alpha:
        raise HintsInvalid("The hints picture has no alpha channel to say where its hints are.")


def said_by(hints: Picture | None) -> list[str]:
    """The notice for hints in which nothing is painted: most likely another layer was meant."""
    if hints is None or hints.array[..., -1].any():
        return []
    return ["Nothing is painted in the hints picture, so it changed nothing."]


def left_out(source: Picture, result: Picture) -> list[str]:
    """The notice for a grey picture's profile, which does not describe a picture in colour."""
    if not source.icc or result.icc:
        return []
    return ["The grey picture's colour profile was left out: the result is in colour and counts as sRGB."]


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
