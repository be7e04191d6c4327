"""Wang and Bovik 2009, "Mean Squared Error: Love It or Leave It?": the oldest figure; the thesis of Coruña 2020 reports it."""

from __future__ import annotations

from torch import Tensor


def mse(result: Tensor, truth: Tensor) -> float:
    """Mean square of the difference of two tensors of one shape, in [0, 1], each rounded to 8 bits as a file holds it."""
    a, b = ((x.double().clamp(0, 1) * 255).round() / 255 for x in (result, truth))
    return float((a - b).square().mean())
