"""The training loop, the only one: it knows no generator, only what a recipe says.

Length by steps or by minutes, warm-up and cosine rate, autocast to bfloat16, TF32 where the device has it, EMA of the
generator, clipping, guards against NaN and odd batches, atomic checkpoints with everything needed to go on, logs, sample
sheets; Ctrl-C (and SIGTERM) saves and ends.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from engine.client.errors import Diverged, TrainingError
from engine.train import norms
from engine.train.data import PictureStore
from engine.train.guard import Guard, finite
from engine.train.interrupts import interruptible
from engine.train.meters import COUNTS, Meters
from engine.train.outliers import Outliers
from engine.train.plan import Plan, Standing
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase
from engine.train.runs import RunFolder

SHEET = 25  # examples on a sample sheet


class Loop:
    """One training. After run(), `ema` is the net to publish, `step` and `seconds` are what it took, `figures` the last
    held-out ones, and `stopped` says whether it was interrupted.
    """

    def __init__(
        self,
        recipe: BaseRecipe,
        store: PictureStore,
        folder: RunFolder,
        plan: Plan,
        heldout: PictureStore | None = None,
        report: Callable[[str], None] = print,
        live: Callable[[Standing], None] | None = None,
    ) -> None:
        self.recipe, self.store, self.heldout, self.folder, self.plan = recipe, store, heldout, folder, plan
        self.report, self.live = report, live
        self.device = torch.device(plan.device)
        if (
            self.device.type == "cuda"
        ):  # fixed sizes and tolerant losses: the fastest kernels, TF32 where there is no bf16
            torch.backends.cudnn.benchmark = True
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.allow_tf32 = True
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
        self._guard = Guard(plan.patience)
        self.epoch_steps = max(1, -(-len(store) // plan.batch))
        self._interval, self._epoch = Meters(), Meters()  # since the last line of the log; since the epoch began
        self._counts: dict[str, dict[str, float]] = {"recent": {}, "whole": {}}  # the discriminator's confusion matrix
        self.stopped = False
        self.figures: dict[str, float] = {}
        self._phase: Phase | None = None
        self._optimizers: dict[str, torch.optim.Optimizer] = {}

    # ---- where the training stands -----------------------------------------------------------------------------

    @property
    def skipped(self) -> int:
        """Updates that were left out."""
        return self._guard.skipped

    @property
    def progress(self) -> float:
        """0..1 through the whole training."""
        return self.plan.progress(self.step, self.seconds)

    def _enter(self, phase: Phase) -> None:
        """Fresh optimizers when a phase begins; each group remembers its peak rate."""
        if self._phase is not None and phase.name == self._phase.name:
            return
        self._phase, self._phase_start, self._guard.outliers = phase, self.step, Outliers()
        self._optimizers = self.recipe.optimizers(phase)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["peak"] = group["lr"]

    def _set_rate(self, moment: Moment) -> None:
        rate = self.plan.rate(moment, self.step - self._phase_start)
        for optimizer in self._optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate

    # ---- one step ----------------------------------------------------------------------------------------------

    def _update(self, name: str, loss: Tensor) -> bool:
        """What a recipe calls to learn from a loss: only the net of that name changes, if the answer is True."""
        optimizer, parameters = self._optimizers[name], list(self.nets[name].parameters())
        optimizer.zero_grad(set_to_none=True)
        # Muon's iteration on a Gram matrix is lost in bfloat16: 11 % more error of a colorizer after 130 steps.
        with torch.autocast(self.device.type, enabled=False):
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters, self.plan.clip or math.inf)
            lets = self._guard.lets(name, norm, self.step)
            if lets:
                optimizer.step()
        return lets

    @torch.no_grad()
    def _average(self) -> None:
        # Young layers are far from where they will be: the average begins anew where the net has grown.
        age = self.step - self.recipe.entered
        decay = min(self.plan.ema, (age + 1) / (age + 10))
        live = self.nets["generator"]
        ours, theirs = list(self.ema.parameters()), list(live.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, his in zip(self.ema.buffers(), live.buffers(), strict=True):
            mine.copy_(his)

    def _settle(self) -> None:
        """Give the averaged generator batch norms of its own; nothing of the training itself changes."""
        if self._phase is None:
            return
        remembered, rng = copy.deepcopy(self.recipe.state()), torch.Generator().manual_seed(self.plan.seed)
        moment = self.plan.moment(self.recipe.phases(), self.step, self.seconds)

        def lesson(_: int) -> None:
            batch = self.recipe.batch(self.store, self.plan.batch, rng)
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bf16):
                self.recipe.step(batch, norms.without_learning, moment)

        with norms.undisturbed(self.device):
            norms.measured_anew(self.ema, self.nets, lesson)
        self.recipe.load_state(remembered)

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
            "outliers": self._guard.outliers.state(),
            "meters": {"interval": self._interval.state(), "epoch": self._epoch.state(), "counts": self._counts},
            "optimizers": {name: o.state_dict() for name, o in self._optimizers.items()},
            "rng": self.rng.get_state(),
            "torch_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }

    def resume(self) -> None:
        """Take up the folder's checkpoint. Raises NothingToResume, and TrainingError where it is another training's."""
        state = self.folder.load(self.device)
        try:
            self._take_up(state)
        except (KeyError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[-1].strip().rstrip(".")
            reason = f"it holds no {reason}" if isinstance(error, KeyError) else reason
            raise TrainingError(
                f"The checkpoint in {self.folder.path} is not one of this training: {reason}.",
                "Resume it with the generator, sizes, options and version that it was made with, or begin anew "
                "without --resume.",
            ) from error
        self.folder.forget_after(self.step)

    def _take_up(self, state: dict[str, Any]) -> None:
        for name, net in self.nets.items():
            net.load_state_dict(state["nets"][name])
        self.ema.load_state_dict(state["ema"])
        self.step, self.seconds, self._guard.skipped = state["step"], state["seconds"], state["skipped"]
        self.recipe.load_state(state.get("recipe", {}))
        for phase in self.recipe.phases():
            if phase.name == state["phase"]:
                self._enter(phase)
                self._phase_start = state["phase_start"]
                self._guard.outliers.load_state(state.get("outliers", {}))
                for name, optimizer in self._optimizers.items():
                    peaks = [group["peak"] for group in optimizer.param_groups]
                    optimizer.load_state_dict(state["optimizers"][name])
                    for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                        group["peak"] = peak  # as the recipe says now: a resume may ask for another rate
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
        """Train to the plan's end or to Ctrl-C; returns the EMA generator, in eval mode. Raises Diverged."""
        fixed = self.recipe.shown(self.store, SHEET, torch.Generator().manual_seed(1234))
        try:
            with interruptible(self._stop):
                self._train(fixed)
            if not self.stopped:
                self._settle()
        finally:
            sound = finite([*self.nets.values(), self.ema])
            if sound and self._phase is not None and not self._guard.given_up:
                self.folder.save(self.state())
        if not sound:
            raise Diverged(f"The weights are not finite (step {self.step}).")
        if not self.stopped:
            if self.step != self._logged[0]:
                self._log()
            if self.step % self.epoch_steps:
                self._end_epoch()
            self._score()
        self._sample(fixed)
        self.folder.plots(always=True)
        return self.ema

    def _stop(self) -> None:
        self.stopped = True

    def _train(self, fixed: Batch) -> None:
        plan, last = self.plan, time.monotonic()
        saved = sampled = last
        self._logged = (self.step, last)
        while self.progress < 1 and not self.stopped:
            moment = plan.moment(self.recipe.phases(), self.step, self.seconds)
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
            if self.live is not None:
                self.live(Standing(self.step, plan.steps, self.progress, self._left(), moment.phase.name))
            if self.step % plan.log_every == 0 or now - self._logged[1] > plan.log_every_s:
                self._log()
            if self.step % plan.sample_every == 0 if plan.sample_every else now - sampled > plan.sample_every_s:
                self._settle()
                self._sample(fixed)
                sampled = time.monotonic()
            if plan.score_every and self.step % plan.score_every == 0:
                self._settle()
                self._score()
            # Not in the middle of bad updates, which may be the network's own: the good checkpoint is all there is then.
            if now - saved > plan.save_every_s and self._guard.calm and finite([*self.nets.values(), self.ema]):
                self.folder.save(self.state())
                saved = now

    # ---- what is written on the way ----------------------------------------------------------------------------

    def _left(self) -> float:
        """Seconds to the end, at the pace so far."""
        return self.seconds * (1 / max(self.progress, 1e-6) - 1)

    def _end_epoch(self) -> None:
        """An epoch: as many steps as it takes to draw as many examples as there are pictures."""
        values = self._epoch.take()
        if values:
            self.folder.log_epoch(self.step / self.epoch_steps, self.step, values)

    def _log(self) -> None:
        values, now = self._interval.take(), time.monotonic()
        rate = (self.step - self._logged[0]) / max(now - self._logged[1], 1e-9)
        self._logged = (self.step, now)
        for name, count in values.items():
            if name.startswith(COUNTS):
                for counts in self._counts.values():
                    counts[name] = counts.get(name, 0.0) + count
        group = next(iter(self._optimizers.values())).param_groups[0]
        facts = {"rate": group["lr"], "steps_per_s": rate, "seconds": self.seconds}
        self.folder.log(self.step, {**values, **facts, **({"skipped": self.skipped} if self.skipped else {})})
        shown = "  ".join(f"{k} {v:.5f}" for k, v in values.items() if not k.startswith(COUNTS))
        pace = f"{rate:.2f} steps/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.2f} s/step"
        self.report(f"step {self.step}  {shown}  {pace}  {100 * self.progress:.1f} %  {self._left() / 60:.1f} min left")

    def _sample(self, fixed: Batch) -> None:
        with torch.no_grad(), torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.plan.bf16):
            sheet = self.recipe.sheet(self.ema, fixed)
        self.folder.sheet(self.step, sheet)
        if self._counts["recent"]:
            self.folder.matrices(self.step, self._counts["recent"], self._counts["whole"])
            self._counts["recent"] = {}
        self.folder.plots()

    def _score(self) -> None:
        if self.heldout is None:
            return
        with torch.no_grad():
            self.figures = self.recipe.score(self.ema, self.heldout)
        if self.figures:
            self.folder.log(self.step, {f"heldout/{k}": v for k, v in self.figures.items()})
            self.report(f"step {self.step}  held out: " + "  ".join(f"{k} {v:.3f}" for k, v in self.figures.items()))
