"""What a task works on and gives back, the same in process and in a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.client.errors import Cancelled


@dataclass(frozen=True)
class Origin:
    """What is known of the file that a picture came from, for those who write a result of it; the tasks pass it by.

    path: absolute, "" for pictures that came from no file. lossless: whether it is a WebP file that lost nothing.
    density: pixels a metre, across and down, where the file says so in its format's own place (EXIF apart). texts: what only
    files of this format hold, such as a comment, by its name in a sentence; the bytes are the format's own.
    """

    path: str = ""
    lossless: bool = False
    density: tuple[float, float] | None = None
    texts: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Picture:
    """A picture in memory.

    array: [H, W, C], C = 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGB, alpha; straight), dtype uint8, uint16, float16 or
    float32; integers span their range, floats 0..1. linear: whether the values are linear light (else display-encoded).
    icc, exif, xmp: the file's own blocks, carried through untouched. origin: the file itself.
    """

    array: np.ndarray
    linear: bool = False
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    origin: Origin = Origin()

    @property
    def height(self) -> int:
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        return int(self.array.shape[1])

    @property
    def has_alpha(self) -> bool:
        return self.array.shape[2] in (2, 4)


@dataclass(frozen=True)
class Progress:
    """One report. fraction: 0..1 over the whole job, never falling, below 1 until the result is there; eta in seconds."""

    phase: str
    step: int
    steps: int
    fraction: float
    eta: float | None


@dataclass
class Reporter:
    """Turns a task's phases into Progress, and stops the task when the user asked for it.

    on_progress gets each Progress; cancelled is asked at every step and ends the task by raising Cancelled.
    plan gives the expected share of each phase in the whole, e.g. {"load": 1, "net": 20, "blend": 2}; expected, where it is
    set, the seconds of each phase by a forecast, which say it better. rounds: how often a phase is entered, if not once.
    """

    on_progress: Callable[[Progress], None] = lambda progress: None
    cancelled: Callable[[], bool] = lambda: False
    seconds: dict[str, float] = field(default_factory=dict)
    plan: dict[str, float] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    _started: float = field(default_factory=time.monotonic)
    _fraction: float = 0.0
    _entered: dict[str, int] = field(default_factory=dict)
    _reached: dict[str, float] = field(default_factory=dict)

    def check(self) -> None:
        """Raise Cancelled if the user asked to stop."""
        if self.cancelled():
            raise Cancelled()

    @contextmanager
    def phase(self, name: str, steps: int = 1) -> Iterator[Callable[[int], None]]:
        """A phase of `steps` steps; yields a function to call with the number of steps done."""
        before = time.monotonic()
        self._entered[name] = self._entered.get(name, 0) + 1
        self._report(name, 0, steps)
        try:
            yield lambda done: self._report(name, done, steps)
            self._reached[name] = min(1.0, self._entered[name] / max(1, self.rounds.get(name, 1)))
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - before

    def _report(self, name: str, done: int, steps: int) -> None:
        self.check()
        self._fraction = max(self._fraction, min(0.99, self._share(name, done / max(1, steps))))
        elapsed = time.monotonic() - self._started
        eta = None
        if self._fraction > 0.05:
            eta = elapsed * (1 - self._fraction) / self._fraction
        elif self.expected:
            eta = max(0.0, sum(self.expected.values()) - elapsed)
        self.on_progress(Progress(name, done, steps, self._fraction, eta))

    def _share(self, name: str, part: float) -> float:
        """How much of the whole is done when `part` of this round of the phase is."""
        rounds = max(1, self.rounds.get(name, 1))
        self._reached[name] = min(1.0, (self._entered.get(name, 1) - 1 + part) / rounds)
        # A phase that the plan has and the forecast has not costs nothing this time: a network that is loaded, for one.
        shares = {p: self.expected.get(p, 0.0) for p in self.plan} if self.expected else self.plan
        order = list(self.plan)
        before = order[: order.index(name)] if name in order else []
        passed = {p: self._reached.get(p, 1.0) if self.rounds.get(p, 1) > 1 else 1.0 for p in before}
        done = sum(shares[p] * passed.get(p, self._reached.get(p, 0.0)) for p in order)
        return done / (sum(shares.values()) or 1.0)


@dataclass
class TaskResult:
    """The pictures a task made (one a variant) and what made them.

    info: generator, weights (sha256), seeds, device, seconds by phase, notices (plain sentences for the user).
    """

    pictures: list[Picture]
    info: dict[str, Any]
