"""Isola 2017, pix2pix, and the ITBA thesis (section 4): a conditional GAN that paints grey pictures in RGB.

A U-Net takes the grey picture as RGB and gives the picture in colour as RGB, luma included; the colorize task keeps the
source's own luma and takes only the chroma from it. `Generator()` is the thesis' network for 256x256 (and 512x512) and
`Discriminator()` its discriminator; `PAPER` names the paper's pair. Where the thesis slips, the paper decides: up blocks
have batch norm, and values are scaled to [-1, 1] (x/127.5 - 1). Both networks here take and give [0, 1] and scale inside.

The paper's only noise is dropout, left on when the net is used; here it is off then, so that a picture gives one result:
pix2pix has no seed and knows no hints.

`CONFIG`, the compact net for CPUs, differs by configuration only: five levels of up to 256 filters with residual blocks,
bilinear upsampling (no checkerboards), a global context, and an output that is added to the picture itself, so that no
time goes by until the net can copy a luma.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.imaging import colour, resize
from engine.imaging.painting import scores, squares, with_luma
from engine.imaging.views import averaged
from engine.nn.colour_losses import colour_bins, rarity
from engine.nn.losses import real_or_fake
from engine.nn.optim import Muon
from engine.nn.patchgan import PatchGAN
from engine.nn.squeezenet import SqueezeNet, follow, imitation
from engine.nn.unet import UNet
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

CARD = Card(
    name="pix2pix",
    task="colorize",
    title="Art and photo colorizer (pix2pix, RGB)",
    paper="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks",
    thesis="ITBA: colorizing pictures with pix2pix",
    inputs=(Port("rgb", 3, 0.0, 1.0, "the grey picture as RGB: its luma (BT.601, gamma-encoded) three times"),),
    output=Port("rgb", 3, 0.0, 1.0, "the picture in colour, gamma-encoded"),
    multiple=32,
    working_size=128,  # of the largest of three looks
)

# The generator is the same in both; the thesis' discriminator differs from the paper's.
THESIS: dict[str, object] = {"working_size": 256, "views": [1.0]}
PAPER: dict[str, object] = {**THESIS, "deepest_norm": False}

# The compact net. Weights files carry their own config; this is the one that the shipped file was trained with.
CONFIG: dict[str, object] = {
    "base": 32,
    "depth": 5,
    "max_filters": 256,
    "upsample": "bilinear",
    "residual": [0, 0, 1, 1, 1],
    "dropout": 0.0,
    "context": True,
    "deepest_norm": True,
    "added": True,
    "deviation": 0.0,
}
_EDGE = 0.98  # of the tanh's range: a picture's black and white stay within reach of its inverse


class Generator(UNet):
    """Grey as RGB -> RGB. Every size is a parameter of UNet; the defaults are the thesis' network.

    deepest_norm: batch norm in the deepest level too, as the thesis has it (the paper's errata leave it out, since it
    wipes out a level of a single pixel in batches of one). added: the output is added to the picture before the tanh.
    deviation: of the normal values that convolutions start from, 0 for torch's own start. working_size: the shortest side
    that the task gives it, 0 for the card's. views: outside training the result is the mean of looks at these shares of the
    picture's size, every second one at its mirror image.
    """

    def __init__(
        self,
        base: int = 64,
        depth: int = 8,
        max_filters: int = 512,
        upsample: str = "transpose",
        residual: Sequence[int] = (),
        dropout: float = 0.5,
        context: bool = False,
        deepest_norm: bool = True,
        added: bool = False,
        deviation: float = 0.02,
        working_size: int = 0,
        views: Sequence[float] = (1.0, 0.75, 0.5),
    ) -> None:
        super().__init__(
            3, 3, base, depth, max_filters, upsample, residual, dropout, context, deepest_norm=deepest_norm
        )
        self.added, self.working_size, self.views = added, working_size, tuple(views)
        _start(self, deviation)

    def forward(self, rgb: Tensor) -> Tensor:
        """rgb [N, 3, H, W] in [0, 1], grey -> [N, 3, H, W] in [0, 1], in colour."""
        views = (1.0,) if self.training else self.views
        return averaged(lambda seen: self.forward_with_levels(seen)[0], ((rgb, resize.bilinear),), views, self.multiple)

    def forward_with_levels(self, rgb: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same, and the levels as UNet.pass_through gives them."""
        scaled = 2.0 * rgb - 1.0
        made, levels = self.pass_through(scaled)
        made = made.float()
        if self.added:
            made = made + torch.atanh(scaled.float() * _EDGE)
        return (torch.tanh(made) + 1.0) / 2.0, levels


