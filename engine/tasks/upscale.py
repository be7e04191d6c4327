"""Upscale: a super-resolution network over tiles, then an anti-aliased step down to the size that was asked for.

The result is computed tile by tile of its own grid, each from as much of the source as the network and the resampling
filter can see, so that tiles equal the whole and memory stays bounded by source, result and one tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import OptionError, OutOfMemory, TooLarge, WeightsNotFinite
from engine.client.pixels import SIDE_MAX
from engine.imaging import alpha as transparency
from engine.imaging import colour, resize
from engine.imaging.tiling import Span, cuts, pad_to, tiles
from engine.store import models as stored
from engine.store.cache import Model, ModelCache
from engine.tasks import convert
from engine.tasks.base import Picture, Reporter, TaskResult
from engine.tasks.preview import Box

# Source pixels along a tile's side. Larger tiles waste less on context; smaller ones can be cancelled sooner and stay longer
# in the caches: on two CPU cores 256 to 384 take the same time, 192 a tenth more, 96 a quarter.
TILE = 320
TILE_LEAST = 32
# The eight turned and mirrored views of a tile (quarter turns, mirrored); quality "best" averages the network over all of
# them: the geometric self-ensemble of Lim 2017 (EDSR).
VIEWS = [(turns, mirrored) for mirrored in (False, True) for turns in range(4)]


def run(source: Picture, values: dict[str, Any], models: ModelCache, reporter: Reporter) -> TaskResult:
    """Enlarge `source` by values["scale"], or to values["width"] x values["height"] (one may be left to the aspect).

    values["realism"]: see ModelCache.get. Raises the errors of convert.check and of ModelCache.get, OptionError for a size
    below the source's, TooLarge, OutOfMemory.
    """
    convert.check(source)
    height, width = target_size(source, values)
    reporter.plan = {"load": 2, "net": 96, "write": 2}
    with reporter.phase("load"):
        wanted = stored.wishes(values, models.device.type)
        model = models.get("upscale", values["generator"], values["realism"], wanted)
    most = model.card.scale**2
    if height > source.height * most or width > source.width * most:
        raise OptionError(
            f"{width} x {height} is more than {most} times the source's size.", picture=[source.width, source.height]
        )
    notices: list[str] = []
    picture = enlarged(source, height, width, model, reporter, notices, values["quality"], values["preview"])
    info = model.info() | {"seconds": reporter.seconds, "notices": notices, "size": [width, height]}
    return TaskResult([picture], info)


def enlarged(
    source: Picture,
    height: int,
    width: int,
    model: Model,
    reporter: Reporter,
    notices: list[str],
    quality: str = "normal",
    part: Box | None = None,
) -> Picture:
    """The picture at height x width, at least its own size, in the phase "net". quality: the option. Adds to notices.

    part: only what lies over this part of the picture is computed, the rest of the result left unset.
    """
    # One pass of an x4 network reaches x4; beyond, the enlarged picture is enlarged once more, and what
    # that leaves is interpolated.
    steps = [(height, width)]
    if height > source.height * model.card.scale or width > source.width * model.card.scale:
        steps.insert(0, (source.height * model.card.scale, source.width * model.card.scale))
    picture, grey = source, convert.is_grey(source.array)
    for step_height, step_width in steps:
        step = _Enlargement(picture, step_height, step_width, model, notices, quality, grey)
        last = (step_height, step_width) == (height, width)
        if part is not None and picture is not source:
            x, y, wide, high = (n * model.card.scale for n in part)
            part = x, y, wide, high
        picture = step.run(reporter, part if last else None)
    return picture


def middle(source: Picture) -> Box:
    """The tile in the middle of the source: what one run of the network gives."""
    rows, columns = (cuts(side, TILE) for side in (source.height, source.width))
    row, column = rows[(len(rows) - 1) // 2], columns[(len(columns) - 1) // 2]
    return column.start, row.start, column.size, row.size


def target_size(source: Picture, values: dict[str, Any]) -> tuple[int, int]:
    """(height, width) of the result. Raises OptionError or TooLarge."""
    width, height = values["width"], values["height"]
    if width is None and height is None:
        width, height = round(source.width * values["scale"]), round(source.height * values["scale"])
    elif height is None:
        height = max(1, round(source.height * width / source.width))
    elif width is None:
        width = max(1, round(source.width * height / source.height))
    if width < source.width or height < source.height:
        raise OptionError(
            f"{width} x {height} is smaller than the picture ({source.width} x {source.height}); upscale only enlarges.",
            "Ask for a larger size, or leave this picture out.",
            picture=[source.width, source.height],
        )
    if max(width, height) > SIDE_MAX:
        raise TooLarge(f"The result would be {width} x {height} pixels; a side may have at most {SIDE_MAX}.")
    return height, width


Finish = Callable[[], None]


def _nothing() -> None:
    """Where a part of the result needs no network."""


class _Enlargement:
    """One pass of the network over one picture, to an exact size of at most `scale` times the source's."""

    def __init__(
        self, source: Picture, height: int, width: int, model: Model, notices: list[str], quality: str, grey: bool
    ) -> None:
        self.source, self.height, self.width, self.model, self.notices = source, height, width, model, notices
        self.views = VIEWS if quality == "best" else VIEWS[:1]
        self.exact = quality != "normal"
        self.scale, self.grey = model.card.scale, grey
        try:
            self.result = np.empty((height, width, source.array.shape[2]), source.array.dtype)
        except MemoryError as error:
            raise OutOfMemory(f"There is not enough memory for a result of {width} x {height} pixels.") from error

    def run(self, reporter: Reporter, part: Box | None = None) -> Picture:
        source = self.source
        x, y, width, height = part or (0, 0, source.width, source.height)
        # Whole tiles, also for a part: other tiles would round otherwise in the last bit.
        work = [
            (rows, columns)
            for rows, columns in tiles(source.height, source.width, self.model.tile(TILE))
            if rows.start < y + height and rows.stop > y and columns.start < x + width and columns.stop > x
        ]
        with reporter.phase("net", len(work)) as done:
            for number, (rows, columns, begun) in enumerate(self._started(work), 1):
                self._tile(rows, columns, begun)
                done(number)
        return Picture(self.result, source.linear, source.icc, source.exif, source.xmp)

    def _started(self, work: list[tuple[Span, Span]]) -> Iterator[tuple[Span, Span, Finish | None]]:
        """The tiles with what _begin() gave for them, one ahead on a GPU: it computes while the one before is finished here."""
        waiting: tuple[Span, Span, Finish | None] | None = None
        for rows, columns in work:
            begun = None
            if self.model.gpu is not None:
                try:
                    begun = self._begin(rows, columns)
                except (MemoryError, RuntimeError) as error:  # it has another chance when the one before is done
                    if not convert.out_of_memory(error):
                        raise
            if waiting is not None:
                yield waiting
            waiting = rows, columns, begun
        if waiting is not None:
            yield waiting

    def _tile(self, rows: Span, columns: Span, begun: Finish | None = None) -> None:
        """Compute the part of the result over these source rows and columns; in quarters when memory runs out."""
        try:
            (begun or self._begin(rows, columns))()
        except (MemoryError, RuntimeError) as error:
            if not convert.out_of_memory(error):
                raise
        else:
            return
        # Outside the except block, so that the failed tile's tensors are freed before the retry.
        if max(rows.size, columns.size) > TILE_LEAST:
            self._notice("Memory ran short: smaller tiles were used.")
            for down, right in tiles(rows.size, columns.size, -(-max(rows.size, columns.size) // 2)):
                self._tile(
                    Span(rows.start + down.start, rows.start + down.stop),
                    Span(columns.start + right.start, columns.start + right.stop),
                )
        elif self.model.device.type != "cpu":
            self.model.to_cpu()
            self._notice("The GPU's memory was not enough: the CPU did the rest.")
            self._tile(rows, columns)
        else:
            raise OutOfMemory("There is not enough memory for this picture, even in small tiles.")

    def _notice(self, sentence: str) -> None:
        if sentence not in self.notices:
            self.notices.append(sentence)

    def _begin(self, rows: Span, columns: Span) -> Finish:
        """Start the network on what this part of the result needs; the function that comes back puts it there."""
        source, scale = self.source, self.scale
        out_rows = Span(rows.start * self.height // source.height, rows.stop * self.height // source.height)
        out_columns = Span(columns.start * self.width // source.width, columns.stop * self.width // source.width)
        if out_rows.size == 0 or out_columns.size == 0:
            return _nothing
        first_row, down = resize.weights(source.height * scale, self.height, out_rows.start, out_rows.stop)
        first_column, right = resize.weights(source.width * scale, self.width, out_columns.start, out_columns.stop)
        # The stretch of the source that the filter and the network can see from here.
        halo, multiple = self.model.halo, self.model.multiple
        near_rows = Span(first_row // scale, -(-(first_row + down.shape[1]) // scale))
        near_columns = Span(first_column // scale, -(-(first_column + right.shape[1]) // scale))
        seen_rows = near_rows.widened(halo, source.height, multiple)
        seen_columns = near_columns.widened(halo, source.width, multiple)
        crop = source.array[seen_rows.start : seen_rows.stop, seen_columns.start : seen_columns.stop]
        target = self.result[out_rows.start : out_rows.stop, out_columns.start : out_columns.stop]

        rgb = convert.encoded(crop, source.linear)
        if source.has_alpha:
            if not crop[..., -1].any():
                target[...] = 0
                return _nothing
            rgb = transparency.bleed(rgb, convert.unit(crop[..., -1:]))
        network = self._network(rgb)

        def finish() -> None:
            large = network()
            top, left = first_row - seen_rows.start * scale, first_column - seen_columns.start * scale
            large = large[..., top : top + down.shape[1], left : left + right.shape[1]]
            if (self.height, self.width) != (source.height * scale, source.width * scale):
                large = resize.apply(large, down, right)
            if self.grey:  # networks answer edges with a breath of colour
                large = colour.luma(large)
            channels = 1 if source.array.shape[2] < 3 else 3
            target[..., :channels] = convert.samples(large, source.array.dtype, source.linear)
            if source.has_alpha:
                target[..., -1:] = self._alpha(out_rows, out_columns)

        return finish

    def _network(self, rgb: Tensor) -> Callable[[], Tensor]:
        """Start the network on display-encoded RGB [1, 3, h, w], its input within 0..1; what lies beyond is added again."""
        inside = rgb.clamp(0, 1)
        height, width = rgb.shape[2] * self.scale, rgb.shape[3] * self.scale
        begun = []
        for turns, mirrored in self.views:
            view = torch.rot90(inside.flip(3) if mirrored else inside, turns, (2, 3))
            begun.append((turns, mirrored, self.model.begin(pad_to(view, self.model.multiple), exact=self.exact)))

        def finish() -> Tensor:
            # A swift network leaves little time for the rest: nothing is copied, added or divided for one view alone.
            large = _turned_back(*begun[0], height, width)
            for view in begun[1:]:
                large = large + _turned_back(*view, height, width)
            if not bool(torch.isfinite(large.sum())):  # before it is clamped: infinity would become white
                raise WeightsNotFinite(f"The network {self.model.name} gave values that are not numbers.")
            large = (large / len(begun) if len(begun) > 1 else large).clamp(0, 1)
            beyond = rgb - inside
            if bool(beyond.any()):
                large = large + resize.bicubic(beyond, height, width)
            return large

        return finish

    def _alpha(self, rows: Span, columns: Span) -> np.ndarray:
        """The source's alpha, resized once, for this part of the result."""
        first_row, down = resize.weights(self.source.height, self.height, rows.start, rows.stop)
        first_column, right = resize.weights(self.source.width, self.width, columns.start, columns.stop)
        crop = self.source.array[
            first_row : first_row + down.shape[1], first_column : first_column + right.shape[1], -1:
        ]
        return convert.samples(resize.apply(convert.unit(crop), down, right).clamp(0, 1), crop.dtype, linear=False)


def _turned_back(turns: int, mirrored: bool, output: Callable[[], Tensor], height: int, width: int) -> Tensor:
    """The network's result for one view, [1, 3, height, width], as it would lie for the picture itself."""
    sides = (height, width) if turns % 2 == 0 else (width, height)
    out = output()[..., : sides[0], : sides[1]].float()
    out = torch.rot90(out, -turns, (2, 3)) if turns else out
    return out.flip(3) if mirrored else out
