"""What a training says of itself between two lines of its log: means of losses and sums of counts, kept on the device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

COUNTS = "confusion/"
"""Scalars whose names begin so are counts: summed. All others are averaged."""

CELLS = ("real_real", "real_fake", "fake_real", "fake_fake")
"""The four cells of the discriminator's confusion matrix: truth_verdict."""


class Meters:
    """Adds scalars up on their device, step by step; take() moves them off it, once for many steps."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._numbers: dict[str, Tensor] = {}

    def add(self, scalars: Mapping[str, Tensor | float]) -> None:
        """Take one step's scalars in. Values that are not finite (a skipped update) are left out."""
        for name, value in scalars.items():
            value = torch.as_tensor(value).detach().float()
            number = value.isfinite().float()
            value = torch.nan_to_num(value, 0.0, 0.0, 0.0)
            if name in self._sums:
                self._sums[name] += value
                self._numbers[name] += number
            else:
                self._sums[name], self._numbers[name] = value, number

    def values(self) -> dict[str, float]:
        """Means and, for counts, sums over everything added; what was never finite is left out."""
        found = {}
        for name, total in self._sums.items():
            number = float(self._numbers[name])
            if number:
                found[name] = float(total) if name.startswith(COUNTS) else float(total) / number
        return found

    def take(self) -> dict[str, float]:
        """values(), and begin anew."""
        found = self.values()
        self._sums, self._numbers = {}, {}
        return found

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {name: [float(total), float(self._numbers[name])] for name, total in self._sums.items()}

    def load_state(self, state: Mapping[str, Any], device: torch.device | str = "cpu") -> None:
        """Go on from what state() gave."""
        self._sums = {name: torch.tensor(total, device=device) for name, (total, _) in state.items()}
        self._numbers = {name: torch.tensor(number, device=device) for name, (_, number) in state.items()}
