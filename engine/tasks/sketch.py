"""Sketch: a line drawing gets colours; its lines stay its own, in full resolution, and the colours lie below them.

The network sees the whole drawing at its working size. Its colours are carried to full resolution along the lines and under
them, and either multiplied with the drawing or given alone, in bands of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.client.options import SEED_MAX
from engine.imaging import colour, flat, hsv, spread, strokes
from engine.imaging import hints as hint_planes
from engine.imaging.decided import decided
from engine.imaging.lines import GUIDE_SIZE, ColourUpsampler
from engine.imaging.shapes import SIDE, Shapes
from engine.imaging.sketch import paper, strengthen
from engine.imaging.tiling import pad_to
from engine.store.cache import Model, ModelCache
from engine.tasks import convert
from engine.tasks.base import Picture, Reporter, TaskResult
from engine.tasks.working import bands, check_hints, computed, left_out, reduced, reduced_size, said_by

SEED_SHARE = 0.3  # what a seed decides of Z where there are hints
GRAIN = 0.1  # of a drawing's ink: what paper may at most have of it, and not be ink
REFERENCE_SIZE = 256  # longest side, in pixels, at which a reference is read: its encoder sees fewer


def run(
    source: Picture,
    values: dict[str, Any],
    models: ModelCache,
    reporter: Reporter,
    reference: Picture | None = None,
    hints: Picture | None = None,
) -> TaskResult:
    """Colour the line drawing `source`; transparent parts of it count as paper. One result for each seed.

    reference: sets the mood by its colours, of any size; what is transparent in it says nothing. hints: as large as the source,
    with alpha: the colours wanted where alpha is above 0. values["z"] replaces the reference's Z; without either, hints and
    seed choose the colours. info["z"] holds the 64 numbers behind each result, by which it can be made again.
    Raises the errors of convert.check, HintsSize and HintsInvalid.
    """
    convert.check(source)
    if hints is not None:
        check_hints(source, hints)
    if reference is not None:
        convert.check(reference, "reference")
    seeds = [(values["seed"] + n) % (SEED_MAX + 1) for n in range(values["variants"])]
    reporter.plan = {"load": 20, "read": 10, "net": 10 * len(seeds), "blend": 10 * len(seeds)}
    with reporter.phase("load"):
        model = models.get("sketch", values["generator"])
    with reporter.phase("read"):
        drawing = _Drawing(source, hints, model)
        zs = _zs(model, values["z"], reference, drawing, seeds)
    pictures = []
    for z in zs:
        with reporter.phase("net"):
            made = drawing.coloured(model, z)
        with reporter.phase("blend", len(list(bands(source, values["preview"])))) as done:
            pictures.append(_blend(source, drawing.spread(_toned(made, values)), values, done))
    notices = said_by(hints) + left_out(source, pictures[0])
    if len(seeds) > 1 and (reference is not None or values["z"] is not None):
        notices.append("The colours were given, so the seeds changed nothing: the variants are alike.")
    info = model.info() | {"seeds": seeds, "z": zs, "seconds": reporter.seconds, "notices": notices}
    return TaskResult(pictures, info)


def _zs(
    model: Model, given: list[float] | None, reference: Picture | None, drawing: _Drawing, seeds: list[int]
) -> list[list[float]]:
    """The Z of each result as numbers of four decimals: what info says is exactly what was used.

    Hints without a reference say most of Z, as a sparse reference would; the rest is the seed's.
    """

    def numbers(z: Tensor) -> list[float]:
        return [round(float(v), 4) for v in z.flatten()]

    if given is not None:
        return [[round(v, 4) for v in given]] * len(seeds)
    network: Any = model.network
    with torch.inference_mode(), model.steady():
        if reference is not None:
            return [numbers(network.encode(_planes(reference).to(model.device)))] * len(seeds)
        imagined = [network.imagine(seed, varied=not drawing.hinted) for seed in seeds]
        if drawing.hinted:
            hinted = network.encode(drawing.hints[:, :4].to(model.device)).cpu()
            imagined = [torch.lerp(hinted, z.cpu(), SEED_SHARE) for z in imagined]
        return [numbers(z) for z in imagined]


def _planes(reference: Picture) -> Tensor:
    """X, Y, V and where it is set, [1, 4, h, w], of a reference of any size."""
    factor = min(1.0, REFERENCE_SIZE / max(reference.width, reference.height))
    height, width = max(1, round(reference.height * factor)), max(1, round(reference.width * factor))

    def plane(rows: np.ndarray) -> Tensor:
        alpha = convert.unit(rows[..., -1:]) if reference.has_alpha else torch.ones(1, 1, *rows.shape[:2])
        return torch.cat((convert.encoded(rows, reference.linear).clamp(0, 1) * alpha, alpha), 1)

    [both] = reduced(reference, [(height, width)], plane)
    alpha = both[:, 3:4]
    rgb = (both[:, :3] / alpha.clamp_min(1e-4)).clamp(0, 1)
    return torch.cat((hsv.rgb_to_xyv(rgb), (alpha > 0.25).float()), 1)


class _Drawing:
    """What the network sees: the lines and the hints at the working size; and the larger lines that guide the upsampling."""

    def __init__(self, source: Picture, hints: Picture | None, model: Model) -> None:
        self.size = source.height, source.width
        self.height, self.width = reduced_size(source, model.working_size)
        guide_size = max(model.working_size, min(GUIDE_SIZE, source.width, source.height))
        sizes = [(self.height, self.width), reduced_size(source, guide_size)]
        ink, self.guide = (_strong(luma) for luma in reduced(source, sizes, lambda rows: _luma_on_paper(source, rows)))
        self.lines = 1 - ink
        self.shapes: Shapes | None = None  # where there are hints
        planes = torch.zeros(1, 4, self.height, self.width)
        if hints is not None:
            rgb = convert.encoded(hints.array, hints.linear).clamp(0, 1)
            layer = torch.cat((rgb, convert.unit(hints.array[..., -1:])), 1)
            layer[:, 3:] *= self._own(layer, reduced_size(source, min(SIDE, guide_size)))
            rgb, mask = hint_planes.painted(layer, self.height, self.width)
            mask = (mask >= 0.5).float()
            planes = torch.cat((hsv.rgb_to_xyv(rgb.clamp(0, 1)) * mask, mask), 1)
        self.hints = self._reached(planes)

    def _reached(self, planes: Tensor) -> Tensor:
        """Hint planes as spread.spread() gives them, but deciding between colours and filling the shapes that they lie in."""
        mask = planes[:, 3:]
        if not bool((mask > 0).any()):
            return torch.zeros(1, 8, self.height, self.width)
        self.shapes = Shapes(self.guide, mask)
        wide = decided(planes, self.lines, self.shapes)
        hints = spread.spread(planes, self.lines, wide=wide)
        filled = F.interpolate(self.shapes.hinted, (self.height, self.width), mode="nearest-exact")
        # What is nearest ends in straight borders: it counts only where no hint lies in the same shape.
        closest = torch.where((filled > 0) & (mask == 0), wide, hints[:, :3])
        return torch.cat((closest, hints[:, 3:7], torch.maximum(hints[:, 7:], filled)), 1)

    @property
    def hinted(self) -> bool:
        return self.shapes is not None

    def _own(self, layer: Tensor, size: tuple[int, int]) -> Tensor:
        """Where the hints of a layer [1, 4, H, W] keep to their own shapes, looked at in `size`: [1, 1, H, W], 1 or 0."""
        every = max(1, min(self.size) // (2 * min(size)))  # enough to see strokes, and a fraction of the time
        seen = torch.cat(hint_planes.painted(layer[..., ::every, ::every], *size), 1)
        return F.interpolate(strokes.own(seen, self.guide), self.size, mode="nearest-exact")

    def coloured(self, model: Model, z: list[float]) -> Tensor:
        """The network's HxHySV [1, 4, h, w] for one Z."""
        ports = {"sketch": self.lines, "hints": self.hints}
        inputs = [
            torch.tensor(z).view(1, -1, 1, 1) if port.vector else pad_to(ports[port.name], model.multiple)
            for port in model.card.inputs
        ]
        return computed(model, *inputs)[..., : self.height, : self.width]

    def spread(self, colours: Tensor) -> ColourUpsampler:
        """The network's colours [1, 3, h, w] over the whole drawing; where no hint has placed them, one for each shape."""
        flattened = flat.flattened(colours, self.guide) if self.shapes is None else self.shapes.flattened(colours)
        return ColourUpsampler(flattened, self.guide, *self.size, flat.REACH)


