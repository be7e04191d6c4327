"""Goodfellow 2014, Generative Adversarial Nets, and the UPM 2021 thesis (section 2, stage A): grey comic faces, the plain way.

`Generator(**THESIS)` is the thesis' net: a dense layer, three doublings with convolutions, 48x48 pixels. Its discriminator
sees no neighbourhoods, only a long vector. `CONFIG` has fewer filters; the recipe's `judge` makes the discriminator narrower.
The listing puts batch norm after ReLU where the text puts it before: the listing is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.nn.blocks import Nearest, conv
from engine.nn.duel import Duel, grey_crops
from engine.train.recipe import BaseRecipe, Batch, Moment, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

LATENT = 100
SIZE = 48
DENSE = (SIZE * SIZE, 4098, 2046, 1024, 512, 256)  # the thesis' own numbers; 4098 and 2046 are hardly meant, and kept

CARD = Card(
    name="dense_gan",
    task="generate",
    title="Grey comic faces (plain GAN)",
    paper="Goodfellow et al. 2014, Generative Adversarial Nets",
    thesis="UPM 2021: CómicGAN, generating illustrations with progressively growing GANs",
    inputs=(
        Port("latent", LATENT, -6.0, 6.0, "Gaussian noise of mean 0 and deviation 1, made from the seed", vector=True),
    ),
    output=Port("y", 1, 0.0, 1.0, "the grey picture, gamma-encoded"),
)

# The compact flagship. Weights files carry their own config.
CONFIG: dict[str, Any] = {"filters": 128}
THESIS: dict[str, Any] = {"filters": 256}


class Generator(nn.Module):
    """Latent vectors [N, 100, 1, 1] -> grey pictures [N, 1, 48, 48] in [0, 1]. filters: of the 6x6 maps (thesis: 256)."""

    size = SIZE

    def __init__(self, filters: int = 256) -> None:
        super().__init__()
        if not 4 <= filters <= 1024:
            raise ValueError(f"filters must be 4 to 1024, not {filters}")
        self.filters, half, quarter = filters, filters // 2, filters // 4
        self.dense = nn.Linear(LATENT, filters * 6 * 6)
        self.dense_norm = nn.BatchNorm1d(filters * 6 * 6)
        self.grow = nn.Sequential(
            *(Nearest(2), conv(filters, half, 3), nn.ReLU(), nn.BatchNorm2d(half)),
            *(Nearest(2), conv(half, quarter, 5), nn.ReLU(), nn.BatchNorm2d(quarter)),
            *(Nearest(2), conv(quarter, 1, 5)),
        )

    def forward(self, latent: Tensor) -> Tensor:
        x = self.dense_norm(F.relu(self.dense(latent.flatten(1))))
        x = self.grow(x.view(len(x), self.filters, 6, 6).contiguous(memory_format=torch.channels_last))
        return (torch.tanh(x.float()) + 1) / 2


class Discriminator(nn.Module):
    """Grey pictures [N, 1, 48, 48] in [0, 1] -> logits [N, 1] (real above 0). share: of the thesis' widths, 0 to 1."""

    def __init__(self, share: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        widths = [SIZE * SIZE, *(max(4, round(width * share)) for width in DENSE)]
        layers: list[nn.Module] = [nn.Flatten()]
        for inside, out in pairwise(widths):
            layers += [nn.Linear(inside, out), nn.LeakyReLU(0.2), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(widths[-1], 1))

    def forward(self, y: Tensor) -> Tensor:
        logits: Tensor = self.layers(2 * y - 1)
        return logits


class Recipe(Duel, BaseRecipe):
    """The thesis' game (engine/nn/duel.py) on grey pictures of 48x48 pixels."""

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **Duel.OPTIONS,
        "crop": 128,  # side of the crops that are made smaller to 48 pixels
        "judge": 0.5,  # share of the thesis' widths in the discriminator: 1 for its own
        "dropout": 0.5,
    }
    THESIS: ClassVar[Mapping[str, Any]] = {**Duel.THESIS, "judge": 1.0}
    latent = LATENT

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        self.crop = self.options["crop"]
        self.discriminator = Discriminator(self.options["judge"], self.options["dropout"])
        self.second_judge()

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        real = grey_crops(store.crops(size, self.crop, rng), SIZE)
        return {"real": real, "latent": torch.randn(size, LATENT, 1, 1, generator=rng).to(real.device)}

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        return self.play(batch["real"], batch["latent"], update, moment.step, moment.progress)

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """One picture a latent vector."""
        made: Tensor = generator(batch["latent"]).float()
        return made.expand(-1, 3, -1, -1)
