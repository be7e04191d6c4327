"""Goodfellow 2014, the game of a generator of pictures from noise against its discriminator, balanced as the UPM 2021
thesis does: what the recipes of dense_gan, conv_gan and progan share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.augment import augmented
from engine.nn.critic import SMALLEST, Critic
from engine.nn.losses import luma_of

LOSSES = ("bce", "hinge", "wasserstein")


def grey_crops(crops: Tensor, side: int) -> Tensor:
    """RGB [N, 3, S, S] uint8 -> its luma [N, 1, side, side] in [0, 1], antialiased."""
    grey = luma_of(crops.float() / 255)
    if grey.shape[-1] == side:
        return grey
    return F.interpolate(grey, (side, side), mode="bilinear", align_corners=False, antialias=True)


def shown_as_real(accuracy: float, most: float) -> float:
    """The share of generated pictures among those shown as real: none up to half of the verdicts right, `most` at all."""
    return most * min(1.0, max(0.0, (accuracy - 0.5) / 0.5))


def judged(logits: Tensor, real: bool, loss: str = "bce") -> Tensor:
    """What a discriminator pays for its logits: cross-entropy, Lim 2017's hinge, or Arjovsky 2017's distance."""
    signed = logits if real else -logits
    if loss == "bce":
        return F.softplus(-signed).mean()
    if loss == "hinge":
        return F.relu(1 - signed).mean()
    if loss == "wasserstein":
        return -signed.mean()
    raise ValueError(f"there is no loss called {loss!r}: {', '.join(LOSSES)}")


def convinced(logits: Tensor, loss: str = "bce") -> Tensor:
    """What a generator pays when its pictures are judged: the form that does not saturate, or minus the logits."""
    return F.softplus(-logits).mean() if loss == "bce" else -logits.mean()


def steepness(discriminator: nn.Module, pictures: Tensor, target: float = 0.0) -> Tensor:
    """Penalty on the gradient at pictures [N, C, H, W]: Mescheder 2018 (R1) towards 0, Gulrajani 2017 towards 1."""
    pictures = pictures.detach().requires_grad_()
    with torch.autocast(pictures.device.type, enabled=False):
        (slope,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    norm = slope.square().sum((1, 2, 3))
    return norm.mean() if target == 0 else ((norm + 1e-12).sqrt() - target).square().mean()


class Duel:
    """Mixed into a Recipe whose generator makes pictures [N, C, H, W] in [0, 1] from vectors [N, latent, 1, 1].

    The recipe sets `discriminator` and `latent`, and `_real` for the pictures of a moment. A batch holds "real" and "latent".
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "loss": "bce",  # the thesis'; or "hinge", or "wasserstein" (the ProGAN paper's, with slope 10 towards 1)
        "rate": 2e-4,
        "judge_rate": 2e-4,
        "beta1": 0.5,
        "beta2": 0.99,
        "generator_steps": 2,  # at most, for one of the discriminator: further ones while it is ahead
        "ahead": 0.75,  # running share of right verdicts from which the discriminator counts as ahead
        "shown_as_real": 0.1,  # the largest share of generated pictures among those shown to it as real
        "instance_noise": 0.0,  # deviation of Gaussian noise on all that it sees, decaying to 0
        "slope": 0.0,  # weight of the penalty on the discriminator's gradient
        "slope_every": 8,  # steps between two of them; the weight counts as many times more
        "features": "",  # file of a feature network: a second discriminator judges its features (engine/nn/critic.py)
        "critic": 1.0,  # weight of that one for the generator
        "critic_rate": 2e-4,
        "rest": 1.0,  # running share of right verdicts above which that one does not learn
        "augment": [],  # what pictures go through before they are judged: "colour", "shift", "hole"
    }
    THESIS: ClassVar[Mapping[str, Any]] = {
        **{"loss": "bce", "rate": 2e-4, "judge_rate": 2e-4, "beta1": 0.5, "beta2": 0.999, "generator_steps": 2},
        **{"shown_as_real": 0.1, "instance_noise": 0.0, "slope": 0.0, "augment": []},
    }
    generator: nn.Module
    discriminator: nn.Module
    critic: Critic | None = None
    options: dict[str, Any]
    latent: int
    accuracy = 1.0  # running share of right verdicts; the thesis begins with the largest share of fakes

    def second_judge(self) -> None:
        """Make the critic where the options name its features."""
        if self.options["features"]:
            self.critic = Critic(self.options["features"])

    def nets(self) -> dict[str, nn.Module]:
        nets = {"generator": self.generator, "discriminator": self.discriminator}
        return {**nets, "critic": self.critic} if self.critic is not None else nets

    def optimizers(self, phase: object) -> dict[str, torch.optim.Optimizer]:
        betas = (self.options["beta1"], self.options["beta2"])
        rates = self.rates()
        return {name: torch.optim.Adam(net.parameters(), rates[name], betas) for name, net in self.nets().items()}

    def rates(self) -> dict[str, float]:
        """Adam's rate for each of the nets."""
        rates = {"generator": "rate", "discriminator": "judge_rate", "critic": "critic_rate"}
        return {name: self.options[option] for name, option in rates.items()}

    def state(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.accuracy = float(state["accuracy"])

    def seen(self, pictures: Tensor, noise: float) -> Tensor:
        """Pictures as the discriminator gets them."""
        pictures = augmented(pictures, self.options["augment"])
        return pictures + noise * torch.randn_like(pictures) if noise else pictures

    def play(
        self, real: Tensor, latent: Tensor, update: Callable[[str, Tensor], bool], step: int, progress: float
    ) -> dict[str, Tensor]:
        """One step of the discriminator and one or more of the generator; the losses and the verdicts, as numbers."""
        noise = self._noise(progress)
        made = self.generator(latent).float()
        scalars = self._judge(real, made.detach(), update, step, progress)
        self._judges(False)  # their gradients are not wanted now: a third of the work less
        fooled = self._fooled(made, noise, update)
        for _ in range(self.options["generator_steps"] - 1 if self.accuracy > self.options["ahead"] else 0):
            fooled = self._fooled(self.generator(torch.randn_like(latent)).float(), noise, update)
        self._judges(True)
        return {"generator": fooled.detach(), **scalars}

    def _noise(self, progress: float) -> float:
        return float(self.options["instance_noise"] * (1 - progress))

    def _judge(
        self, real: Tensor, made: Tensor, update: Callable[[str, Tensor], bool], step: int, progress: float
    ) -> dict[str, Tensor]:
        """One step of the judges of this size; their losses and the first one's verdicts, as numbers."""
        options, kind, noise = self.options, self.options["loss"], self._noise(progress)
        share = shown_as_real(self.accuracy, options["shown_as_real"])
        swapped = torch.rand(len(real), 1, 1, 1, device=real.device) < share
        known = torch.where(swapped, made, real)
        scalars, verdicts = {}, []
        if self._by_pixels(real):
            of_known, of_made = (self.discriminator(self.seen(x, noise)).float() for x in (known, made))
            loss = judged(of_known, True, kind) + judged(of_made, False, kind)
            if options["slope"] and step % options["slope_every"] == 0:
                loss = loss + options["slope"] * options["slope_every"] * self._slope(real, made, kind)
            update("discriminator", loss)
            scalars["discriminator"] = loss.detach() / 2
            verdicts.append((of_known.detach(), of_made.detach()))
        if self.critic is not None and self._by_features(real):
            found = [self.critic(self.seen(x, noise)) for x in (known, made)]
            loss = _mean(judged(x, True, kind) for x in found[0]) + _mean(judged(x, False, kind) for x in found[1])
            if self.accuracy <= options["rest"]:
                update("critic", loss)
            scalars["critic"] = loss.detach() / 2
            verdicts.append((_opinion(found[0]), _opinion(found[1])))
        counts = confusion(*verdicts[0], swapped.view(-1))
        right = float((counts["confusion/real_real"] + counts["confusion/fake_fake"]) / (2 * len(real)))
        self.accuracy += 0.1 * (right - self.accuracy)
        return {**scalars, "accuracy": torch.tensor(self.accuracy), **counts}

    def _by_features(self, pictures: Tensor) -> bool:
        """Whether the critic judges pictures of this size."""
        return self.critic is not None and pictures.shape[-1] >= SMALLEST

    def _by_pixels(self, pictures: Tensor) -> bool:
        """Whether the discriminator of pixels judges pictures of this size."""
        return True

    def _fooled(self, made: Tensor, noise: float, update: Callable[[str, Tensor], bool]) -> Tensor:
        """One step of the generator; its loss before its first judge."""
        losses = self._convincing(made, noise)
        update("generator", torch.stack(losses).sum())
        return losses[0]

    def _convincing(self, made: Tensor, noise: float) -> list[Tensor]:
        """What the generator pays before each of the judges of this size."""
        kind, losses = self.options["loss"], []
        if self._by_pixels(made):
            losses.append(convinced(self.discriminator(self.seen(made, noise)).float(), kind))
        if self.critic is not None and self._by_features(made):
            found = self.critic(self.seen(made, noise))
            losses.append(self.options["critic"] * _mean(convinced(logits, kind) for logits in found))
        return losses

    def _judges(self, learning: bool) -> None:
        for judge in (self.discriminator, self.critic):
            if judge is not None:
                judge.requires_grad_(learning)

    def _slope(self, real: Tensor, made: Tensor, kind: str) -> Tensor:
        if kind != "wasserstein":
            return steepness(self.discriminator, real) / 2
        where = torch.rand(len(real), 1, 1, 1, device=real.device)
        return steepness(self.discriminator, torch.lerp(real, made, where), 1.0)


def _mean(losses: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(losses)).mean()


def _opinion(maps: Sequence[Tensor]) -> Tensor:
    """What the heads of a critic say of each picture, on average: [N]."""
    return torch.stack([logits.detach().mean((1, 2, 3)) for logits in maps]).mean(0)


def confusion(of_real: Tensor, of_made: Tensor, swapped: Tensor) -> dict[str, Tensor]:
    """How many pictures of each truth got each verdict; `swapped` marks generated ones that were shown as real."""
    said = (of_real.view(-1) > 0, of_made.view(-1) > 0)
    fake_real = (said[0] & swapped).sum() + said[1].sum()
    fakes = swapped.sum() + len(said[1])
    real_real = (said[0] & ~swapped).sum()
    reals = (~swapped).sum()
    return {
        "confusion/real_real": real_real.float(),
        "confusion/real_fake": (reals - real_real).float(),
        "confusion/fake_real": fake_real.float(),
        "confusion/fake_fake": (fakes - fake_real).float(),
    }