class Discriminator(PatchGAN):
    """Conditional PatchGAN: a picture and the grey one, both [N, 3, H, W] in [0, 1] -> logits [N, 1, h, w], high for real.

    layout: "thesis" (64, 128, 128, 128 filters, all of stride 2: 16x16 logits for 256x256, each of which sees 94x94
    pixels) or "paper" (64, 128, 256, and 512 of stride 1: 30x30 logits that see 70x70). base: filters of the first level.
    """

    def __init__(self, layout: str = "thesis", base: int = 64, deviation: float = 0.02) -> None:
        if layout not in ("thesis", "paper"):
            raise ValueError(f"layout must be 'thesis' or 'paper', not {layout!r}")
        if layout == "thesis":
            super().__init__(6, (base, 2 * base, 2 * base, 2 * base), (2, 2, 2, 2), last_padding=(1, 2))  # "same"
        else:
            super().__init__(6, (base, 2 * base, 4 * base, 8 * base))
        _start(self, deviation)

    def forward(self, picture: Tensor, grey: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(torch.cat((2.0 * picture - 1.0, 2.0 * grey - 1.0), 1))


@torch.no_grad()
def _start(net: nn.Module, deviation: float) -> None:
    """The paper's start: weights of convolutions from N(0, deviation), biases zero."""
    for module in net.modules():
        if deviation and isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, deviation)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


# ---- training ------------------------------------------------------------------------------------------------------


