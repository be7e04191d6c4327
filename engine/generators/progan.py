"""Karras 2017, Progressive Growing of GANs, and the UPM 2021 thesis (section 2, stage C): comic faces drawn from noise.

`Generator(**THESIS)` is the thesis' net for whole figures (8 to 128 pixels), `**FACES` its net for faces (10 to 160);
`CONFIG`, the compact flagship for CPUs, has fewer filters and ends at 64 pixels. The thesis names no initialization: the
paper's scaled weights are used. The listing for its second stage leaves out the tanh of the new picture, a slip: the first
has it. It fades in the generator alone; here the discriminator fades too, as in the paper, unless fade_judge is off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.nn.imitation import Encoder, Imitation
from engine.nn.progressive import SLOPE, EqualConv, EqualLinear, MinibatchDeviation, PixelNorm, fade, filters
from engine.train.likeness import likeness
from engine.train.recipe import BaseRecipe, Batch, Moment, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

LATENT = 100  # "normally 100", says the thesis

CARD = Card(
    name="progan",
    task="generate",
    title="Comic faces (ProGAN)",
    paper="Karras et al. 2017, Progressive Growing of GANs for Improved Quality, Stability, and Variation",
    thesis="UPM 2021: CómicGAN, generating illustrations with progressively growing GANs",
    inputs=(
        Port("latent", LATENT, -6.0, 6.0, "Gaussian noise of mean 0 and deviation 1, made from the seed", vector=True),
    ),
    output=Port("rgb", 3, 0.0, 1.0, "the picture, sRGB, gamma-encoded"),
)

# The compact flagship. Weights files carry their own config.
CONFIG: dict[str, Any] = {"start": 4, "stages": 4, "most": 96, "least": 24}
THESIS: dict[str, Any] = {"start": 4, "stages": 5, "most": 256, "least": 64}  # 8, 16, 32, 64, 128 pixels
FACES: dict[str, Any] = {**THESIS, "start": 5}  # 10, 20, 40, 80, 160 pixels


class _Growing(nn.Module):
    """A net of stages: how many there are, which one it stands at, and how far that one is faded in.

    stage and alpha are buffers, so that checkpoints and weights files hold them; a fresh net stands at its last stage.
    """

    stage: Tensor
    alpha: Tensor

    def __init__(self, start: int, stages: int, most: int, least: int) -> None:
        super().__init__()
        if not (2 <= start <= 16 and 1 <= stages <= 8 and start << stages <= 1024 and 1 <= most <= 1024):
            raise ValueError(f"no such ladder of sizes: start {start}, {stages} stages, {most} filters")
        self.start, self.stages = start, stages
        self.width = [filters(level, most, least) for level in range(stages + 1)]
        self.register_buffer("stage", torch.tensor(stages))
        self.register_buffer("alpha", torch.tensor(1.0))

    @property
    def size(self) -> int:
        """Side of the pictures at the present stage, in pixels."""
        return self.start << int(self.stage)

    def grow(self, stage: int, alpha: float) -> None:
        """Stand at a stage (1 is the first), faded in by alpha (0 to 1)."""
        if not 1 <= stage <= self.stages:
            raise ValueError(f"there is no stage {stage} of {self.stages}")
        self.stage.fill_(stage)
        self.alpha.fill_(alpha)


def _pair(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions of the generator: LeakyReLU and PixelNorm after each."""
    layers: list[nn.Module] = []
    for inside in (inputs, outputs):
        layers += [EqualConv(inside, outputs), nn.LeakyReLU(SLOPE), PixelNorm()]
    return nn.Sequential(*layers)


