"""A part of a job's result, made by the job's own code: work outside of it is left out, its pixels are the whole job's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.client.errors import OptionError
from engine.tasks.base import Picture

Box = tuple[int, int, int, int]  # x, y, width, height in the source's pixels


def box(
    values: Mapping[str, Any], source: Picture | None, middle: Callable[[Picture], Box] | None = None
) -> Box | None:
    """The part that values["preview"] asks for, None for the whole. A width or height of 0 asks for the middle, which
    the task may choose (middle), else half of each side. Raises OptionError for what is not inside the source.
    """
    asked = values.get("preview")
    if asked is None or source is None or 0 in source.array.shape[:2]:
        return None
    x, y, width, height = (round(number) for number in asked)
    if not width or not height:
        return (middle or _half)(source)
    if x + width > source.width or y + height > source.height:
        raise OptionError(
            f"The preview {x},{y},{width},{height} is not inside the picture of {source.width} x {source.height} pixels.",
            "Give X,Y,WIDTH,HEIGHT in the picture's own pixels, or no numbers for its middle.",
            option="preview",
            picture=[source.width, source.height],
        )
    return x, y, width, height


def _half(source: Picture) -> Box:
    width, height = max(1, source.width // 2), max(1, source.height // 2)
    return (source.width - width) // 2, (source.height - height) // 2, width, height


def cropped(result: Picture, source: Picture, part: Box) -> Picture:
    """The result's pixels over that part of the source, whatever size the result has."""
    x, y, width, height = part
    rows = slice(y * result.height // source.height, (y + height) * result.height // source.height)
    columns = slice(x * result.width // source.width, (x + width) * result.width // source.width)
    array = np.ascontiguousarray(result.array[rows, columns])
    return Picture(array, result.linear, result.icc, result.exif, result.xmp)
