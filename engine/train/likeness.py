"""How near pictures from noise are to a set that was never trained on, while they are learned. Generators may import this."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.nn.perceptual import Features
from engine.train.metrics import frechet
from engine.train.metrics.chroma import chroma

AT_ONCE = 16


@torch.no_grad()
def likeness(generator: nn.Module, latent: int, real: Tensor, features: Features) -> dict[str, float]:
    """The Frechet distance of as many pictures by fixed vectors from real ones [N, 3, S, S] in [0, 1]; both means of chroma.

    What a net draws smaller is enlarged smoothly to S pixels first: so the figures of all sizes compare.
    """
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(len(real), latent, 1, 1, generator=rng).to(real.device)
    made = torch.cat([generator(some).float() for some in vectors.split(AT_ONCE)])
    side = made.shape[-1]
    if side != real.shape[-1]:
        made = F.interpolate(made, real.shape[-2:], mode="bilinear", align_corners=False)
    made = made.clamp(0, 1)
    figures = {"chroma": chroma(made), "chroma_truth": chroma(real), "side": float(side)}
    if len(real) > 1:
        figures["frechet"] = frechet.distance(*(frechet.vectors(features, pictures) for pictures in (made, real)))
    return figures
