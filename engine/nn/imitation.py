"""Larsen 2016, Autoencoding beyond Pixels (VAE/GAN): a generator from noise that also learns to imitate pictures.

For a part of each batch the vectors are not drawn but come from an encoder that has seen the pictures. So the generator is
told what is missing, not only that something is, and cannot fall back on drawing few kinds of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.duel import Duel
from engine.nn.optim import Muon
from engine.nn.progressive import SLOPE


class Encoder(nn.Module):
    """Pictures [N, 3, S, S] in [0, 1], S a multiple of 16 -> mean and log variance [N, latent] of the vectors for them."""

    def __init__(self, side: int, latent: int, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 3
        for number in range(4):
            out = width << min(number, 2)
            layers += [nn.Conv2d(inside, out, 4, 2, 1, bias=False), nn.BatchNorm2d(out), nn.LeakyReLU(SLOPE)]
            inside = out
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inside * (side // 16) ** 2, 2 * latent))

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        mean, spread = self.layers((2 * rgb - 1).contiguous(memory_format=torch.channels_last)).float().chunk(2, 1)
        return mean, spread.clamp(-8, 4)


def information(mean: Tensor, spread: Tensor) -> Tensor:
    """Kingma 2014: nats [N] by which normal distributions of these means and log variances [N, D] tell from (0, 1)."""
    return 0.5 * (mean.square() + spread.exp() - 1 - spread).sum(1)


class Imitation(Duel):
    """Mixed into a Recipe in the place of Duel; a batch also holds "whole", the pictures that the encoder sees.

    How much a vector may say of its picture is held at `nats`, by a price on it that follows. The judges' gradient at the
    generated pictures is brought to `adversarial` times the length of that of imitation.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **Duel.OPTIONS,
        "imitate": 0.5,  # share of a batch that imitates; 0: none, and no encoder
        "nats": 50.0,
        "adversarial": 0.5,
        "encoder_rate": 5e-4,
        "muon": 0.15,  # rate of the generator's hidden layers by Muon; 0: Adam at `rate` throughout
        "perceptual": 0.3,  # weight of the features' distance beside that of the pixels
    }
    THESIS: ClassVar[Mapping[str, Any]] = {**Duel.THESIS, "imitate": 0.0, "muon": 0.0}
    encoder: Encoder | None = None
    price = 1e-4  # of a nat

    def nets(self) -> dict[str, nn.Module]:
        nets = super().nets()
        return {**nets, "encoder": self.encoder} if self.encoder is not None else nets

    def rates(self) -> dict[str, float]:
        return {**super().rates(), "encoder": self.options["encoder_rate"]}

    def optimizers(self, phase: object) -> dict[str, torch.optim.Optimizer]:
        found, options = super().optimizers(phase), self.options
        if options["muon"]:
            found["generator"] = Muon.of(self.generator, options["muon"], options["rate"], but="to_rgb")
        return found

    def state(self) -> dict[str, Any]:
        return {**super().state(), "price": self.price}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.price = float(state["price"])

    def imitate(
        self,
        real: Tensor,
        whole: Tensor,
        latent: Tensor,
        update: Callable[[str, Tensor], bool],
        step: int,
        progress: float,
    ) -> dict[str, Tensor]:
        """play(), with imitation: one step of every net."""
        assert self.encoder is not None
        count = max(2, round(self.options["imitate"] * len(real)))  # batch norm asks for two
        mean, spread = self.encoder(whole[:count])
        vectors = mean + torch.exp(spread / 2) * torch.randn_like(mean)
        drawn = vectors.detach().requires_grad_()
        made = self.generator(torch.cat((drawn.view(count, -1, 1, 1), latent[count:]))).float()
        pictures = made.detach().requires_grad_()
        error = self._error(pictures[:count], real[:count])
        (towards,) = torch.autograd.grad(error, pictures)
        scalars = {"error": error.detach()}
        if self._by_pixels(real) or self._by_features(real):
            scalars |= self._judge(real, made.detach(), update, step, progress)
            self._judges(False)
            losses = self._convincing(pictures, self._noise(progress))
            (slope,) = torch.autograd.grad(torch.stack(losses).sum(), pictures)
            self._judges(True)
            scalars["generator"] = losses[0].detach()
            ratio = (towards.square().sum() / count).sqrt() / (slope.square().sum() / len(real)).sqrt().clamp_min(1e-12)
            towards = towards + self.options["adversarial"] * ratio * slope
        update("generator", (made * towards).sum())
        nats = information(mean, spread).mean()
        assert drawn.grad is not None
        update("encoder", (vectors * drawn.grad).sum() + self.price * nats)
        self.price *= math.exp(0.02 * max(-1.0, min(1.0, float(nats.detach()) / self.options["nats"] - 1)))
        return {**scalars, "nats": nats.detach()}

    def _by_pixels(self, pictures: Tensor) -> bool:
        """With an encoder the critic, where there is one, judges alone, and what is too small for it nobody."""
        return self.encoder is None or self.critic is None

    def _error(self, made: Tensor, truth: Tensor) -> Tensor:
        """Mean absolute differences of pixels and, where there is a critic, of what it looks at."""
        error = F.l1_loss(made, truth)
        if self.critic is None or not self._by_features(made) or not self.options["perceptual"]:
            return error
        with torch.no_grad():
            wanted = self.critic.maps(truth)
        found = self.critic.maps(made)
        return (
            error
            + self.options["perceptual"]
            * torch.stack([F.l1_loss(a, b) for a, b in zip(found, wanted, strict=True)]).mean()
        )
