"""Generate: new pictures from noise. The seed is the noise, so the same seed always draws the same picture.

Each picture is drawn by itself, so that it is the same alone and among others. Sizes above the network's own are made by the
upscale network, which draws lines sharper than a resampling filter; smaller ones by an anti-aliased filter.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import WeightsNotFinite
from engine.client.options import SEED_MAX
from engine.imaging import resize
from engine.store.cache import Model, ModelCache
from engine.tasks import convert, upscale
from engine.tasks.base import Picture, Reporter, TaskResult


def run(values: dict[str, Any], models: ModelCache, reporter: Reporter) -> TaskResult:
    """Draw values["count"] pictures, 8 bits a channel, square, grey or RGB as the network makes them.

    Picture n is that of the seed + n; with a spread below 1 it lies that share of the way from the seed's to it (picture 0 is
    the seed's own); with to_seed the pictures lead from the seed's to that one's in equal steps, or the spread's share of
    the way (the declaration refuses a way of one picture).
    """
    count, size = values["count"], values["size"]
    ways = _ways(values)
    reporter.plan = {"load": 20, "draw": count, "net": 0 if size is None else 10 * count}
    with reporter.phase("load"):
        model = models.get("generate", values["generator"])
        size = size or model.size
        larger = models.get("upscale", "auto", wanted=["drawing"]) if size > model.size else None
    notices: list[str] = []
    pictures = []
    with reporter.phase("draw", count) as done:
        drawn = []
        for number, (seed, other, share) in enumerate(ways, 1):
            drawn.append(_draw(model, between(_latent(model, seed), _latent(model, other), share)))
            done(number)
    for values01 in drawn:
        if size < model.size:
            values01 = resize.bicubic(values01, size, size)
        picture = Picture(convert.samples(values01, np.dtype(np.uint8), linear=False))
        if larger is not None:
            picture = upscale.enlarged(picture, size, size, larger, reporter, notices)
        pictures.append(picture)
    plain = values["to_seed"] is None and values["spread"] == 1
    info = model.info() | {
        "seeds": [other if plain else seed for seed, other, _ in ways],
        "seconds": reporter.seconds,
        "notices": notices,
        "size": [size, size],
    }
    if not plain:
        info["towards"] = [[other, share] for _, other, share in ways]
    if larger is not None:
        info["enlarged_by"] = larger.info()
    return TaskResult(pictures, info)


def _ways(values: dict[str, Any]) -> list[tuple[int, int, float]]:
    """For each picture: the seed it starts from, the seed it lies towards, and the share of the way."""
    seed, count, spread = values["seed"], values["count"], values["spread"]
    if values["to_seed"] is None:
        others = [(seed + n) % (SEED_MAX + 1) for n in range(count)]
        return [(seed, other, spread) for other in others]
    return [(seed, values["to_seed"], spread * n / (count - 1)) for n in range(count)]


def _latent(model: Model, seed: int) -> Tensor:
    """The seed's vector [1, C, 1, 1], the same on every machine: drawn on the CPU."""
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(1, model.card.inputs[0].channels, 1, 1, generator=rng)


def between(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Shoemake 1985, spherical interpolation: along the arc, since Gaussian vectors in many dimensions lie near a sphere."""
    if share == 0 or torch.equal(one, other):
        return one
    if share == 1:
        return other
    a, b = one.double(), other.double()
    angle = torch.arccos(((a * b).sum() / (a.norm() * b.norm())).clamp(-1, 1))
    if float(angle) < 1e-6:
        return torch.lerp(one, other, share)
    return ((torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)).float()


def _draw(model: Model, latent: Tensor) -> Tensor:
    """The network's picture [1, 1 or 3, S, S] in [0, 1]."""
    made = model(latent)
    if not bool(torch.isfinite(made).all()):
        raise WeightsNotFinite(f"The network {model.name} gave values that are not numbers.")
    return made.clamp(0, 1)
