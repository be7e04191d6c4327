"""What keeps a training from losing what it has learned: updates that are left out, and weights that are not saved."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from engine.client.errors import Diverged
from engine.train.outliers import Outliers


class Guard:
    """Judges every update of every net by the length of its gradient. skipped: how many were left out in all."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.skipped = 0
        self.outliers = Outliers()  # to be set anew when a phase begins
        self._bad: dict[str, int] = {}  # of each net, in a row: one net's good updates say nothing of another's

    def lets(self, name: str, norm: Tensor, step: int) -> bool:
        """Whether a net may take a step along a gradient of this length. Raises Diverged after too many bad ones in a row."""
        if not torch.isfinite(norm):
            self.skipped += 1
            self._bad[name] = bad = self._bad.get(name, 0) + 1
            if bad > self.patience:
                raise Diverged(f"{bad} updates of the {name} in a row were not finite (step {step}).")
            return False
        self._bad[name] = 0
        if self.outliers.too_long(name, float(norm)):
            self.skipped += 1
            return False
        return True

    @property
    def calm(self) -> bool:
        """Whether every net's last update was finite."""
        return not any(self._bad.values())

    @property
    def given_up(self) -> bool:
        """Whether Diverged was raised."""
        return any(bad > self.patience for bad in self._bad.values())


@torch.no_grad()
def finite(nets: Iterable[nn.Module]) -> bool:
    """Whether every weight is. Batch norms' memory does not count: a bad batch is in it, but not in what is published."""
    # The largest of numbers is NaN where one of them is.
    largest = [weight.abs().amax() for net in nets for weight in net.parameters() if weight.numel()]
    return not largest or bool(torch.stack(largest).isfinite().all())
