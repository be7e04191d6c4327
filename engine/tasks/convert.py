"""Between a picture's own samples and the display-encoded float tensors that the networks and the colour maths work on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import AllTransparent, EmptyPicture, FrameInvalid, NotFinite, TooLarge
from engine.client.pixels import SIDE_MAX
from engine.imaging import colour
from engine.tasks.base import Picture


def check(picture: Picture, name: str = "picture") -> None:
    """Refuse what no task can work on. Raises EmptyPicture, TooLarge, NotFinite, AllTransparent or FrameInvalid."""
    array = picture.array
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or array.dtype.name not in _TOPS:
        raise FrameInvalid(
            f"The {name} must be [H, W, 1 to 4] of u8, u16, f16 or f32, not {array.shape} {array.dtype}."
        )
    if picture.width == 0 or picture.height == 0:
        raise EmptyPicture(f"The {name} has no pixels ({picture.width} x {picture.height}).")
    if max(picture.width, picture.height) > SIDE_MAX:
        raise TooLarge(
            f"The {name} is {picture.width} x {picture.height} pixels; a side may have at most {SIDE_MAX}.",
            width=picture.width,
            height=picture.height,
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise NotFinite(f"The {name} holds values that are not numbers (NaN or infinity).")
    if picture.has_alpha and name == "picture" and not array[..., -1].any():
        raise AllTransparent("Every pixel of the picture is transparent.")


_TOPS = {"uint8": 255.0, "uint16": 65535.0, "float16": 1.0, "float32": 1.0}

_NO_MEMORY = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory")


def top(dtype: np.dtype) -> float:
    """The value that stands for 1.0: 255, 65535 or 1."""
    return _TOPS[dtype.name]


def unit(array: np.ndarray) -> Tensor:
    """[H, W, C] of any sample type to float32 [1, C, H, W]; integers to 0..1."""
    floats = np.ascontiguousarray(array.transpose(2, 0, 1), np.float32)
    if array.dtype.kind == "u":
        floats /= np.float32(top(array.dtype))
    return torch.from_numpy(floats)[None]


def encoded(array: np.ndarray, linear: bool) -> Tensor:
    """Colour samples [H, W, 1 or 3 (+ alpha, left away)] to display-encoded RGB float32 [1, 3, H, W]."""
    channels = 1 if array.shape[2] < 3 else 3
    values = unit(array[..., :channels])
    if linear:
        values = colour.linear_to_srgb(values)
    return values.expand(-1, 3, -1, -1)


def is_grey(array: np.ndarray) -> bool:
    """Whether colour samples [H, W, 1 or 3 (+ alpha)] are the same in all colours: most scans of black-and-white prints."""
    if array.shape[2] < 3:
        return True
    bands = (array[start : start + 64] for start in range(0, len(array), 64))  # in colour, the first one says so
    return all(np.array_equal(b[..., 0], b[..., 1]) and np.array_equal(b[..., 1], b[..., 2]) for b in bands)


def luma(array: np.ndarray, linear: bool) -> Tensor:
    """The luma [1, 1, H, W] of colour samples [H, W, 1 or 3 (+ alpha, left away)], display-encoded."""
    if array.shape[2] >= 3:
        return colour.luma(encoded(array, linear))
    values = unit(array[..., :1])
    return colour.linear_to_srgb(values) if linear else values


def samples(values: Tensor, dtype: np.dtype, linear: bool) -> np.ndarray:
    """Display-encoded float [1, C, H, W] back to [H, W, C] samples of `dtype`; integers rounded and clamped."""
    if linear:
        values = colour.srgb_to_linear(values)
    if dtype.kind == "u":
        values = (values * top(dtype)).round_().clamp_(0, top(dtype))
    return interleaved(values, dtype)


def interleaved(values: Tensor, dtype: np.dtype) -> np.ndarray:
    """[1, C, H, W], already in the range of dtype and whole where that is, to [H, W, C]."""
    result = np.empty((*values.shape[2:], values.shape[1]), dtype)
    target = torch.from_numpy(result)
    for channel, plane in enumerate(values[0]):  # one by one: three times as fast as all at once
        target[..., channel] = plane
    return result


def out_of_memory(error: BaseException) -> bool:
    """Whether this is really a lack of memory (torch says so only in words, which differ by system and device)."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in _NO_MEMORY)
