"""Goodfellow 2014 / Isola 2017 in YUV: the Coruña 2020 thesis (section 1), a conditional GAN that paints old photographs.

The grey photograph is the Y of the result; the network predicts only U and V from Y, Gaussian noise and colour hints.
`Generator()` is the thesis' own network for 256x256 (64 filters, doubling, stride-2 convolutions, transposed
convolutions, dropout in the first up blocks). Where `CONFIG`, the compact flagship for CPUs, differs from it, by
configuration only:

* three more input planes, the hints (U, V, mask): the thesis has none (both networks here take them);
* bilinear upsampling and 3x3 convolutions, not transposed ones (no checkerboards); the input joins the last one again;
* residual blocks in the deeper levels, and a global context (mean of the deepest level through a small dense network,
  as in Iizuka 2016), which let a small network see what the picture shows;
* the noise enters once more at the deepest level, as block means of unit variance, so that a seed can change the
  colour of a whole object and not only the grain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.imaging import colour, resize
from engine.imaging.hints import simulate, smaller
from engine.imaging.painting import scores, with_luma
from engine.imaging.views import averaged, smaller_noise
from engine.nn.colour_losses import ab_distance, colour_bins, coupled, rarity
from engine.nn.losses import real_or_fake
from engine.nn.optim import Muon
from engine.nn.patchgan import PatchGAN
from engine.nn.squeezenet import SqueezeNet, follow, imitation
from engine.nn.unet import UNet
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase, Update, shared

if TYPE_CHECKING:
    from engine.train.data import PictureStore

IN_CHANNELS = 5  # y, noise, hint u, hint v, hint mask
# V - U in the networks' scale, over blocks of a third of a picture: measured on 730 training photographs.
WARMTH_MEAN, WARMTH_DEVIATION = 0.12, 0.21

CARD = Card(
    name="yuv_cgan",
    task="colorize",
    title="Photo colorizer (YUV conditional GAN)",
    paper="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks",
    thesis="A Coruña 2020: colorizing old photographs with a conditional GAN in YUV",
    inputs=(
        Port("y", 1, 0.0, 1.0, "luma of the photograph, BT.601, gamma-encoded"),
        Port("noise", 1, -6.0, 6.0, "Gaussian noise of mean 0 and deviation 1, made from the seed"),
        Port("hints", 3, -1.0, 1.0, "the artist's colours: U/0.436 and V/0.615 where the mask (0 to 1) is set, else 0"),
    ),
    output=Port("uv", 2, -1.0, 1.0, "chroma of the result: U/0.436 and V/0.615"),
    multiple=32,
    working_size=96,
)

THESIS: dict[str, object] = {"working_size": 256}  # and the defaults of Generator

# The compact flagship. Weights files carry their own config; this is the one that the shipped file was trained with.
CONFIG: dict[str, object] = {
    "base": 32,
    "depth": 5,
    "max_filters": 256,
    "upsample": "bilinear",
    "residual": [0, 1, 2, 3, 1],
    "dropout": 0.0,
    "context": True,
    "still": True,
}


class Generator(UNet):
    """Y, noise and hints -> U and V. Every size is a parameter of UNet; the defaults are the thesis' network.

    saturation and temperature: factors on the output (but near hints) and on the noise (the truncation trick of Brock 2018);
    views: outside training the result is the mean of looks at these shares of the picture's size, every second one at its
    mirror image. All chosen after training on validation pictures that were set aside from the training set.
    working_size: the shortest side that the task gives it; 0: the card's.
    still: it has learned to do without noise, too (`still` of the recipe), and seed 0 gives it none: its best guess.
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
        saturation: float = 1.0,
        temperature: float = 1.0,
        working_size: int = 0,
        views: Sequence[float] = (1.0,),
        still: bool = False,
    ) -> None:
        super().__init__(
            IN_CHANNELS, 2, base, depth, max_filters, upsample, residual, dropout, context, deep_noise=True
        )
        self.saturation, self.temperature, self.working_size = saturation, temperature, working_size
        self.views, self.still = tuple(views), still

    def forward(self, y: Tensor, noise: Tensor, hints: Tensor) -> Tensor:
        """y [N, 1, H, W] in [0, 1], noise [N, 1, H, W], hints [N, 3, H, W] in [-1, 1] -> uv [N, 2, H, W] in [-1, 1]."""
        inputs = ((y, resize.bilinear), (noise, partial(smaller_noise, block=self.multiple)), (hints, smaller))
        views = (1.0,) if self.training else self.views
        made = averaged(lambda *seen: self.forward_with_levels(*seen)[0], inputs, views, self.multiple)
        # Saturation makes up for doubt. About an artist's colour there is none: near hints it stays as the network gives it.
        near = F.max_pool2d(F.max_pool2d(hints[:, 2:], (17, 1), 1, (8, 0)), (1, 17), 1, (0, 8))
        near = F.avg_pool2d(near, 17, 1, 8, count_include_pad=False)
        return (made * (self.saturation + (1.0 - self.saturation) * near)).clamp(-1.0, 1.0)

    def forward_with_levels(self, y: Tensor, noise: Tensor, hints: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Chroma as it was learned, before mirror and saturation, and the levels as UNet.pass_through gives them."""
        noise = noise * self.temperature
        # The mean of multiple x multiple normal values has deviation 1/multiple.
        deep = F.avg_pool2d(noise, self.multiple) * self.multiple
        made, levels = self.pass_through(torch.cat((2.0 * y - 1.0, noise, hints), 1), deep)
        return torch.tanh(made.float()), levels


class Discriminator(PatchGAN):
    """Conditional PatchGAN: uv [N, 2, H, W] in [-1, 1] and y [N, 1, H, W] in [0, 1] -> logits, high for real chroma.

    As the thesis builds it: 3x3 convolutions; 30x30 logits for 256x256, each of which sees 31x31 pixels.
    """

    def __init__(self, base: int = 64) -> None:
        super().__init__(3, (base, 2 * base, 4 * base), kernel=3, last_padding=(0, 0))

    def forward(self, uv: Tensor, y: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(torch.cat((uv, 2.0 * y - 1.0), 1))


# ---- training ------------------------------------------------------------------------------------------------------


class Recipe(BaseRecipe):
    """The thesis' losses after a regression start (NoGAN, Antic 2018), for few cores and little time.

    With `--thesis` it is the thesis' own: BCE + 5*L1 + 5*L2 on UV from the first step on, at 256 pixels. By default:

    Phases "small" and "large" regress the chroma at two sizes: the Euclidean distance in Lab's ab plane, weighted by
    how rare the true colour is (against the brown veil, as Zhang 2016 rebalances), plus the thesis' 5*L1 + 5*L2 on UV.
    With a teacher (the path of SqueezeNet's weights) the deeper levels also learn to predict its features of the colour
    picture, so that the net sees what things are. Phase "gan" adds the discriminator: BCE, flipped labels in its first
    part, instance noise that decays.

    From "large" on the noise stands for something that the grey picture cannot tell: its block means are correlated with
    how warm the true colours are there (a conditional VAE without an encoder): another seed, a warmer or cooler choice.
    But what tells the truth in training tells nothing afterwards: trained with all pictures coupled, a network had an ab error
    of 15.4 with such noise and of 16.6 with any other. So the `still` share of the pictures has no noise, nor has seed 0.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "shares": [0.5, 0.33, 0.17],  # of the training: "small", "large", "gan"
        "crop": 160,  # pictures with a shorter side are left out
        "view": 0.3,  # smallest share of a picture's area that is seen at once
        "small": 64,  # training sizes in pixels
        "large": 96,
        "rate": 2e-3,  # of AdamW
        "muon_rate": 0.02,  # in the regression, for all layers but the outermost; 0: AdamW for all
        "gan_rate": 2e-4,
        "decay": 0.02,
        "rebalance": 0.5,  # 0: every colour counts the same; 1: the full weights of Zhang 2016
        "lab": 0.05,  # weight of the distance in Lab's ab plane
        "pixels": 0.2,  # weight of l1 * L1 + l2 * L2
        "l1": 5.0,
        "l2": 5.0,
        "adversarial": 0.02,
        "flip_until": 0.1,  # of the phase: real = 0 and fake = 1 until then
        "instance_noise": 0.1,
        "coupling": 0.3,  # correlation of the noise's block means with the truth's warmth
        "still": 0.5,  # share of samples without noise
        "hinted": 0.5,  # share of samples with hints
        "gamma": 0.15,  # deviation of the logarithm of a random gamma: old prints differ in contrast
        "teacher": "",
        "distil": 0.3,
        "discriminator": 48,  # base filters
    }
    THESIS: ClassVar[Mapping[str, Any]] = {
        **{"shares": [0, 0, 1], "large": 256, "lab": 0.0, "pixels": 1.0, "adversarial": 1.0, "discriminator": 64},
        **{"rebalance": 0.0, "coupling": 0.0, "still": 0.0, "hinted": 0.0, "gamma": 0.0, "decay": 0.0},
        **{"crop": 256, "view": 0.8},
    }

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        self.crop = self.options["crop"]
        assert isinstance(generator, Generator)
        self.net: Generator = generator
        used = [phase.name for phase in self.phases() if phase.name != "gan"]
        self.net.check_sides(**{name: self.options[name] for name in (*used, "large")})
        self.discriminator = Discriminator(self.options["discriminator"])
        self.rarity: Tensor | None = None  # made from the pictures when the first batch is
        self.teacher: SqueezeNet | None = None
        self.students = nn.ModuleList()
        if self.options["teacher"]:
            self.teacher = SqueezeNet(self.options["teacher"], ("fire5", "fire9"))
            for level, features in ((2, 256), (3, 512)):
                self.students.append(nn.Conv2d(self.net.sizes[level], features, 1))

    def phases(self) -> tuple[Phase, ...]:
        return shared(("small", "large", "gan"), self.options["shares"])

    def nets(self) -> dict[str, nn.Module]:
        nets = {"generator": self.generator, "discriminator": self.discriminator}
        return {**nets, "students": self.students} if self.teacher else nets

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        share = 0.5 if phase.name == "large" else 1.0
        rate = self.options["gan_rate" if phase.name == "gan" else "rate"] * share
        betas, decay = (0.5 if phase.name == "gan" else 0.9, 0.99), self.options["decay"]
        made: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.AdamW(net.parameters(), rate, betas, weight_decay=decay)
            for name, net in self.nets().items()
        }
        if phase.name != "gan" and self.options["muon_rate"]:
            made["generator"] = Muon.inside(self.net, self.options["muon_rate"] * share, adam_lr=rate)
        self._students_optimizer = made.get("students")
        return made

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Whole pictures or parts of them at the large training size."""
        if self.rarity is None:
            fixed = torch.Generator().manual_seed(0)
            seen = torch.cat([store.views(32, 32, fixed, 0.5) for _ in range(16)])
            bins = colour_bins(colour.scale_uv(colour.rgb_to_yuv(seen)[:, 1:]))
            self.rarity = rarity(bins, self.options["rebalance"])
        large = self.options["large"]
        rgb = store.views(size, large, rng, self.options["view"])
        uv = colour.scale_uv(colour.rgb_to_yuv(rgb)[:, 1:])
        noise = torch.randn(size, 1, large, large, generator=rng)
        noise = (noise * (torch.rand(size, 1, 1, 1, generator=rng) >= self.options["still"])).to(rgb.device)
        gamma = torch.exp(torch.randn(size, 1, 1, 1, generator=rng) * self.options["gamma"]).to(rgb.device)
        hinted = simulate(uv.cpu(), rng, self.options["hinted"]).to(rgb.device)
        return {"rgb": rgb, "noise": noise, "gamma": gamma, "hints": hinted}

    def _inputs(self, batch: Batch, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """rgb, y as the net sees it (a random gamma: old prints differ in contrast), true uv, noise, hints; at `size`."""
        rgb, noise, planes = batch["rgb"], batch["noise"][:, :, :size, :size], batch["hints"]
        if size != rgb.shape[-1]:
            rgb = F.interpolate(rgb, size=(size, size), mode="area")
            planes = smaller(planes, size, size)
        yuv = colour.rgb_to_yuv(rgb)
        return rgb, yuv[:, :1].clamp(0, 1) ** batch["gamma"], colour.scale_uv(yuv[:, 1:]), noise, planes

    def _coupled(self, noise: Tensor, uv: Tensor) -> Tensor:
        """The noise, where there is any, with block means (as the deepest level sees them) that lean to the truth's warmth."""
        warmth = (uv[:, 1:] - uv[:, :1] - WARMTH_MEAN) / WARMTH_DEVIATION
        made = coupled(noise, warmth, 2**self.net.depth, self.options["coupling"])
        return made * noise.abs().amax((1, 2, 3), keepdim=True).sign()

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        if moment.phase.name == "gan":
            return self._gan_step(batch, update, moment)
        rgb, y, uv, noise, planes = self._inputs(batch, self.options[moment.phase.name])
        if moment.phase.name == "large":
            noise = self._coupled(noise, uv)
        made, levels = self.net.forward_with_levels(y, noise, planes)
        loss, scalars = self._regression(rgb, made, uv)
        if self.teacher:
            distilled = imitation(self.teacher, self.students, batch["rgb"], levels[2:4])
            loss, scalars["distil"] = loss + self.options["distil"] * distilled, distilled.detach()
        follow(self._students_optimizer, update("generator", loss))
        return scalars

    def _regression(self, rgb: Tensor, made: Tensor, uv: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.autocast(rgb.device.type, enabled=False):
            full = torch.cat((colour.luma(rgb), colour.unscale_uv(made)), 1)
            painted, truth = (colour.rgb_to_lab(x.clamp(0, 1))[:, 1:] for x in (colour.yuv_to_rgb(full), rgb))
            distance = ab_distance(painted, truth)
            weight = 1.0 if self.rarity is None else self.rarity[colour_bins(uv)]
            pixels = self.options["l1"] * (made - uv).abs().mean() + self.options["l2"] * (made - uv).square().mean()
            loss = self.options["lab"] * (distance * weight).mean() + self.options["pixels"] * pixels
            ratio = painted.detach().norm(dim=1).mean() / truth.norm(dim=1).mean()
        return loss, {"ab_error": distance.mean().detach(), "chroma": ratio, "uv": pixels.detach()}

    def _gan_step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        rgb, y, uv, noise, planes = self._inputs(batch, self.options["large"])
        made = self.net.forward_with_levels(y, self._coupled(noise, uv), planes)[0]
        blur = self.options["instance_noise"] * (1.0 - moment.phase_progress)

        def judge(chroma: Tensor, real: bool) -> Tensor:
            return real_or_fake(self.discriminator(chroma + blur * torch.randn_like(chroma), y).float(), real)

        right = moment.phase_progress >= self.options["flip_until"]
        loss_d = judge(uv, right) + judge(made.detach(), not right)
        update("discriminator", loss_d)
        loss, scalars = self._regression(rgb, made, uv)
        fooled = judge(made, right)
        update("generator", loss + self.options["adversarial"] * fooled)
        return {**scalars, "d": loss_d.detach() / 2, "fooled": fooled.detach()}

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """Rows of grey, hints' mask, result, truth."""
        rgb, _, _, noise, planes = self._inputs(batch, self.options["large"])
        y = colour.luma(rgb)
        made = with_luma(y, colour.unscale_uv(generator(y, noise, planes).float()))
        grey = y.expand(-1, 3, -1, -1)
        return torch.cat((grey, (grey + planes[:, 2:]).clamp(0, 1), made, rgb), 3)

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """Without hints and with seed 0's noise, on centred squares: painting.scores."""
        size = self.options["large"]
        noise = torch.randn(1, 1, size, size, generator=torch.Generator().manual_seed(0)).to(store.device)
        noise *= not self.net.still
        none = torch.zeros(1, 3, size, size, device=store.device)

        def paint(y: Tensor) -> Tensor:
            return with_luma(y, colour.unscale_uv(generator(y, noise, none).float()))

        return scores((store.picture(i) for i in range(len(store))), size, paint)
