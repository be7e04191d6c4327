"""Colorize: the photograph's own luma, kept exactly; only the chroma comes from the network.

The network sees the whole picture at its working size. Its chroma is carried to full resolution along the luma's edges and
bent into the gamut, in bands of rows, so that full-size work needs no more memory than a band beside source and results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import HintsInvalid, MaskSize, OptionError
from engine.client.options import SEED_MAX
from engine.imaging import alpha as transparency
from engine.imaging import colour, hints
from engine.imaging.guided import GUIDE_SIZE, ChromaUpsampler
from engine.imaging.tiling import Span, pad_to
from engine.store.cache import Model, ModelCache
from engine.tasks import convert
from engine.tasks.base import Picture, Reporter, TaskResult
from engine.tasks.working import bands, check_hints, computed, left_out, reduced, reduced_size, said_by


def run(
    source: Picture,
    values: dict[str, Any],
    models: ModelCache,
    reporter: Reporter,
    hints: Picture | None = None,
    mask: Picture | None = None,
) -> TaskResult:
    """Colour `source`; one result for each of values["variants"] seeds.

    hints: as large as the source, with alpha: the colours wanted where alpha is above 0. mask: as large as the source; its
    luma times its alpha says how far the new colours apply, 0 leaves a pixel's bytes as they are (see _Mask).
    Raises the errors of convert.check, HintsSize, HintsInvalid, MaskSize; OptionError for variants of a network without
    seeds.
    """
    convert.check(source)
    _check_extras(source, hints, mask)
    seeds = [(values["seed"] + n) % (SEED_MAX + 1) for n in range(values["variants"])]
    reporter.plan = {"load": 20, "read": 5, "net": 10 * len(seeds), "blend": 5 * len(seeds)}
    with reporter.phase("load"):
        model = models.get("colorize", values["generator"])
    notices = _check_conditions(model, values, hints) + said_by(hints)
    with reporter.phase("read"):
        view = _WorkingView(source, hints, model)
    pictures, weights = [], None if mask is None else _Mask(mask)
    for seed in seeds:
        with reporter.phase("net"):
            chroma = view.chroma(model, seed)
        with reporter.phase("blend", len(list(bands(source, values["preview"])))) as done:
            pictures.append(_blend(source, weights, view, chroma * values["saturation"], values, done))
    notices += left_out(source, pictures[0])
    info = model.info() | {"seeds": seeds, "seconds": reporter.seconds, "notices": notices}
    return TaskResult(pictures, info)


def _check_extras(source: Picture, hints: Picture | None, mask: Picture | None) -> None:
    size = (source.width, source.height)
    if hints is not None:
        check_hints(source, hints)
    if mask is not None:
        convert.check(mask, "mask")
        if (mask.width, mask.height) != size:
            raise MaskSize(
                f"The mask is {mask.width} x {mask.height} pixels, the picture is {source.width} x {source.height}."
            )


def _check_conditions(model: Model, values: dict[str, Any], hints: Picture | None) -> list[str]:
    """Refuses what the network cannot follow and somebody would wait for; notices of what changes nothing."""
    ports = {port.name for port in model.card.inputs}
    if hints is not None and "hints" not in ports:
        raise HintsInvalid(
            f"The network {model.name} follows no hints.",
            "Leave the hints out, or choose a generator that takes them, such as the default one.",
        )
    if "noise" in ports:
        return []
    if values["variants"] > 1:
        raise OptionError(
            f"{model.name} knows one colouring of a picture: variants must be 1, not {values['variants']}.",
            "Ask for one variant, or choose a generator with seeds, such as the default one.",
            option="variants",
        )
    return [f"{model.name} has no seeds: every seed gives these colours."] if values["seed"] else []


class _WorkingView:
    """What the network sees: luma and hint planes at the working size; and the larger luma that guides the upsampling."""

    def __init__(self, source: Picture, hint_layer: Picture | None, model: Model) -> None:
        self.height, self.width = reduced_size(source, model.working_size)
        # No larger than the source, no smaller than what the network sees.
        guide_size = max(model.working_size, min(GUIDE_SIZE, source.width, source.height))
        sizes = [(self.height, self.width), reduced_size(source, guide_size)]
        self.luma, self.guide = _reduced_luma(source, sizes)
        self.hints = torch.zeros(1, 3, self.height, self.width)
        if hint_layer is not None:
            rgb = convert.encoded(hint_layer.array, hint_layer.linear).clamp(0, 1)
            painted = torch.cat([rgb, convert.unit(hint_layer.array[..., -1:])], 1)
            self.hints = hints.rasterise(painted, self.height, self.width)

    def chroma(self, model: Model, seed: int) -> Tensor:
        """The network's UV [1, 2, h, w] in natural units for one seed."""
        # Made for the padded size: a repeated last row would be no noise but a stripe that the net takes for meaning.
        multiple = model.multiple
        sides = [-(-side // multiple) * multiple for side in (self.height, self.width)]
        noise = torch.randn(1, 1, *sides, generator=torch.Generator().manual_seed(seed))
        if seed == 0 and getattr(model.network, "still", False):
            noise.zero_()
        ports = {"y": self.luma, "noise": noise, "hints": self.hints, "rgb": self.luma.expand(-1, 3, -1, -1)}
        inputs = [pad_to(ports[port.name], multiple) for port in model.card.inputs]
        out = computed(model, *inputs)[..., : self.height, : self.width]
        if model.card.output.name == "rgb":
            return colour.rgb_to_yuv(out)[:, 1:]
        return colour.unscale_uv(out)


def _reduced_luma(source: Picture, sizes: list[tuple[int, int]]) -> list[Tensor]:
    """The source's luma in these sizes, each [1, 1, height, width] in [0, 1]."""

    def plane(rows: np.ndarray) -> Tensor:
        luma = convert.luma(rows, source.linear)
        return transparency.bleed(luma, convert.unit(rows[..., -1:])) if source.has_alpha else luma

    return reduced(source, sizes, plane, transparency.REACH if source.has_alpha else 0)


def _blend(
    source: Picture, mask: _Mask | None, view: _WorkingView, chroma: Tensor, values: dict[str, Any], done: Any
) -> Picture:
    """The full-size result: source luma, new chroma."""
    only_colour = values["output"] == "color-only"
    has_alpha = source.has_alpha or (only_colour and mask is not None)
    result = np.empty((source.height, source.width, 4 if has_alpha else 3), source.array.dtype)
    upsampler = ChromaUpsampler(chroma, view.guide, source.height, source.width)
    for number, rows in enumerate(bands(source, values["preview"]), 1):
        band = source.array[rows.start : rows.stop]
        weight = None if mask is None else mask.weight(rows)
        luma_of_source = convert.luma(band, source.linear)
        new = upsampler.rows(luma_of_source.clamp(0, 1), rows.start)
        target = result[rows.start : rows.stop]
        if only_colour:
            grey = torch.full_like(luma_of_source, 0.5)
            target[..., :3] = _join(grey, colour.clamp_chroma(grey, new * values["strength"]), source)
            if has_alpha:
                target[..., 3:] = _colour_layer_alpha(band, source, weight)
        else:
            target[..., :3] = _mix(band, source, luma_of_source, new, values["strength"], weight)
            if has_alpha:
                target[..., 3] = band[..., -1]
        done(number)
    icc = source.icc if source.array.shape[2] > 2 else b""  # a grey profile does not describe a colour picture
    return Picture(result, source.linear, icc, source.exif, source.xmp)


class _Mask:
    """How far the new colours apply: by the mask's luma (its values as they are stored) times its alpha.

    Where all that is visible of a mask with transparent parts has one colour, the alpha alone counts: the mask was painted
    on an empty layer, and its shape is meant, whatever the paint.
    """

    def __init__(self, mask: Picture) -> None:
        self.array = mask.array
        self.alpha = mask.has_alpha
        self.painted = self.alpha and _is_paint(mask)

    def weight(self, rows: Span) -> Tensor:
        """[1, 1, rows, W] in 0..1."""
        band = self.array[rows.start : rows.stop]
        if self.painted:
            return convert.unit(band[..., -1:]).clamp(0, 1)
        weight = convert.luma(band, linear=False).clamp(0, 1)
        return weight * convert.unit(band[..., -1:]).clamp(0, 1) if self.alpha else weight


def _is_paint(mask: Picture) -> bool:
    """Whether a mask with alpha has one colour alone, and transparent parts."""
    colour_of_all, transparent = None, False
    for rows in bands(mask):
        band = mask.array[rows.start : rows.stop]
        visible = band[band[..., -1] > 0]
        transparent |= bool((band[..., -1] < convert.top(band.dtype)).any())
        if len(visible):
            colour_of_all = visible[0, :-1] if colour_of_all is None else colour_of_all
            if (visible[:, :-1] != colour_of_all).any():
                return False
    return transparent


def _mix(
    band: np.ndarray, source: Picture, luma: Tensor, new: Tensor, strength: float, weight: Tensor | None
) -> np.ndarray:
    """Source and new chroma by strength and mask over the source's luma; where that share is 0, the source's own bytes."""
    wanted = colour.clamp_chroma(luma.clamp(0, 1), new)
    if weight is None and strength == 1:
        return _join(luma, wanted, source)
    share = torch.full_like(luma, strength) if weight is None else weight * strength
    grey = source.array.shape[2] < 3
    old = torch.zeros_like(new) if grey else colour.rgb_to_yuv(convert.encoded(band, source.linear))[:, 1:]
    mixed = _join(luma, torch.lerp(old, wanted, share), source)
    untouched = (share == 0)[0, 0].numpy()
    if untouched.any():
        own = np.repeat(band[..., :1], 3, axis=2) if grey else band[..., :3]
        mixed[untouched] = own[untouched]
    return mixed


def _join(luma: Tensor, chroma: Tensor, source: Picture) -> np.ndarray:
    """Samples [rows, W, 3] of luma and chroma, whose luma is that of the source to within 0.3 of a sample step.

    Red and blue are rounded first and green is solved from the luma that is left, so that rounding the three channels does
    not shift it. (In linear light the samples are rounded alone: there, luma is not a sum of samples.)
    """
    rgb = luma + colour.chroma_to_offsets(chroma)
    dtype = source.array.dtype
    if dtype.kind == "u" and not source.linear:
        top = convert.top(dtype)
        if dtype.itemsize > 1:  # float32 is exact enough for 8 bits alone
            rgb, luma = rgb.double(), luma.double()
        rgb = (rgb * top).round_().clamp_(0, top)
        rest = luma * top - colour.KR * rgb[:, 0:1] - colour.KB * rgb[:, 2:3]
        rgb[:, 1:2] = (rest / colour.KG).round_().clamp_(0, top)
        return convert.interleaved(rgb, dtype)
    return convert.samples(rgb, dtype, source.linear)


def _colour_layer_alpha(band: np.ndarray, source: Picture, weight: Tensor | None) -> np.ndarray:
    """The colour-only layer's alpha: the source's, times the mask."""
    top = convert.top(source.array.dtype)
    alpha = band[..., -1:].astype(np.float64) if source.has_alpha else np.full((*band.shape[:2], 1), top)
    if weight is not None:
        alpha = alpha * weight[0].permute(1, 2, 0).numpy()
    return (np.rint(alpha) if source.array.dtype.kind == "u" else alpha).astype(source.array.dtype)
