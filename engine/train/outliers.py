"""Which gradients are far longer than usual: one odd batch must not cost a training what it has learned.

Clipping leaves such a gradient's direction, and Muon gives every direction the same length. An enlarger trained in bfloat16 on
shared machines met two in 7,000 with a thousand times the usual length and more, and one such undid half an hour. The one that
was drawn again, and judged by the weights of the beginning, had nothing odd: probably the machine, not the pictures.
"""

from __future__ import annotations

FACTOR = 10.0  # times the usual length that is too long
SEEN = 100  # gradients before anything is called usual
IN_A_ROW = 5  # as many are left out; what comes then is the new usual
SHARE = 0.02  # of each new length in the mean


class Outliers:
    """The running mean of the gradients' lengths, of each net by its name. One for each phase: losses differ."""

    def __init__(self) -> None:
        self._usual: dict[str, tuple[float, int, int]] = {}  # mean, how many, how many too long in a row

    def too_long(self, name: str, length: float) -> bool:
        """Whether a net's gradient of this length is to be left out; otherwise it counts for the mean."""
        mean, seen, row = self._usual.get(name, (0.0, 0, 0))
        if seen >= SEEN and length > FACTOR * mean:
            if row < IN_A_ROW:
                self._usual[name] = (mean, seen, row + 1)
                return True
            mean, seen = 0.0, 0
        self._usual[name] = (mean + max(SHARE, 1 / (seen + 1)) * (length - mean), seen + 1, 0)
        return False

    def state(self) -> dict[str, tuple[float, int, int]]:
        """What a resumed training needs."""
        return dict(self._usual)

    def load_state(self, state: dict[str, tuple[float, int, int]]) -> None:
        self._usual = dict(state)
