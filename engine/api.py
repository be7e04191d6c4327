"""The Python door: Engine() works in this process; Engine.connect() uses a running engine. Both give the same bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.files import arrays, measure, write
from engine.forecast import Forecast, Size
from engine.tasks import noted
from engine.tasks.base import Picture, Progress, Reporter
from engine.transport import InProcess, Service, Transport

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Source = str | Path | Image.Image | np.ndarray | Picture

OnProgress = Callable[[Progress], None]


@dataclass
class Result:
    """One picture that a task made, and what made it.

    info: generator, weights (sha256), seed or seeds, device, seconds by phase, notices. variants: all results of the same
    request, this one first. sources: the files that it was made from, which save() does not write over.
    """

    picture: Picture
    info: dict[str, Any]
    variants: list[Result] = field(default_factory=list, repr=False)
    sources: tuple[str, ...] = field(default=(), repr=False)

    @property
    def array(self) -> np.ndarray:
        """The samples: [H, W] for grey, else [H, W, C]; dtype and range are the source's."""
        array = self.picture.array
        return array[..., 0] if array.shape[2] == 1 else array

    @property
    def image(self) -> Image.Image:
        """The result as an 8-bit PIL picture (16-bit grey stays 16-bit)."""
        return arrays.to_pil(self.picture)

    def save(self, path: str | Path, overwrite: bool = False, quality: int | None = None) -> Path:
        """Write it as PNG, JPEG, TIFF or WebP, by the name's ending; 16 bits stay in PNG and TIFF.

        Written beside and renamed, so that no half file is ever left. quality: JPEG and WebP, 1 to 100 (95; 100, which is
        lossless, for a WebP of a WebP source without loss). What the format cannot hold is said in info["notices"]. Raises
        OutputError, of which OutputIsSource for a picture that it was made from, whatever `overwrite` says.
        """
        for source in self.sources:
            write.refuse_source(source, path)
        notices: list[str] = []
        written = write.write(self.picture, path, overwrite=overwrite, quality=quality, notices=notices)
        said = self.info.setdefault("notices", [])
        said += [notice for notice in notices if notice not in said]
        return written