class Recipe(BaseRecipe):
    """BCE + 100 * L1, as thesis and paper have it, after a start without discriminator for few cores and little time.

    `--thesis` is the thesis' own training. What is added by default:

    * phase "start": L1 alone at a small size and a high rate; with a teacher (the path of SqueezeNet's weights) the
      deeper levels also learn to predict its features of the colour picture, so that the net sees what things are;
    * pixels of rare colours weigh more in the L1 (Zhang 2016), against the brown veil that its median is.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "start": 0.8,  # share of the training without discriminator
        "start_size": 64,  # pixels
        "start_rate": 2e-3,  # of AdamW
        "muon_rate": 0.02,  # in the start, for all layers but the outermost; 0: AdamW for all
        "size": 96,
        "rate": 2e-4,
        "l1": 100.0,
        "adversarial": 1.0,
        "jitter": 572 / 512,  # enlarged by this before a random crop is cut
        "rebalance": 0.5,  # 0: every colour counts the same; 1: the full weights of Zhang 2016
        "teacher": "",
        "distil": 5.0,
        "layout": "paper",  # of the discriminator: "thesis" or "paper"
        "discriminator": 32,  # base filters
    }
    THESIS: ClassVar[Mapping[str, Any]] = {
        **{"start": 0.0, "size": 256, "rebalance": 0.0, "layout": "thesis", "discriminator": 64},
    }
    crop = 256

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        assert isinstance(generator, Generator)
        self.net: Generator = generator
        self.net.check_sides(size=self.options["size"])
        if self.phases()[0].name == "start":
            self.net.check_sides(start_size=self.options["start_size"])
        self.discriminator = Discriminator(self.options["layout"], self.options["discriminator"])
        self.rarity: Tensor | None = None  # made from the pictures when the first batch is
        self.teacher: SqueezeNet | None = None
        self.students = nn.ModuleList()
        if self.options["teacher"]:
            self.teacher = SqueezeNet(self.options["teacher"], ("fire5", "fire9"))
            for level, features in ((2, 256), (3, 512)):
                self.students.append(nn.Conv2d(self.net.sizes[level], features, 1))

    def phases(self) -> tuple[Phase, ...]:
        start = min(1.0, max(0.0, self.options["start"]))
        both = Phase("start", start), Phase("gan", 1.0 - start)
        return tuple(phase for phase in both if phase.share)

    def nets(self) -> dict[str, nn.Module]:
        nets = {"generator": self.generator, "discriminator": self.discriminator}
        return {**nets, "students": self.students} if self.teacher else nets

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        made: dict[str, torch.optim.Optimizer] = {}
        for name, net in self.nets().items():
            parameters = dict(net.named_parameters())
            if phase.name == "gan" and name != "students":
                made[name] = torch.optim.Adam(parameters.values(), self.options["rate"], (0.5, 0.999))
            elif phase.name == "start" and name == "generator" and self.options["muon_rate"]:
                made[name] = Muon.inside(net, self.options["muon_rate"], adam_lr=self.options["start_rate"])
            elif phase.name == "start" and name != "discriminator":
                made[name] = torch.optim.AdamW(parameters.values(), self.options["start_rate"], (0.9, 0.99))
        self._students_optimizer = made.get("students")
        return made

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Random jitter: enlarged, cut at random, mirrored by chance. (A smaller crop of the picture is the same thing.)"""
        if self.rarity is None:
            seen = squares(store.crops(512, self.crop, torch.Generator().manual_seed(0)), 32)
            self.rarity = rarity(_bins(seen), self.options["rebalance"])
        side = round(self.crop / self.options["jitter"])
        return {"rgb": squares(store.crops(size, side, rng), self.options["size"])}

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        rgb, gan = batch["rgb"], moment.phase.name == "gan"
        if not gan:
            rgb = F.interpolate(rgb, size=(self.options["start_size"],) * 2, mode="area")
        grey = colour.luma(rgb).clamp(0, 1).expand(-1, 3, -1, -1)
        made, levels = self.net.forward_with_levels(grey)
        loss, scalars = self._distance(made, rgb)
        if gan:
            judged = [self._judge(picture, grey, real) for picture, real in ((rgb, True), (made.detach(), False))]
            update("discriminator", (judged[0] + judged[1]) / 2)  # halved, as the paper slows the discriminator
            fooled = self._judge(made, grey, True)
            loss = loss + self.options["adversarial"] * fooled
            scalars |= {"d_real": judged[0].detach(), "d_fake": judged[1].detach(), "fooled": fooled.detach()}
        if self.teacher and not gan:
            distilled = imitation(self.teacher, self.students, batch["rgb"], levels[2:4])
            loss, scalars["distil"] = loss + self.options["distil"] * distilled, distilled.detach()
        follow(self._students_optimizer, update("generator", loss))
        return scalars

    def _judge(self, picture: Tensor, grey: Tensor, real: bool) -> Tensor:
        return real_or_fake(self.discriminator(picture, grey).float(), real)

    def _distance(self, made: Tensor, rgb: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted L1 in the range [-1, 1], times its factor, and figures for the log."""
        with torch.autocast(rgb.device.type, enabled=False):
            weight = 1.0 if self.rarity is None else self.rarity[_bins(rgb)].unsqueeze(1)
            l1 = (2.0 * (made - rgb).abs() * weight).mean()
            ratio = _strength(made.detach()) / _strength(rgb)
        return self.options["l1"] * l1, {"l1": l1.detach(), "chroma": ratio}

    def _paint(self, generator: nn.Module, y: Tensor) -> Tensor:
        """What the colorize task makes of the net's picture: the grey picture's own luma, the net's chroma."""
        made: Tensor = generator(y.expand(-1, 3, -1, -1)).float()
        return with_luma(y, colour.rgb_to_yuv(made)[:, 1:])

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """Grey, result, truth side by side."""
        rgb = batch["rgb"]
        y = colour.luma(rgb).clamp(0, 1)
        return torch.cat((y.expand(-1, 3, -1, -1), self._paint(generator, y), rgb), 3)

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """On centred squares: painting.scores."""
        pictures = (store.picture(i) for i in range(len(store)))
        return scores(pictures, self.options["size"], lambda y: self._paint(generator, y))


def _bins(rgb: Tensor) -> Tensor:
    return colour_bins(colour.scale_uv(colour.rgb_to_yuv(rgb)[:, 1:]))


def _strength(rgb: Tensor) -> Tensor:
    """Mean chroma in the YUV plane."""
    return colour.rgb_to_yuv(rgb)[:, 1:].norm(dim=1).mean()
