"""Ledig 2017, SRGAN, and the UNLP 2020 thesis (section 5): four times larger, with detail instead of blur.

`Generator(**THESIS)` is the thesis' own network (9x9 ends, 16 blocks with batch norm, nearest upsampling, tanh);
`**PAPER` has the paper's pixel shuffle instead. `CONFIG`, the compact flagship for CPUs, differs by configuration only:
no batch norm and 3x3 ends (EDSR, Lim 2017), pixel attention, all four-fold enlargement in the last convolution, and the bicubic
enlargement added to the output, so that the network learns only what bicubic lacks. The losses differ too: see Recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.imaging.hsv import rgb_to_xyv
from engine.nn.blocks import Nearest, added, checked_limit, conv, enlarged_by, in_place, limited, normalization
from engine.nn.losses import flatness, real_or_fake
from engine.nn.perceptual import Features, perceptual
from engine.train.fidelity import SCALE, Fidelity
from engine.train.recipe import Batch, Moment, Phase, Update

CARD = Card(
    name="srgan",
    task="upscale",
    title="Photo enlarger x4 (SRGAN)",
    paper="Ledig et al. 2017, Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network",
    thesis="UNLP 2020: super-resolution with generative adversarial networks",
    inputs=(Port("rgb", 3, 0.0, 1.0, "the picture, sRGB, gamma-encoded"),),
    output=Port("rgb", 3, 0.0, 1.0, "the picture four times larger; values may overshoot a little: clamp them"),
    scale=SCALE,
    tiled=True,
    mixed=("psnr", "gan"),
)

# The compact flagship. Weights files carry their own config.
CONFIG: dict[str, Any] = {
    "channels": 48,
    "blocks": 8,
    "norm": "none",
    "kernel": 3,
    "upsampling": "direct",
    "skip": True,
    "attention": True,
    "limit": 8.0,
}
THESIS: dict[str, Any] = {
    "channels": 64,
    "blocks": 16,
    "norm": "batch",
    "kernel": 9,
    "upsampling": "nearest",
    "skip": False,
    "attention": False,
    "limit": 0.0,
}
PAPER: dict[str, Any] = {**THESIS, "upsampling": "shuffle"}


class _Block(nn.Module):
    """[N, C, H, W] -> the same: conv, norm, PReLU, conv, norm, added to its input.

    attention: pixel attention (Zhao 2020, PAN) before the second convolution, scaled so that an empty gate changes nothing.
    limit: the sum stays within -limit..limit, 0 for no limit. Block after block multiplies what training never showed (strong
    noise, checks); photographs stay below 7 in the weights that ship.
    """

    FOLDS = (("conv1", "norm1"), ("conv2", "norm2"))

    def __init__(self, channels: int, kind: str, attention: bool = False, limit: float = 0.0) -> None:
        super().__init__()
        self.limit = checked_limit(limit)
        self.gate = conv(channels, channels, 1) if attention else None
        self.conv1, self.norm1 = conv(channels, channels), normalization(kind, channels)
        self.act = nn.PReLU(channels)
        self.conv2, self.norm2 = conv(channels, channels), normalization(kind, channels)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.act(self.norm1(self.conv1(x)))
        if self.gate is not None:
            inner = inner * (2 * torch.sigmoid(self.gate(x)))
        return limited(added(x, self.norm2(self.conv2(inner))), self.limit)


class Generator(nn.Module):
    """[N, 3, H, W] in [0, 1] -> [N, 3, 4H, 4W], about [0, 1].

    channels: width of every layer. blocks: residual blocks. norm: "batch" or "none". kernel: side of the first and
    last convolutions. upsampling: "nearest" (thesis: twice nearest x2 and a convolution), "shuffle" (paper: twice a
    convolution and pixel shuffle x2) or "direct" (the last convolution makes all 4x4 pixels). skip: add the bicubic
    enlargement, otherwise end in tanh as the thesis does. attention and limit: see _Block.
    """

    FOLDS = (("body_conv", "body_norm"),)
    WIDENS = True
    # In files of few bits: it makes the 4x4 places, and its errors would be a pattern over the picture.
    FINE = ("tail",)

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 16,
        norm: str = "batch",
        kernel: int = 9,
        upsampling: str = "nearest",
        skip: bool = False,
        attention: bool = False,
        limit: float = 0.0,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, not {kernel}")
        self.upsampling, self.skip, self.kernel = upsampling, skip, kernel
        self.head, self.head_act = conv(3, channels, kernel), nn.PReLU(channels)
        self.body = nn.Sequential(*[_Block(channels, norm, attention, limit) for _ in range(blocks)])
        self.body_conv, self.body_norm = conv(channels, channels), normalization(norm, channels)
        grow: list[nn.Module] = []
        for _ in range(0 if upsampling == "direct" else 2):
            if upsampling == "nearest":
                # The thesis gives these convolutions 256 filters whatever follows; so does the width here scale.
                grow += [Nearest(2), conv(channels if not grow else 4 * channels, 4 * channels), nn.PReLU(4 * channels)]
            elif upsampling == "shuffle":
                grow += [conv(channels, 4 * channels), nn.PixelShuffle(2), nn.PReLU(channels)]
            else:
                raise ValueError(f"there is no upsampling called {upsampling!r}: nearest, shuffle or direct")
        self.grow = nn.Sequential(*grow)
        last = 4 * channels if upsampling == "nearest" else channels
        self.tail = conv(last, 3 * SCALE**2 if upsampling == "direct" else 3, kernel)
        self._start_at_bicubic()

    def _start_at_bicubic(self) -> None:
        """Empty residual branches and gates and, with the skip, a small tail: training starts from the bicubic enlargement,
        and a trained network that gets more blocks or attention starts from what it could.
        """
        with torch.no_grad():
            for block in self.body:
                if block.gate is not None:
                    block.gate.weight.zero_()  # type: ignore[operator, union-attr]
                    block.gate.bias.zero_()  # type: ignore[operator, union-attr]
                last = block.conv2 if isinstance(block.norm2, nn.Identity) else block.norm2
                last.weight.zero_()  # type: ignore[operator, union-attr]
                last.bias.zero_()  # type: ignore[operator, union-attr]
            if self.skip:
                self.tail.weight *= 0.1
                self.tail.bias.zero_()  # type: ignore[union-attr]

    def halo(self) -> int:
        """Input pixels around a tile that its output depends on: the radius of the receptive field."""
        radius = self.kernel // 2  # counted from the output inwards, in pixels of the size reached
        if self.upsampling == "nearest":
            for _ in range(2):
                radius = -(-(radius + 1) // 2)
        elif self.upsampling == "shuffle":
            for _ in range(2):
                radius = -(-radius // 2) + 1
        radius += 1 + 2 * len(self.body) + self.kernel // 2
        return max(radius, 3)  # 3: the bicubic skip, where the network is tiny

    def forward(self, rgb: Tensor) -> Tensor:
        # With the skip, inputs are centred and the output is a correction; without it, tanh as in the thesis.
        first = self.head_act(self.head(rgb - 0.5 if self.skip else 2 * rgb - 1))
        x = first
        if in_place():
            # Results are summed up in float32 under autocast too: roundings at every block would add up.
            first = first.float()
            x = first.clone()  # the blocks add in place
        x = first + self.body_norm(self.body_conv(self.body(x)))
        x = self.tail(self.grow(x))
        if self.skip:
            return enlarged_by(rgb, x, SCALE)
        if self.upsampling == "direct":
            x = F.pixel_shuffle(x, SCALE)
        return (torch.tanh(x) + 1) / 2


class Discriminator(nn.Module):
    """[N, 3, size, size] in [0, 1] -> [N, 1] logits (real above 0). Thesis: channels 64, dense 1024, size 256."""

    def __init__(self, channels: int = 64, dense: int = 1024, size: int = 256) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for index in range(8):
            outputs = channels * 2 ** (index // 2)
            layers += [conv(inputs, outputs, 3, 1 + index % 2)]
            layers += [nn.BatchNorm2d(outputs)] if index else []
            layers += [nn.LeakyReLU(0.2)]
            inputs = outputs
        side = -(-size // 16)
        layers += [nn.Flatten(), nn.Linear(inputs * side * side, dense), nn.LeakyReLU(0.2), nn.Linear(dense, 1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, rgb: Tensor) -> Tensor:
        result: Tensor = self.layers(2 * rgb - 1)
        return result


class Recipe(Fidelity):
    """Phase "psnr": see Fidelity.

    Phase "gan" (with --set gan=SHARE; 1 goes on from weights given to --finetune): the paper's loss, that is the content,
    mean squares of pixels and (with --set features=FILE) of a frozen network's features, plus 1e-3 times the adversarial
    loss. Weights trained so are tagged "gan"; the task mixes them with "psnr" ones of the same config.

    Features and discriminator judge another part of the patches at each step (`moved`). Always at the same place, the grids
    of their strides come to lie on that of the pixel shuffle, and are learned: checks every two and four pixels.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        **Fidelity.OPTIONS,
        "gan": 0.0,  # share of the training in the phase "gan"; 0 trains for fidelity alone
        "gan_lr": 1e-4,
        "adversarial": 1e-3,
        "features": "",  # SqueezeNet's file or one of `pincel train features`; "" compares pixels alone
        "feature_weight": 0.02,  # of all four maps together; they are scaled to a mean square of 1
        "moved": 8,  # pixels by which the part that is judged moves about; what it needs is taken off the patch
        "calm": 0.3,  # weight of the absolute difference where the truth is flat, against dots and unevenness there
        "discriminator": 64,  # filters of the first level, and width of the dense layer: the thesis' numbers
        "dense": 1024,
    }
    THESIS: ClassVar[Mapping[str, Any]] = {"gan": 1.0, "patch": 64, "calm": 0.0, "moved": 0}

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        self.discriminator: Discriminator | None = None
        self.features: Features | None = None
        if self.options["gan"] > 0:
            self.side = self.crop - self.options["moved"]
            if not 0 <= self.options["moved"] <= self.crop // 2:
                raise ValueError(
                    f"moved must be 0 to {self.crop // 2}, half of the patch's side, not {self.options['moved']}"
                )
            self.discriminator = Discriminator(self.options["discriminator"], self.options["dense"], self.side)
            self.features = Features(self.options["features"]) if self.options["features"] else None

    def phases(self) -> tuple[Phase, ...]:
        share = self.options["gan"]
        both = (Phase("psnr", 1 - share), Phase("gan", share))
        return tuple(p for p in both if p.share > 0)

    def nets(self) -> dict[str, nn.Module]:
        return super().nets() | ({"discriminator": self.discriminator} if self.discriminator is not None else {})

    def hidden(self, name: str, parameter: nn.Parameter) -> bool:
        # Not the gates: Muon's steps are of one length however small the gradient, and drive them into saturation.
        return super().hidden(name, parameter) and ".gate." not in name

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        if phase.name == "psnr" or self.discriminator is None:
            return super().optimizers(phase)
        rate = self.options["gan_lr"]
        both = {"generator": self.generator, "discriminator": self.discriminator}
        return {name: torch.optim.Adam(net.parameters(), rate, betas=(0.9, 0.99)) for name, net in both.items()}

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        if moment.phase.name == "psnr" or self.discriminator is None:
            return super().step(batch, update, moment)
        top, left = torch.randint(self.options["moved"] + 1, (2,)).tolist()
        part = (..., slice(top, top + self.side), slice(left, left + self.side))
        truth, result = batch["truth"][part], self.generator(batch["low"])[part]
        real, fake = self.discriminator(truth), self.discriminator(result.detach())
        judged = real_or_fake(real.float(), True) + real_or_fake(fake.float(), False)
        update("discriminator", judged)
        fooled = real_or_fake(self.discriminator(result).float(), True)
        scalars = {"pixels": (result.float() - truth).square().mean()}
        content = scalars["pixels"]
        if self.options["calm"] > 0:
            scalars["calm"] = (flatness(truth) * (result.float() - truth).abs()).mean()
            content = content + self.options["calm"] * scalars["calm"]
        if self.features is not None:
            shown = (result.float().clamp(0, 1), truth)
            if self.features.space == "xyv":
                shown = (rgb_to_xyv(shown[0]), rgb_to_xyv(truth))
            scalars["features"] = perceptual(*self.features.pair(*shown), (0.25,) * 4, squares=True)
            content = content + self.options["feature_weight"] * scalars["features"]
        update("generator", content + self.options["adversarial"] * fooled)
        scalars |= {"adversarial": fooled, "discriminator": judged}
        return {name: value.detach() for name, value in scalars.items()}
