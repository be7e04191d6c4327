"""Zhang 2021, ECBSR, and Ding 2021, RepVGG (no thesis asks for it): a plain, small enlarger x4 for processors.

3x3 convolutions in a row and nothing between them that costs time, as the winners of the NTIRE challenges for efficient
super-resolution have it. Every layer is trained as branches and runs as one convolution (nn/branched.py); what is added is
the bicubic enlargement, as in `srgan`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from engine.generators.base import Card, Port
from engine.nn.blocks import added, checked_limit, conv, enlarged_by, limited
from engine.nn.branched import Branched
from engine.train.fidelity import SCALE, Fidelity

CARD = Card(
    name="swift",
    task="upscale",
    title="Quick photo enlarger x4",
    paper="Zhang et al. 2021, Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices",
    thesis="none",
    inputs=(Port("rgb", 3, 0.0, 1.0, "the picture, sRGB, gamma-encoded"),),
    output=Port("rgb", 3, 0.0, 1.0, "the picture four times larger; values may overshoot a little: clamp them"),
    scale=SCALE,
    tiled=True,
)

CONFIG: dict[str, Any] = {"channels": 32, "layers": 13}


class Generator(nn.Module):
    """[N, 3, H, W] in [0, 1] -> [N, 3, 4H, 4W], about [0, 1].

    channels: width of every layer. layers: convolutions between the first and the last. limit: what comes out of them stays
    within -limit..limit, 0 for no limit; chosen after training, above what photographs reach, so that noise and checks, which
    no training showed, are not answered with many times white.
    """

    # In files of few bits: it makes the 4x4 places, and its errors would be a pattern over the picture.
    FINE = ("tail",)

    def __init__(self, channels: int = 32, layers: int = 13, limit: float = 0.0) -> None:
        super().__init__()
        self.limit = checked_limit(limit)
        self.head = conv(3, channels)
        self.body = nn.ModuleList(Branched(channels) for _ in range(layers))
        self.slopes = nn.ModuleList(nn.PReLU(channels) for _ in range(layers))
        self.tail = conv(channels, 3 * SCALE**2)
        with torch.no_grad():  # training starts from the bicubic enlargement
            self.tail.weight *= 0.1
            self.tail.bias.zero_()  # type: ignore[union-attr]

    def halo(self) -> int:
        """Input pixels around a tile that its output depends on: the radius of the receptive field."""
        return max(2 + len(self.body), 3)  # 3: the bicubic skip

    def forward(self, rgb: Tensor) -> Tensor:
        x = first = self.head(rgb - 0.5)
        for layer, act in zip(self.body, self.slopes, strict=True):
            x = act(layer(x))
        return enlarged_by(rgb, self.tail(added(first, limited(x, self.limit))), SCALE)


class Recipe(Fidelity):
    """By fidelity alone; the branches go to Muon as matrices, as the kernels do."""

    def hidden(self, name: str, parameter: nn.Parameter) -> bool:
        return parameter.ndim > 1 and name.startswith("body")
