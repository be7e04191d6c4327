"""UNAM 2022 thesis (section 3 of our summary, chapter 5 of its own): line drawings coloured from a rough colour reference.

A U-Net of two encoder blocks, three decoder blocks and two skip connections speaks HxHySV (engine/imaging/hsv.py). A Z
encoder makes 64 numbers of a colour reference, a Z decoder makes 32x8x8 of them, joined to the second encoder block; four of
its channels are an extra output, trained to a coarse picture so that Z cannot be ignored. `Generator(**THESIS)` is the
thesis' size (7.9 M parameters); its widths stand in pictures that are lost: they are chosen to meet the printed counts.
Where `CONFIG`, the compact flagship for CPUs, and our recipe differ from the thesis, by configuration only:

* hint planes at full resolution: the artist's dots and strokes, the colour of the nearest one that is reached without
  crossing lines, and all of them diffused between the lines (engine/imaging/spread.py). A hint is obeyed where it lies; a
  fifth output says how far to take the spread colours elsewhere, a sixth which of the two, three more correct them (`refine`);
* the output corrects Z's coarse picture, so that Z counts from the first step on; most parameters lie in a bottleneck one
  octave deeper; a reference may be absent, and seeds draw from a bank of pictures' Zs.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.imaging import hsv, references, spread
from engine.nn.losses import real_or_fake
from engine.nn.optim import Muon, Ranger
from engine.nn.perceptual import Features
from engine.nn.sketch_losses import colour_error, perceived
from engine.nn.sketch_parts import Z_SIZE, ResBlock, Shuffle, Verdict, ZBank, ZDecoder, ZEncoder, imagined, in_range
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

HINT_PLANES = 8  # spread.spread(): X, Y, V of the nearest hint and mask; X, Y, V diffused and nearness

CARD = Card(
    name="sketch_unet",
    task="sketch",
    title="Line-art colorizer (U-Net with Z)",
    paper="Ronneberger et al. 2015, U-Net: Convolutional Networks for Biomedical Image Segmentation",
    thesis="UNAM 2022: colouring sketches with a colour reference",
    inputs=(
        Port("sketch", 1, 0.0, 1.0, "the line drawing: 1 is paper, 0 is ink"),
        Port("hints", HINT_PLANES, -1.0, 1.0, "X, Y, V of the nearest hint, mask; X, Y, V diffused, nearness"),
        Port("z", Z_SIZE, -1.0, 1.0, "the colours: Generator.encode(reference), .imagine(seed), or by hand", True),
    ),
    output=Port("hxhysv", 4, -1.0, 1.0, "hue as a direction (two planes), saturation and value in 0..1"),
    multiple=16,
    working_size=128,
)

CONFIG: dict[str, Any] = {  # the compact flagship; weights files carry their own
    "widths": [32, 88, 264],
    "deep": 2,
    "octaves": 2,
    "hints": True,
    "correct": True,
    "direct": True,
    "temper": 1.0,
    "refine": 1.0,
    "encoder": [16, 32, 64, 64],
    "decoder": 64,
}
THESIS: dict[str, Any] = {"working_size": 256}  # the constructor's own defaults are the thesis' sizes


class Generator(nn.Module):
    """Sketch [N, 1, H, W], hints [N, 8, H, W] and Z [N, 64, 1, 1] -> HxHySV [N, 4, H, W]; sides a multiple of 16.

    widths: channels after the two encoder blocks and in the bottleneck; deep: residual blocks in the bottleneck; octaves:
    how often it halves the size; hints: whether the hint planes are seen; correct: whether the coarse picture of Z is added;
    encoder, decoder: channels of the Z encoder's blocks and of the Z decoder; direct: whether linear layers lead past both;
    working_size: of drawings, 0 for the card's; temper: the power of the hue's certainty that saturation is multiplied by;
    refine: above 0, it says which spread colours it takes, the nearest hint's or the diffused ones (else those), and corrects
    them, so many times as much as it says; trust: added to its own in the spread, and in the diffused of the two.
    """

    WIDENS = True

    def __init__(
        self,
        widths: tuple[int, ...] = (64, 128, 256),
        deep: int = 1,
        octaves: int = 1,
        hints: bool = False,
        correct: bool = False,
        encoder: tuple[int, ...] = (32, 64, 128, 224),
        decoder: int = 128,
        working_size: int = 0,
        direct: bool = False,
        temper: float = 0.0,
        refine: float = 0.0,
        trust: float = 0.0,
    ) -> None:
        super().__init__()
        modest = 0 < min(widths) <= max(widths) <= 1024 and 0 <= deep <= 16 and 1 <= octaves <= 4
        if not modest or len(encoder) > 6:
            raise ValueError("a size of the network is out of range")  # a file's config must not build a monster
        self.widths = first, second, third = tuple(widths)
        self.hints, self.correct, self.multiple, self.working_size = hints, correct, 2 ** (2 + octaves), working_size
        self.temper, self.refine, self.trust = temper, refine * hints, trust
        start = 1 + (HINT_PLANES if hints else 0)
        self.zencoder, self.zdecoder = ZEncoder(tuple(encoder), direct=direct), ZDecoder(decoder, direct)
        self.down1 = nn.Sequential(ResBlock(start, first, 2), ResBlock(first, first))
        self.down2 = nn.Sequential(ResBlock(first + 32, second, 2), ResBlock(second, second))
        self.up1 = nn.Sequential(
            ResBlock(second, third, 2),
            *[ResBlock(third, third, 2) for _ in range(octaves - 1)],
            *[ResBlock(third, third) for _ in range(deep)],
            *[Shuffle(third, third // 2) if i == 0 else Shuffle(third // 2, third // 2) for i in range(octaves)],
        )
        self.up2 = nn.Sequential(ResBlock(third // 2 + second, second), Shuffle(second, second // 2))
        self.up3 = nn.Sequential(ResBlock(second // 2 + first, first), Shuffle(first, first // 2))
        self.head = nn.Sequential(nn.Conv2d(first // 2 + start, first // 2, 3, 1, 1), nn.CELU())
        self.out = nn.Conv2d(first // 2, 4 + hints + 4 * (self.refine > 0), 3, 1, 1)
        if self.refine > 0:
            for parameter in self.out.parameters():  # no correction at first: what geometry gives is a good start
                parameter.data[5:] = 0
        self.bank = ZBank()

    def joined(self) -> Mapping[str, tuple[int, ...]]:
        """For each convolution whose input is several tensors joined: the channels of each (weights.adopt grows them apart)."""
        first, second, third = self.widths
        parts = {"down2.0": (first, 32), "up2.0": (third // 2, second), "up3.0": (second // 2, first)}
        blocks = {f"{name}.{end}.weight": sizes for name, sizes in parts.items() for end in ("conv1", "shortcut")}
        return blocks | {"head.0.weight": (first // 2, 1 + HINT_PLANES * self.hints)}

    def encode(self, reference: Tensor) -> Tensor:
        """Z [N, 64, 1, 1] of a reference [N, 4, H, W]: X, Y, V and where it is set (0..1); nothing set is legal."""
        return self.zencoder.forward(reference)

    def imagine(self, seed: int, varied: bool = True) -> Tensor:
        """Z [1, 64, 1, 1] for a seed, from the bank, of varied colours or as it comes."""
        return imagined(self.bank, self.zdecoder, seed) if varied else self.bank.draw(seed)

    def forward(self, sketch: Tensor, hints: Tensor, z: Tensor) -> Tensor:
        made = self.forward_with_extra(sketch, hints, z)[0]
        certainty = torch.sqrt(made[:, :2].square().sum(1, keepdim=True)).clamp(max=1.0)
        return torch.cat((made[:, :2], made[:, 2:3] * certainty**self.temper, made[:, 3:]), 1)

    def forward_with_extra(self, sketch: Tensor, hints: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and the extra output [N, 4, 8, 8], the Z decoder's coarse picture."""
        start = torch.cat((sketch, hints), 1) if self.hints else sketch
        coarse = self.zdecoder(z)
        one = self.down1(start)
        two = self.down2(torch.cat((one, F.interpolate(coarse, one.shape[-2:], mode="bilinear")), 1))
        x = self.up1(two)
        x = self.up2(torch.cat((x, two), 1))
        x = self.up3(torch.cat((x, one), 1))
        made = self.out(self.head(torch.cat((x, start), 1))).float()
        colours, trust, extra = made[:, :4], made[:, 4:], coarse[:, :4].float()
        if self.correct:
            colours = colours + F.interpolate(extra, made.shape[-2:], mode="bilinear")
        made = in_range(colours)
        return (spread.guided(made, trust, hints, self.refine, self.trust) if self.hints else made), in_range(extra)


