"""The training loop, the only one: it knows no generator, only what a recipe says.

Length by steps or by minutes, warm-up and cosine rate, autocast to bfloat16, EMA of the generator, clipping, a guard
against NaN, atomic checkpoints with everything needed to go on, logs, sample sheets; Ctrl-C saves and ends.
"""

from __future__ import annotations

import contextlib
import copy
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.train.data import PictureStore
from engine.train.meters import COUNTS, Meters
from engine.train.recipe import BaseRecipe, Moment, Phase
from engine.train.runs import RunFolder

SHEET = 25  # examples on a sample sheet


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
    warmup: int = 100  # steps
    final_rate: float = 0.001  # of the peak
    ema: float = 0.999
    clip: float = 1.0  # largest gradient norm of a net; 0 leaves gradients alone
    log_every: int = 50
    sample_every: int = 1000
    save_every_s: float = 120.0
    score_every: int = 0  # steps between held-out scores; 0 measures at the end alone
    patience: int = 20  # bad (not finite) updates in a row before the training is given up

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give either steps or minutes")


class Diverged(RuntimeError):
    """Too many updates in a row were not finite."""


class Loop:
    """One training. After run(), `ema` is the net to publish, `step` and `seconds` are what it took."""

    def __init__(
        self,
        recipe: BaseRecipe,
        store: PictureStore,
        folder: RunFolder,
        plan: Plan,
        heldout: PictureStore | None = None,
        report: Callable[[str], None] = print,
    ) -> None:
        self.recipe, self.store, self.heldout, self.folder, self.plan = recipe, store, heldout, folder, plan
        self.report = report
        self.device = torch.device(plan.device)
        torch.manual_seed(plan.seed)
        self.rng = torch.Generator().manual_seed(plan.seed)
        self.nets = {
            name: net.to(self.device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
            for name, net in recipe.nets().items()
        }
        self.ema = copy.deepcopy(self.nets["generator"]).eval().requires_grad_(False)
        if plan.compile:
            self.nets["generator"].compile()
        self.step = 0
        self.seconds = 0.0  # trained before and in this process
        self.skipped = 0
        self.epoch_steps = max(1, -(-len(store) // plan.batch))
        self._interval, self._epoch = Meters(), Meters()  # since the last line of the log; since the epoch began
        self._counts: dict[str, dict[str, float]] = {"recent": {}, "whole": {}}  # the discriminator's confusion matrix
        self._bad_in_a_row = 0
        self._stop = False
        self._phase: Phase | None = None
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    # ---- where the training stands -----------------------------------------------------------------------------

    @property
    def progress(self) -> float:
        """0..1 through the whole training."""
        done = self.step / self.plan.steps if self.plan.steps else self.seconds / (60 * (self.plan.minutes or 1))
        return min(1.0, done)

    def _moment(self) -> Moment:
        phases, progress = self.recipe.phases(), self.progress
        total, start = sum(p.share for p in phases), 0.0
        for phase in phases:
            share = phase.share / total
            if progress < start + share or phase is phases[-1]:
                return Moment(phase, self.step, progress, min(1.0, (progress - start) / share))
            start += share
        raise AssertionError("a recipe has at least one phase")

    def _enter(self, phase: Phase) -> None:
        """Fresh optimizers when a phase begins; each group remembers its peak rate."""
        if self._phase is not None and phase.name == self._phase.name:
            return
        self._phase, self._phase_start = phase, self.step
        self._optimizers = self.recipe.optimizers(phase)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["peak"] = group["lr"]

    def _set_rate(self, moment: Moment) -> None:
        warm = min(1.0, (self.step - self._phase_start + 1) / max(1, self.plan.warmup))
        cosine = 0.5 * (1 + math.cos(math.pi * moment.phase_progress))
        rate = warm * (self.plan.final_rate + (1 - self.plan.final_rate) * cosine)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate

    # ---- one step ----------------------------------------------------------------------------------------------

    def _update(self, name: str, loss: Tensor) -> None:
        """What a recipe calls to learn from a loss: only the net of that name changes."""
        optimizer, parameters = self._optimizers[name], list(self.nets[name].parameters())
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, enabled=False):
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters, self.plan.clip or math.inf)
        if not torch.isfinite(norm):
            self.skipped += 1
            self._bad_in_a_row += 1
            if self._bad_in_a_row > self.plan.patience:
                raise Diverged(f"{self._bad_in_a_row} updates in a row were not finite (step {self.step})")
            return
        self._bad_in_a_row = 0
        optimizer.step()

    @torch.no_grad()
    def _average(self) -> None:
        decay = min(self.plan.ema, (self.step + 1) / (self.step + 10))
        live = self.nets["generator"]
        ours, theirs = list(self.ema.parameters()), list(live.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, his in zip(self.ema.buffers(), live.buffers(), strict=True):
            mine.copy_(his)

    # ---- state -------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything needed to go on as if never stopped."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "skipped": self.skipped,
            "phase": self._phase.name if self._phase else "",
            "phase_start": self._phase_start if self._phase else 0,
            "nets": {name: net.state_dict() for name, net in self.nets.items()},
            "ema": self.ema.state_dict(),
            "recipe": self.recipe.state(),
            "meters": {"interval": self._interval.state(), "epoch": self._epoch.state(), "counts": self._counts},
            "optimizers": {name: o.state_dict() for name, o in self._optimizers.items()},
            "rng": self.rng.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def resume(self) -> None:
        """Take up the folder's checkpoint."""
        state = self.folder.load(self.device)
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        self.ema.load_state_dict(state["ema"])
        self.step, self.seconds, self.skipped = state["step"], state["seconds"], state["skipped"]
        for phase in self.recipe.phases():
            if phase.name == state["phase"]:
                self._enter(phase)
                self._phase_start = state["phase_start"]
                for name, optimizer in self._optimizers.items():
                    optimizer.load_state_dict(state["optimizers"][name])
        self.recipe.load_state(state.get("recipe", {}))
        if "meters" in state:
            self._interval.load_state(state["meters"]["interval"], self.device)
            self._epoch.load_state(state["meters"]["epoch"], self.device)
            self._counts = state["meters"]["counts"]
        self.rng.set_state(state["rng"].cpu())
        torch.set_rng_state(state["torch_rng"].cpu())
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all([s.cpu() for s in state["cuda_rng"]])

    # ---- the run -----------------------------------------------------------------------------------------------

    def run(self) -> nn.Module:
        """Train to the plan's end or to Ctrl-C; returns the EMA generator, in eval mode."""
        plan, before = self.plan, signal.getsignal(signal.SIGINT)
        fixed = self.recipe.batch(self.store, SHEET, torch.Generator().manual_seed(1234))
        last = last_save = time.monotonic()
        logged = (self.step, last)

        def stop(*_: object) -> None:
            self._stop = True
            signal.signal(signal.SIGINT, before)  # a second Ctrl-C ends at once

        with contextlib.suppress(ValueError):  # not the main thread: whoever runs us handles signals
            signal.signal(signal.SIGINT, stop)
        try:
            while self.progress < 1 and not self._stop:
                moment = self._moment()
                self._enter(moment.phase)
                self._set_rate(moment)
                batch = self.recipe.batch(self.store, plan.batch, self.rng)
                with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=plan.bf16):
                    scalars = self.recipe.step(batch, self._update, moment)
                self._average()
                self._interval.add(scalars)
                self._epoch.add(scalars)
                self.step += 1
                if self.step % self.epoch_steps == 0:
                    self._end_epoch()
                now = time.monotonic()
                self.seconds, last = self.seconds + now - last, now
                if self.step % plan.log_every == 0:
                    rate = (self.step - logged[0]) / (now - logged[1])
                    logged = (self.step, now)
                    self._log(rate)
                if self.step % plan.sample_every == 0:
                    self._sample(fixed)
                if plan.score_every and self.step % plan.score_every == 0:
                    self._score()
                if now - last_save > plan.save_every_s:
                    self.folder.save(self.state())
                    last_save = now
        finally:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGINT, before)
            if self._bad_in_a_row == 0 and self._phase is not None:
                self.folder.save(self.state())
        if not self._stop:
            if self.step % plan.log_every:
                self._log((self.step - logged[0]) / (time.monotonic() - logged[1]))
            if self.step % self.epoch_steps:
                self._end_epoch()
            self._score()
        self._sample(fixed)
        return self.ema

    def _end_epoch(self) -> None:
        """An epoch: as many steps as it takes to draw as many examples as there are pictures."""
        values = self._epoch.take()
        if values:
            self.folder.log_epoch(self.step / self.epoch_steps, self.step, values)

    def _log(self, rate: float) -> None:
        values = self._interval.take()
        for name, count in values.items():
            if name.startswith(COUNTS):
                for counts in self._counts.values():
                    counts[name] = counts.get(name, 0.0) + count
        group = next(iter(self._optimizers.values())).param_groups[0]
        self.folder.log(self.step, {**values, "rate": group["lr"], "steps_per_s": rate, "seconds": self.seconds})
        shown = "  ".join(f"{k} {v:.5f}" for k, v in values.items() if not k.startswith(COUNTS))
        left = self.seconds * (1 / max(self.progress, 1e-6) - 1)
        self.report(
            f"step {self.step}  {shown}  {rate:.2f} steps/s  {100 * self.progress:.1f} %  {left / 60:.1f} min left"
        )

    def _sample(self, fixed: dict[str, Tensor]) -> None:
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bf16):
            sheet = self.recipe.sheet(self.ema, fixed)
        self.folder.sheet(self.step, sheet)
        if self._counts["recent"]:
            self.folder.matrices(self.step, self._counts["recent"], self._counts["whole"])
            self._counts["recent"] = {}

    def _score(self) -> None:
        if self.heldout is None:
            return
        with torch.no_grad():
            figures = self.recipe.score(self.ema, self.heldout)
        if figures:
            self.folder.log(self.step, {f"heldout/{k}": v for k, v in figures.items()})
            self.report(f"step {self.step}  held out: " + "  ".join(f"{k} {v:.3f}" for k, v in figures.items()))
