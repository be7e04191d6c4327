"""How enlargers learn to be faithful: what the recipes of srgan and swift share. Generators may import this module."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from engine.imaging.resize import bicubic, downscaled
from engine.nn.losses import luma_of
from engine.nn.optim import Muon
from engine.train.degrade import degraded
from engine.train.metrics.psnr import psnr_y
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

SCALE = 4


class Fidelity(BaseRecipe):
    """Phase "psnr": the absolute difference, mostly of the luma, where sharpness is seen and measured; towards its end the
    root of each patch's mean square, whose best answer is the mean that PSNR asks for, not the median.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "patch": 48,  # side of the low-resolution patches
        "luma": 0.7,  # share of the luma's error in the content loss, the rest is RGB
        "squares_from": 0.7,  # share of the phase "psnr" after which squares replace absolute values
        "degraded": 0.0,  # share of the pictures that are blurred, resized, noisy and compressed as well as small
        "lr": 0.02,  # Muon, hidden layers
        "adam_lr": 1e-3,  # the others
    }
    least = 3 * SCALE  # a border of SCALE pixels is not measured
    PHASES: ClassVar[tuple[Phase, ...]] = (Phase("psnr"),)

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        self.crop = self.options["patch"] * SCALE

    def hidden(self, name: str, parameter: nn.Parameter) -> bool:
        """Whether Muon takes it: the convolutions between the first and the last."""
        return parameter.ndim == 4 and name.startswith("body")

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        both: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for name, parameter in self.generator.named_parameters():
            both[self.hidden(name, parameter)].append(parameter)
        return {"generator": Muon(both[1], both[0], self.options["lr"], adam_lr=self.options["adam_lr"])}

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        truth = store.crops(size, self.crop, rng, flip="all").float() / 255
        truth = truth.contiguous()
        share = self.options["degraded"]
        low = degraded(truth, SCALE, rng, share) if share > 0 else downscaled(truth, SCALE)
        return {"low": low.contiguous(memory_format=torch.channels_last), "truth": truth}

    def content(self, result: Tensor, truth: Tensor, squares: bool = False) -> Tensor:
        """The error of the luma and of RGB: mean absolute values, or the mean root of each patch's mean square."""
        difference, share = result.float() - truth, self.options["luma"]
        if squares:
            error = (1 - share) * difference.square().mean((1, 2, 3)) + share * luma_of(difference).square().mean(
                (1, 2, 3)
            )
            return (error + 1e-6).sqrt().mean()
        return (1 - share) * difference.abs().mean() + share * luma_of(difference).abs().mean()

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        result = self.generator(batch["low"])
        content = self.content(result, batch["truth"], moment.phase_progress >= self.options["squares_from"])
        update("generator", content)
        return {"content": content.detach()}

    def finish(self, network: nn.Module, batches: Iterable[Batch]) -> None:
        """Take the mean error at each of the 4x4 places of a low-resolution pixel off the last biases, where each has one.

        It is a pattern over the whole picture, which the adversarial phase leaves: 3 of 255 from the darkest to the lightest.
        """
        tail = network.tail
        if not isinstance(tail, nn.Conv2d) or tail.bias is None or len(tail.bias) != 3 * SCALE**2:
            return
        errors = []
        with torch.no_grad():
            for batch in batches:
                error = (network(batch["low"]).float() - batch["truth"]).mean(0)
                errors.append(error.unflatten(1, (-1, SCALE)).unflatten(3, (-1, SCALE)).mean((1, 3)))
            tail.bias -= torch.stack(errors).mean(0).flatten()

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        low = batch["low"].float()
        return torch.cat((bicubic(low, *batch["truth"].shape[-2:]), generator(low).float(), batch["truth"]), dim=3)

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """Mean PSNR in dB of the luma (MATLAB's studio range, a border of 4 pixels left out), and what bicubic has less.

        Of the pictures of at least `least` pixels a side whose figures are finite: bicubic gives blank ones back exactly, which
        would be an infinite mean. Nothing where there are none.
        """
        ours, classical = [], []
        rng = torch.Generator().manual_seed(0)  # the same damage whenever it is measured
        for index in range(len(store)):
            truth = store.picture(index).float().unsqueeze(0) / 255
            truth = truth[..., : truth.shape[-2] // SCALE * SCALE, : truth.shape[-1] // SCALE * SCALE]
            if min(truth.shape[-2:]) < self.least:
                continue
            low = degraded(truth, SCALE, rng) if self.options["degraded"] > 0 else downscaled(truth, SCALE)
            low = low.contiguous(memory_format=torch.channels_last)
            made = generator(low)[0], bicubic(low, *truth.shape[-2:])[0]
            figures = [psnr_y(result, truth[0], SCALE) for result in made]
            if all(map(math.isfinite, figures)):
                ours.append(figures[0])
                classical.append(figures[1])
        if not ours:
            return {}
        count = len(ours)
        return {"psnr_y": sum(ours) / count, "above_bicubic": (sum(ours) - sum(classical)) / count}