class Engine:
    """Colorizes and upscales pictures.

    device: "cpu", "cuda", "cuda:1", "mps", "openvino" (the CPU by that package); None takes the best there is. Use it as a
    context manager, or close() it, to give its memory back. Sources are a path, a PIL picture, a numpy array (u8, u16, f16,
    f32; grey, grey and alpha, RGB, RGBA) or a Picture. Every error is a PincelError with a code, a sentence and a remedy.
    """

    def __init__(self, device: str | None = None, *, transport: Transport | None = None) -> None:
        self._transport = transport or InProcess(device)

    @classmethod
    def connect(cls, start: bool = False, remote: str | None = None) -> Engine:
        """An Engine whose work a running engine does. start: start one if none runs. Raises EngineNotRunning, EngineStart.

        remote: the name of an engine on another machine, see `pincel pair`.
        """
        at = None
        if remote is not None:
            from engine.remote.dealer import Paired

            at = Paired(remote)
        from engine.client.launcher import quoted
        from engine.client.session import Session

        environ = dict(os.environ)
        # This very installation, whether or not its `pincel` command is in PATH.
        environ.setdefault("PINCEL_ENGINE", quoted([sys.executable, "-m", "engine"]))
        return cls(
            transport=Service(Session.connect("pincel-python", __version__, start=start, environ=environ, at=at))
        )

    def colorize(
        self,
        source: Source,
        *,
        hints: Source | None = None,
        mask: Source | None = None,
        convert: bool = False,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Result:
        """Give a black-and-white photograph colours; its luma stays exactly as it is.

        hints: a picture of the same size whose alpha marks the colours that are wanted. mask: one of the same size; where it
        is black or transparent the source's bytes stay (of one colour on transparency the opacity alone counts). convert:
        accept CMYK, palettes and first frames. options: those of the task "colorize" in engine.client.options (seed,
        variants, strength, saturation, output, generator).
        """
        return self._run("colorize", source, {"hints": hints, "mask": mask}, convert, on_progress, cancelled, options)

    def sketch(
        self,
        source: Source,
        *,
        reference: Source | None = None,
        hints: Source | None = None,
        convert: bool = False,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Result:
        """Give a line drawing colours below its own lines; what is transparent in it counts as paper.

        reference: a picture of any size with the colours wanted, roughly in place. hints: one of the drawing's size whose
        alpha marks the colours wanted. options: those of the task "sketch" in engine.client.options (seed, variants, z,
        strength, saturation, output, generator). info["z"] holds the 64 numbers behind each variant.
        """
        extras = {"reference": reference, "hints": hints}
        return self._run("sketch", source, extras, convert, on_progress, cancelled, options)

    def upscale(
        self,
        source: Source,
        *,
        convert: bool = False,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Result:
        """Make a picture larger. options: those of the task "upscale" (scale, or width and/or height; generator)."""
        return self._run("upscale", source, {}, convert, on_progress, cancelled, options)

    def generate(
        self,
        *,
        on_progress: OnProgress | None = None,
        cancelled: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Result:
        """Draw new pictures from a seed: `Engine().generate(seed=7, count=4).variants`. The same seed, the same bytes.

        options: those of the task "generate" (seed, count, size; spread below 1 for neighbours of the seed's picture;
        to_seed for the way from one seed's picture to another's; generator).
        """
        return self._run("generate", None, {}, False, on_progress, cancelled, options)

    def forecast(
        self, task: str, source: str | Path | tuple[int, int] | Picture | None = None, **options: Any
    ) -> Forecast | None:
        """What a job would take here: `print(Engine().forecast("upscale", "small.png"))` says "about 40 s, 1.2 GB".

        source: as for the job, or (width, height). options: the job's. The answer comes from the jobs that were done on this
        machine (engine.forecast); before the first of its kind a small one is done, which takes a second or two. None where
        an engine does not say.
        """
        from engine.client import options as declared

        declared.task(task).complete(options)
        return self._transport.forecast(task, _size(source), options)

    def models(self) -> list[dict[str, Any]]:
        """What weights there are: name, task, title, default, licence, sha256, size."""
        return self._transport.models()

    def close(self) -> None:
        """Give the networks' memory back, or hang up."""
        self._transport.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(
        self,
        task: str,
        source: Source | None,
        extras: Mapping[str, Source | None],
        convert: bool,
        on_progress: OnProgress | None,
        cancelled: Callable[[], bool] | None,
        options: Mapping[str, Any],
    ) -> Result:
        from engine.client import options as declared

        declaration = declared.task(task)
        if isinstance(options.get("preview"), bool):  # True is short for the middle
            options = {**options, "preview": [0, 0, 0, 0] if options["preview"] else None}
        declaration.complete(options)  # wrong options are refused before any picture is read
        picture = arrays.picture_from(source, convert=convert) if declaration.source else None
        given = {
            name: arrays.picture_from(extra, convert=convert) for name, extra in extras.items() if extra is not None
        }
        reporter = Reporter()
        if on_progress is not None:
            reporter.on_progress = on_progress
        if cancelled is not None:
            reporter.cancelled = cancelled
        done = self._transport.run(task, picture, options, given, reporter)
        sources = tuple(p.origin.path for p in (picture, *given.values()) if p is not None and p.origin.path)
        for made in done.pictures:
            made.origin = made.origin if picture is None else picture.origin
        seeds = done.info.get("seeds") or [None] * len(done.pictures)
        results = [
            Result(made, done.info if seed is None else {**done.info, "seed": seed}, sources=sources)
            for made, seed in zip(done.pictures, seeds, strict=True)
        ]
        for n, result in enumerate(results):
            result.variants = [result, *results[:n], *results[n + 1 :]]
        return results[0]


def _size(source: Any) -> Size:
    """The size of any source, of a file by its head."""
    if isinstance(source, tuple):
        return Size(*source)
    if isinstance(source, str | Path):
        return Size(*measure.measure(source))
    return noted.size_of(None if source is None else arrays.picture_from(source))


def running() -> bool:
    """Whether an engine is running for this user."""
    from engine.client import connection

    return bool(connection.find()[0])