class Discriminator(Verdict):
    """XYV [N, 3, H, W] -> one logit [N, 1] a picture, above 0 for real ones. 3.2 M parameters in the thesis' size."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 352)) -> None:
        super().__init__(3, widths)


# ---- training ------------------------------------------------------------------------------------------------------


class Recipe(BaseRecipe):
    """Phase "z": MSE(extra) alone, on references alone, which costs little: what Z means is known before the U-Net learns to
    use it (ours). "mse": MSE(y) + MSE(extra); "perceptual": 4 * MSE(y) + 2 * MSE(extra) + a perceptual loss (with `features`).

    NoGAN (Antic 2018) has its three phases: those train the generator alone, "judge" the discriminator alone, "gan" both
    (lambda 0.003); the last two have no share by default, as in the thesis' published model. Sketches, references and hints
    are made of the pictures (engine/imaging/sketch.py, references.py). Ours, and 0 or False for the thesis' way: `chroma`
    adds the squared error of the colours as they are seen, in which a wrong hue of a grey counts nothing, `distance` its mean
    length, which is least at a colour that is likely rather than at the grey between two that are; `under_lines` takes the
    lines out of the truth, as colours belong on a layer below them; a share of the pictures has no reference, a displaced
    one, or that of another picture with many hints, so that palettes are understood and hints obeyed.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "size": 128,  # pixels; 256 in the thesis
        "optimizer": "muon",  # "ranger": the thesis'
        "rate": 3e-3,  # the thesis' peak (Ranger); Adam's for what Muon does not train
        "muon_rate": 0.02,
        "later": 0.4,  # the rates' factor from the perceptual phase on
        "z": 0.2,  # shares of the training
        "perceptual": 0.2,
        "judge": 0.0,
        "gan": 0.0,
        "features": "",  # path of a feature network; "": the perceptual phase has its mean squares alone
        "lambda": 0.003,
        "chroma": 1.0,
        "distance": 2.0,
        "hue_floor": 0.1,  # weight of the hue's error where the truth is grey, growing to 1 with its saturation; 1: always 1
        "under_lines": True,
        "own": 0.45,  # shares of the pictures by their reference; the rest has none
        "displaced": 0.15,
        "foreign": 0.15,
        "painted": 0.1,  # and these have their hints as their reference, as drawings with hints have in use
        "hinted": 0.7,
        "rotate": 30.0,
        "warp": 0.2,
        "light": 0.1,
    }
    THESIS: ClassVar[Mapping[str, Any]] = {
        **{"size": 256, "optimizer": "ranger", "z": 0.0, "perceptual": 3 / 13, "chroma": 0.0, "hue_floor": 1.0},
        **{"distance": 0.0, "later": 1.0, "under_lines": False, "own": 1.0, "displaced": 0.0, "foreign": 0.0},
        **{"painted": 0.0, "hinted": 0.0},
    }
    crop = 256

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        assert isinstance(generator, Generator)
        self.net: Generator = generator
        self.discriminator = Discriminator() if self.options["judge"] + self.options["gan"] > 0 else None
        self._phase = ""
        self.features = Features(self.options["features"]) if self.options["features"] else None

    def phases(self) -> tuple[Phase, ...]:
        share = {name: self.options.get(name, 0.0) for name in ("z", "mse", "perceptual", "judge", "gan")}
        share["mse"] = 1 - sum(share.values())
        return tuple(Phase(name, part) for name, part in share.items() if part > 0)

    def nets(self) -> dict[str, nn.Module]:
        return super().nets() | ({"discriminator": self.discriminator} if self.discriminator is not None else {})

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        self._phase = phase.name  # the loop asks when a phase begins, before the phase's first batch
        factor = 1.0 if phase.name in ("z", "mse") else self.options["later"]
        rate, muon_rate = self.options["rate"] * factor, self.options["muon_rate"] * factor
        if self.options["optimizer"] == "ranger":
            return {name: Ranger(net.parameters(), rate) for name, net in self.nets().items()}
        # Linear layers by Muon too: Adam at this rate drives the Z encoder's tanh to its ends within some steps.
        return {name: Muon.of(net, muon_rate, rate, but="out.") for name, net in self.nets().items()}

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Squares of the pictures at twice the training size, turned and lit; sketches are drawn there, then all made small."""
        side, options = self.options["size"] // (2 if self._phase == "z" else 1), self.options
        size = 3 * size if self._phase == "z" else size
        crop = torch.randint(self.crop * 3 // 4, self.crop + 1, (), generator=rng)
        rgb = store.crops(size, int(crop), rng).float() / 255
        rgb = F.interpolate(rgb, (2 * side, 2 * side), mode="bilinear", align_corners=False, antialias=True)
        rgb = references.lit(references.turned(rgb, rng, options["rotate"], options["warp"]), rng, options["light"])
        return self.examples(rgb, rng)

    def shown(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Whole lessons in the phase "z" too."""
        phase, self._phase = self._phase, ""
        made, self._phase = self.batch(store, size, rng), phase
        return made

    def examples(self, rgb: Tensor, rng: torch.Generator) -> Batch:
        """A batch from pictures [N, 3, 2 * size, 2 * size] in [0, 1]."""
        if self._phase == "z":
            return references.palette_lesson(rgb, rng)
        shares = (self.options[name] for name in ("own", "displaced", "foreign", "hinted", "painted", "under_lines"))
        made = references.lesson(rgb, rng, *shares)
        return {k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in made.items()}

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        if moment.phase.name == "judge":
            with torch.no_grad():
                made = self.net(batch["sketch"], batch["hints"], self.net.encode(batch["reference"]))
            return self._judge(made, batch["truth"], update)
        z = self.net.encode(batch["reference"])
        weights = tuple(self.options[name] for name in ("hue_floor", "chroma", "distance"))
        if moment.phase.name == "z":
            coarse = colour_error(in_range(self.net.zdecoder(z)[:, :4]), batch["coarse"], *weights)
            update("generator", coarse)
            return {"extra": coarse.detach()}
        made, extra = self.net.forward_with_extra(batch["sketch"], batch["hints"], z)
        self.net.bank.remember(z.detach()[batch["own"]])
        scalars = self._judge(made.detach(), batch["truth"], update) if moment.phase.name == "gan" else {}
        with torch.autocast(made.device.type, enabled=False):
            pixels = colour_error(made, hsv.rgb_to_hxhysv(batch["truth"]), *weights)
            coarse = colour_error(extra, batch["coarse"], *weights)
        loss = pixels + coarse if moment.phase.name == "mse" else 4 * pixels + 2 * coarse
        if self.features is not None and moment.phase.name != "mse":
            xyv = self.features.space == "xyv"
            seen = hsv.hxhysv_to_xyv(made) if xyv else hsv.hxhysv_to_rgb(made)
            content, style = perceived(self.features, seen, hsv.rgb_to_xyv(batch["truth"]) if xyv else batch["truth"])
            loss = loss + content + style
            scalars |= {"content": content.detach(), "style": style.detach()}
        if moment.phase.name == "gan" and self.discriminator is not None:
            loss = loss - self.options["lambda"] * self.discriminator(hsv.hxhysv_to_xyv(made)).float().mean()
        update("generator", loss)
        return {"loss": loss.detach(), "mse": pixels.detach(), "extra": coarse.detach(), **scalars}

    def _judge(self, made: Tensor, rgb: Tensor, update: Update) -> dict[str, Tensor]:
        """One step of the discriminator on as many real as made pictures."""
        assert self.discriminator is not None
        real = self.discriminator(hsv.rgb_to_xyv(rgb)).float()
        fake = self.discriminator(hsv.hxhysv_to_xyv(made)).float()
        loss = real_or_fake(real, True) + real_or_fake(fake, False)
        update("discriminator", loss)
        counts = {"real_real": real > 0, "real_fake": real <= 0, "fake_real": fake > 0, "fake_fake": fake <= 0}
        return {"d": loss.detach() / 2, **{f"confusion/{k}": v.sum().float() for k, v in counts.items()}}

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """Sketch with its hints, reference, result under the lines, truth."""
        lines, painted, reference = batch["sketch"], batch["hints"][:, :4], batch["reference"]
        made = references.coloured(generator, lines, batch["hints"], reference)
        dotted = torch.lerp(lines.expand(-1, 3, -1, -1), hsv.xyv_to_rgb(painted[:, :3]), painted[:, 3:4])
        shown = 1 - (1 - hsv.xyv_to_rgb(reference[:, :3])) * reference[:, 3:4]
        return torch.cat((dotted, F.interpolate(shown, made.shape[-2:]), made * lines, batch["truth"] * lines), 3)

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """What references.examined() measures, on average."""
        rng, paint = torch.Generator().manual_seed(0), partial(references.coloured, generator)
        figures = [
            references.examined(paint, store.picture(index), self.options["size"], rng) for index in range(len(store))
        ]
        return {name: sum(f[name] for f in figures) / len(figures) for name in figures[0]}