class Generator(_Growing):
    """Latent vectors [N, 100, 1, 1] -> pictures [N, 3, S, S] in [0, 1], S = start * 2**stage.

    start: side of the first feature maps; stages: doublings after it; most and least: filters of the first three levels,
    and the floor that halving with each doubling stops at. Thesis: start 4 or 5, 5 stages, 256 and 64.
    """

    def __init__(self, start: int = 4, stages: int = 5, most: int = 256, least: int = 64) -> None:
        super().__init__(start, stages, most, least)
        width = self.width
        self.first = EqualLinear(LATENT, width[0] * start * start, gain=2**0.5 / 4)
        self.first_end = nn.Sequential(nn.LeakyReLU(SLOPE), PixelNorm())
        self.normalize = PixelNorm()
        self.blocks = nn.ModuleList(_pair(width[max(0, k - 1)], width[k]) for k in range(stages + 1))
        self.to_rgb = nn.ModuleList(EqualConv(width[k], 3, 1, gain=1.0) for k in range(1, stages + 1))

    def forward(self, latent: Tensor) -> Tensor:
        stage, alpha = int(self.stage), float(self.alpha)
        x = self.first(self.normalize(latent.flatten(1)))
        x = self.first_end(x.view(len(x), -1, self.start, self.start))
        x = before = self.blocks[0](x.contiguous(memory_format=torch.channels_last))
        for block in self.blocks[1 : stage + 1]:
            before = x
            x = block(F.interpolate(x, scale_factor=2, mode="nearest"))
        picture = torch.tanh(self.to_rgb[stage - 1](x).float())
        if alpha < 1 and stage > 1:
            old = torch.tanh(self.to_rgb[stage - 2](before).float())
            picture = fade(F.interpolate(old, scale_factor=2, mode="nearest"), picture, alpha)
        return (picture + 1) / 2


class Discriminator(_Growing):
    """Pictures [N, 3, S, S] in [0, 1] at the present stage -> logits [N, 1] (real above 0). Sizes as the generator's.

    fade_judge: fade from-RGB of the stage before in as well (the paper); off, the thesis' abrupt growth.
    """

    def __init__(
        self, start: int = 4, stages: int = 5, most: int = 256, least: int = 64, fade_judge: bool = True
    ) -> None:
        super().__init__(start, stages, most, least)
        width, self.fade_judge = self.width, fade_judge
        self.from_rgb = nn.ModuleList(EqualConv(3, width[k], 1) for k in range(1, stages + 1))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                EqualConv(width[k], width[k]),
                nn.LeakyReLU(SLOPE),
                EqualConv(width[k], width[k - 1]),
                nn.LeakyReLU(SLOPE),
            )
            for k in range(1, stages + 1)
        )
        self.last = nn.Sequential(
            MinibatchDeviation(),
            *(EqualConv(width[0] + 1, width[0]), nn.LeakyReLU(SLOPE), EqualConv(width[0], width[0])),
            *(nn.LeakyReLU(SLOPE), nn.Flatten(), EqualLinear(width[0] * start * start, 1, gain=1.0)),
        )

    def _enter(self, picture: Tensor, stage: int) -> Tensor:
        return F.leaky_relu(self.from_rgb[stage - 1](picture), SLOPE)

    def forward(self, rgb: Tensor) -> Tensor:
        stage, alpha = int(self.stage), float(self.alpha)
        picture = (2 * rgb - 1).contiguous(memory_format=torch.channels_last)
        x = F.avg_pool2d(self.blocks[stage - 1](self._enter(picture, stage)), 2)
        if alpha < 1 and stage > 1 and self.fade_judge:
            x = fade(self._enter(F.avg_pool2d(picture, 2), stage - 1), x, alpha)
        for k in range(stage - 1, 0, -1):
            x = F.avg_pool2d(self.blocks[k - 1](x), 2)
        logits: Tensor = self.last(x)
        return logits


