"""How long and how to train, and where in that a step stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.train.recipe import Moment, Phase


@dataclass(frozen=True)
class Plan:
    """How long and how to train. Exactly one of steps and minutes is set."""

    steps: int | None = None
    minutes: float | None = None
    batch: int = 16
    seed: int = 0
    device: str = "cpu"
    bf16: bool = True
    compile: bool = False  # torch.compile the generator: a minute to start, 1.2 times as fast here
    warmup: int = 100  # steps, and at most a thirtieth of a phase
    final_rate: float = 0.001  # of the peak
    ema: float = 0.999
    clip: float = 1.0  # largest gradient norm of a net; 0 leaves gradients alone
    log_every: int = 50  # steps; and at least as often as log_every_s says
    log_every_s: float = 60.0
    sample_every: int = 0  # steps between sample sheets; 0: every sample_every_s
    sample_every_s: float = 300.0
    save_every_s: float = 120.0
    score_every: int = 0  # steps between held-out scores; 0 measures at the end alone
    patience: int = 20  # bad (not finite) updates in a row before the training is given up

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps or minutes")

    def progress(self, step: int, seconds: float) -> float:
        """0..1 through the whole training after so many steps or so much time."""
        return min(1.0, step / self.steps if self.steps else seconds / (60 * (self.minutes or 1)))

    def moment(self, phases: tuple[Phase, ...], step: int, seconds: float) -> Moment:
        """Which phase that is, and how far it is."""
        progress, total, start = self.progress(step, seconds), sum(p.share for p in phases), 0.0
        for phase in phases:
            share = phase.share / total
            if progress < start + share or phase is phases[-1]:
                return Moment(phase, step, progress, min(1.0, (progress - start) / share))
            start += share
        raise AssertionError("a recipe has at least one phase")

    def rate(self, moment: Moment, since: int) -> float:
        """The learning rate as a share of its peak, `since` steps after the phase began: warm-up, then a cosine."""
        # A hundred slow steps may be a sixth of a short training: warming up takes no more than a thirtieth of a phase.
        warm = min(1.0, max((since + 1) / max(1, self.warmup), 30 * moment.phase_progress))
        cosine = 0.5 * (1 + math.cos(math.pi * moment.phase_progress))
        return warm * (self.final_rate + (1 - self.final_rate) * cosine)


@dataclass(frozen=True)
class Standing:
    """How far a training is, for a progress bar; told after every step."""

    step: int
    steps: int | None  # None: by the clock
    fraction: float
    left: float  # seconds, estimated
    phase: str
