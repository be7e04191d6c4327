"""Radford 2015, DCGAN, and the UPM 2021 thesis (section 2, stage B): grey comic pictures by strided convolutions.

`Generator(**THESIS)` is the thesis' net of 64x64 pixels; `size` 48 or 28 gives its smaller ones, which begin at 12x12 and
7x7 with one doubling less. `CONFIG`, the compact flagship for CPUs, has half of the filters. The thesis says nothing of the
slope of LeakyReLU here; its listing leaves it at Keras' default, 0.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.nn.duel import Duel, grey_crops
from engine.train.recipe import BaseRecipe, Batch, Moment, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

LATENT = 100
SLOPE = 0.3
DOUBLINGS = {28: 2, 48: 2, 64: 3}  # by size: the generator's strided layers
JUDGE_LAYERS = {28: 2, 48: 3, 64: 4}

CARD = Card(
    name="conv_gan",
    task="generate",
    title="Grey comic faces (convolutional GAN)",
    paper="Radford et al. 2015, Unsupervised Representation Learning with Deep Convolutional GANs",
    thesis="UPM 2021: CómicGAN, generating illustrations with progressively growing GANs",
    inputs=(
        Port("latent", LATENT, -6.0, 6.0, "Gaussian noise of mean 0 and deviation 1, made from the seed", vector=True),
    ),
    output=Port("y", 1, 0.0, 1.0, "the grey picture, gamma-encoded"),
)

# The compact flagship. Weights files carry their own config.
CONFIG: dict[str, Any] = {"size": 64, "filters": 64}
THESIS: dict[str, Any] = {"size": 64, "filters": 128}


def _known(size: int) -> int:
    if size not in DOUBLINGS:
        raise ValueError(f"size must be one of {', '.join(map(str, DOUBLINGS))}, not {size}")
    return size


class Generator(nn.Module):
    """Latent vectors [N, 100, 1, 1] -> grey pictures [N, 1, size, size] in [0, 1].

    size: 28, 48 or 64. filters: of the first maps and of all strided layers but the last, which has half (thesis: 128).
    """

    def __init__(self, size: int = 64, filters: int = 128) -> None:
        super().__init__()
        if not 2 <= filters <= 1024:
            raise ValueError(f"filters must be 2 to 1024, not {filters}")
        self.size, self.filters, doublings = _known(size), filters, DOUBLINGS[size]
        self.start = size >> doublings
        features = filters * self.start * self.start
        self.dense, self.dense_norm = nn.Linear(LATENT, features, bias=False), nn.BatchNorm1d(features)
        layers: list[nn.Module] = []
        inside = filters
        for number in range(doublings):
            out = filters // 2 if number == doublings - 1 else filters
            layers += [
                nn.ConvTranspose2d(inside, out, 5, 2, 2, output_padding=1, bias=False),
                *(nn.BatchNorm2d(out), nn.ReLU()),
            ]
            inside = out
        self.grow = nn.Sequential(*layers, nn.ConvTranspose2d(inside, 1, 5, 1, 2, bias=False))

    def forward(self, latent: Tensor) -> Tensor:
        x = F.relu(self.dense_norm(self.dense(latent.flatten(1))))
        x = x.view(len(x), self.filters, self.start, self.start)
        x = self.grow(x.contiguous(memory_format=torch.channels_last))
        return (torch.tanh(x.float()) + 1) / 2


class Discriminator(nn.Module):
    """Grey pictures [N, 1, size, size] in [0, 1] -> logits [N, 1] (real above 0).

    filters: of the first layer, doubled in the next two (thesis: 32, then 64, 128, 128). norm: batch norm, as the thesis
    has it; it must be off for a penalty on the slope.
    """

    def __init__(self, size: int = 64, filters: int = 32, dropout: float = 0.5, norm: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inside = 1
        for number in range(JUDGE_LAYERS[_known(size)]):
            out = filters * 2 ** min(number, 2)
            layers += [nn.Conv2d(inside, out, 5, 2, 2), *([nn.BatchNorm2d(out)] if norm else [])]
            layers += [nn.LeakyReLU(SLOPE), nn.Dropout(dropout)]
            inside = out
        side = -(-size // 2 ** JUDGE_LAYERS[size])
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inside * side * side, 1))

    def forward(self, y: Tensor) -> Tensor:
        logits: Tensor = self.layers((2 * y - 1).contiguous(memory_format=torch.channels_last))
        return logits


class Recipe(Duel, BaseRecipe):
    """The thesis' game (engine/nn/duel.py) on grey pictures of the generator's size."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **Duel.OPTIONS,
        "crop": 128,  # side of the crops that are made smaller to the net's size
        "judge": 32,  # filters of the discriminator's first layer
        "dropout": 0.5,
        "norm": True,
    }
    THESIS: ClassVar[Mapping[str, Any]] = Duel.THESIS
    latent = LATENT

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        assert isinstance(generator, Generator)
        self.size, self.crop = generator.size, self.options["crop"]
        self.discriminator = Discriminator(
            self.size, self.options["judge"], self.options["dropout"], self.options["norm"]
        )
        self.second_judge()

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        real = grey_crops(store.crops(size, self.crop, rng), self.size)
        return {"real": real, "latent": torch.randn(size, LATENT, 1, 1, generator=rng).to(real.device)}

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        return self.play(batch["real"], batch["latent"], update, moment.step, moment.progress)

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """One picture a latent vector."""
        made: Tensor = generator(batch["latent"]).float()
        return made.expand(-1, 3, -1, -1)