class Recipe(Imitation, BaseRecipe):
    """The thesis' game (engine/nn/duel.py), with imitation (engine/nn/imitation.py), on a ladder of sizes.

    `shares` says how the training is divided among them.
    Each stage but the first fades in from alpha 0.2 over the first `fade` of its share, or, with fade_step, by that much a
    step (thesis: 0.00008, so 10,000 batches). The pictures to imitate fade in alike, as in the paper.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **Imitation.OPTIONS,
        # One step of each net, at higher rates: more pictures in a short time than the thesis' 2e-4 and two steps.
        **{"loss": "hinge", "rate": 2e-3, "judge_rate": 1e-3, "critic_rate": 1e-4, "rest": 0.9, "generator_steps": 1},
        **{"slope": 0.3, "augment": ["shift"]},
        "crop": 128,  # side of the crops that are made smaller to the stage's size
        "mirror": True,  # half of the pictures, left to right
        "shares": [0.3, 3, 15, 27],  # of the training, a stage each; the last one counts for any further stages
        "fade": 0.4,
        "fade_from": 0.2,
        "fade_step": 0.0,
        "fade_judge": True,
        "most": 0,  # filters of the discriminator: 0 as the generator's
        "least": 0,
    }
    THESIS: ClassVar[Mapping[str, Any]] = {
        **Imitation.THESIS,
        **{"shares": [1, 1, 1, 1, 1], "fade_step": 0.00008, "fade_judge": False},
    }
    SCORE: ClassVar[str] = "-frechet"
    latent = LATENT

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        assert isinstance(generator, Generator)
        self.net, self.crop = generator, self.options["crop"]
        self.least = self.crop  # score() cuts held-out pictures alike
        self._shares()  # said now, not in mid-training
        most, least = self.options["most"] or max(generator.width), self.options["least"] or min(generator.width)
        self.discriminator: Discriminator = Discriminator(
            generator.start, generator.stages, most, least, self.options["fade_judge"]
        )
        self.second_judge()
        if self.options["imitate"]:
            self.encoder = Encoder(generator.start << generator.stages, LATENT)
        self._stand(1, 1.0)

    def _stand(self, stage: int, alpha: float) -> None:
        for net in (self.net, self.discriminator):
            net.grow(stage, alpha)

    def _shares(self) -> list[float]:
        """The stages' shares of the training. Raises ValueError where the last one has none: something would never be seen."""
        shares = list(self.options["shares"])
        shares = (shares + shares[-1:] * self.net.stages)[: self.net.stages]
        if not shares or min(shares) < 0 or not shares[-1] > 0:
            raise ValueError(f"shares must be numbers, none below 0 and the last stage's above, not {shares}")
        return shares

    def growth(self, moment: Moment) -> tuple[int, float]:
        """The stage and alpha of a moment."""
        shares = self._shares()
        stage, left = 1, moment.progress * sum(shares)
        while stage < len(shares) and left >= shares[stage - 1]:
            left -= shares[stage - 1]
            stage += 1
        start = self.options["fade_from"]
        if stage == 1:
            return 1, 1.0
        if self.options["fade_step"]:
            return stage, min(1.0, start + self.options["fade_step"] * (moment.step - self.entered))
        return stage, min(1.0, start + (1 - start) * left / (shares[stage - 1] * max(self.options["fade"], 1e-6)))

    def state(self) -> dict[str, Any]:
        return {**super().state(), "entered": self.entered}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.entered = int(state["entered"])

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Crops at the net's largest size: what a stage sees of them is made in its step."""
        real = self._whole(store.crops(size, self.crop, rng, "mirror" if self.options["mirror"] else "none"))
        latent = torch.randn(size, LATENT, 1, 1, generator=rng).to(real.device)
        return {"real": real, "latent": latent}

    def _whole(self, crops: Tensor) -> Tensor:
        """Crops [N, 3, C, C] uint8 at the net's largest size, in [0, 1]."""
        largest = self.net.start << self.net.stages
        real = crops.float() / 255
        if self.crop == largest:
            return real
        return F.interpolate(real, (largest, largest), mode="bilinear", align_corners=False, antialias=True)

    def seen_at(self, real: Tensor, alpha: float) -> Tensor:
        """Pictures [N, 3, S, S] averaged to the present stage's size, mixed with the stage before by alpha."""
        small = F.avg_pool2d(real, real.shape[-1] // self.net.size)
        if alpha >= 1:
            return small
        return fade(F.interpolate(F.avg_pool2d(small, 2), scale_factor=2, mode="nearest"), small, alpha)

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        stage, alpha = self.growth(moment)
        if stage != int(self.net.stage):
            self.entered = moment.step
            stage, alpha = self.growth(moment)
        self._stand(stage, alpha)
        real = self.seen_at(batch["real"], alpha)
        if self.encoder is not None:
            given = (real, batch["real"], batch["latent"], update)
            scalars = self.imitate(*given, moment.step, moment.progress)
        else:
            scalars = self.play(real, batch["latent"], update, moment.step, moment.progress)
        return {**scalars, "size": torch.tensor(float(self.net.size)), "alpha": torch.tensor(alpha)}

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """One picture a latent vector, at the net's largest size, so that sheets of all stages can be compared."""
        largest = self.net.start << self.net.stages
        return F.interpolate(generator(batch["latent"]).float(), (largest, largest), mode="nearest")

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """Where a feature network is named: the Frechet distance by it, at the net's largest size."""
        if self.critic is None:
            return {}
        rng = torch.Generator().manual_seed(0)
        real = self._whole(store.crops(len(store), self.crop, rng, "none", torch.arange(len(store))))
        return likeness(generator, LATENT, real, self.critic.features)