def _strong(luma: Tensor) -> Tensor:
    """How dark the drawing of this luma [1, 1, h, w] is on its paper: 0 is paper of whatever tint, 1 the darkest lines."""
    ink = 1 - (luma / paper(luma)).clamp(0, 1)
    # What most of the paper has is its grain; a clean drawing's is 0.
    grain = min(GRAIN, 3 * float(ink.flatten().float().kthvalue(max(1, round(0.75 * ink.numel()))).values))
    return strengthen((ink - grain).clamp_min(0) / (1 - grain))


def _luma_on_paper(source: Picture, rows: np.ndarray) -> Tensor:
    """Luma [1, 1, H, W] of rows of the source."""
    if source.has_alpha:
        return colour.luma(_on_paper(source, rows))
    return convert.luma(rows, source.linear)


def _on_paper(source: Picture, rows: np.ndarray) -> Tensor:
    """Rows of the source [H, W, C] as display-encoded RGB [1, 3, H, W], on white where they are transparent."""
    rgb = convert.encoded(rows, source.linear)
    if not source.has_alpha:
        return rgb
    alpha = convert.unit(rows[..., -1:]).clamp(0, 1)
    return rgb * alpha + (1 - alpha)


def _toned(made: Tensor, values: dict[str, Any]) -> Tensor:
    """RGB [1, 3, h, w] of the network's colours, with the wanted saturation and strength."""
    direction, saturation, value = made[:, :2], made[:, 2:3] * values["saturation"], made[:, 3:4]
    rgb = hsv.hxhysv_to_rgb(torch.cat((direction, saturation.clamp(0, 1), value), 1))
    return torch.lerp(torch.ones_like(rgb), rgb, values["strength"])


def _blend(source: Picture, upsampler: ColourUpsampler, values: dict[str, Any], done: Callable[[int], None]) -> Picture:
    """The full-size result, opaque: the drawing times its colours, or the colours alone."""
    result = np.empty((source.height, source.width, 3), source.array.dtype)
    for number, rows in enumerate(bands(source, values["preview"]), 1):
        painted = upsampler.rows(rows.start, rows.stop)
        if values["output"] == "normal":
            painted = painted * _on_paper(source, source.array[rows.start : rows.stop])
        result[rows.start : rows.stop] = convert.samples(painted, source.array.dtype, source.linear)
        done(number)
    icc = source.icc if source.array.shape[2] > 2 else b""  # a grey profile does not describe a colour picture
    return Picture(result, source.linear, icc, source.exif, source.xmp)
