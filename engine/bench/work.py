"""Tasks and generators: seconds for a megapixel by phase, the network's share of the machine's peak, the engine's overhead.

Each task runs as it is, from a file to a file; a clock around the network and around the colour conversion says which part of
the task's time is whose. It takes turns with the bare network and with the convolution that stands for the machine's peak.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine import tasks
from engine.bench import machine
from engine.bench.figures import Book, seconds
from engine.client.options import TASKS
from engine.files import read, write
from engine.generators import base
from engine.store import gpu, models
from engine.store.cache import Model, ModelCache, quick_type
from engine.tasks import convert
from engine.tasks.base import Picture, Reporter

# Sides of the source: (height, width), by whether the network works in tiles, on the whole, or on nothing.
FULL = {"tiled": (320, 320), "whole": (3000, 4000)}
QUICK = {"tiled": (24, 32), "whole": (96, 128)}
PHASES = ("read", "convert", "net", "blend", "write")


def photograph(height: int, width: int, seed: int = 0) -> Picture:
    """Something like a photograph, u8 RGB: smooth shapes and a little grain, so that files compress as photographs do."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.random((1, 3, max(2, height // 64), max(2, width // 64)), np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    array = (smooth[0].permute(1, 2, 0).numpy() * 230 + 12).clip(0, 248).astype(np.uint8)  # the grain must not overflow
    array += rng.integers(0, 8, (height, width, 1), np.uint8)
    return Picture(array)


class Clock:
    """Seconds spent inside the functions it is put around, the inner ones' not counted twice; and the network's inputs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.inputs: list[tuple[tuple[int, ...], ...]] = []
        self._stack: list[float] = []

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **given: Any) -> Any:
            if name == "net":
                given_in = args[1] if isinstance(args[1], tuple) else args[1:]
                self.inputs.append(tuple(tuple(a.shape) for a in given_in))
            self._stack.append(0.0)
            began = time.perf_counter()
            try:
                return function(*args, **given)
            finally:
                spent = time.perf_counter() - began
                inner = self._stack.pop()
                self.seconds[name] = self.seconds.get(name, 0.0) + spent - inner
                if self._stack:
                    self._stack[-1] += spent

        return timed

    @contextmanager
    def running(self, device: torch.device) -> Iterator[None]:
        """While the functions are clocked. On a GPU each run of the network is waited for, so that its time is its own."""
        network: tuple[Any, str, str] = (Model, "__call__", "net")
        if device.type == "cuda":
            network = (gpu.Runner, "begin", "net")
        places: list[tuple[Any, str, str]] = [network, (convert, "encoded", "convert")]
        before = [getattr(place, name) for place, name, _ in places]
        try:
            for (place, name, called), function in zip(places, before, strict=True):
                setattr(place, name, self.around(called, _waited(function) if place is gpu.Runner else function))
            yield
        finally:
            for (place, name, _), function in zip(places, before, strict=True):
                setattr(place, name, function)


def _waited(begin: Callable[..., Callable[[], Tensor]]) -> Callable[..., Callable[[], Tensor]]:
    def begun(*given: Any) -> Callable[[], Tensor]:
        output = begin(*given)()
        return lambda: output

    return begun


def once(
    task: str, options: dict[str, Any], cache: ModelCache, folder: Path, source: Path | None
) -> tuple[dict[str, float], Clock, int]:
    """One job from file to file: seconds by phase and of the "task" between the files, its clock, the result's pixels."""
    clock, spent = Clock(), {}
    picture: list[Picture] = []
    if source is not None:
        spent["read"] = seconds(lambda: picture.append(read.read(source)))
    reporter = Reporter()
    with clock.running(cache.device):
        began = time.perf_counter()
        made = tasks.run(task, picture[0] if picture else None, options, cache, reporter).pictures
        spent["task"] = time.perf_counter() - began
    spent["net"] = clock.seconds.get("net", 0.0)
    spent["convert"] = reporter.seconds.get("read", clock.seconds.get("convert", 0.0))
    spent["blend"] = max(0.0, spent["task"] - spent["net"] - spent["convert"])
    spent["write"] = seconds(lambda: write.write(made[0], folder / "result.png", overwrite=True))
    return spent, clock, sum(p.width * p.height for p in made)


def operations(network: nn.Module, shapes: tuple[tuple[int, ...], ...]) -> float:
    """Floating-point operations of the network on inputs of these shapes, counted without computing."""
    from torch.utils.flop_counter import FlopCounterMode

    state: dict[str, Tensor] = {
        # Single numbers may say what is to be computed.
        name: tensor.to("meta") if tensor.numel() > 1 else tensor
        for name, tensor in (*network.named_parameters(), *network.named_buffers())
    }
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        torch.func.functional_call(network, state, tuple(torch.empty(shape, device="meta") for shape in shapes))
    return float(counter.get_total_flops())


def run(book: Book, wanted: tuple[str, ...], quick: bool, runs: int, device: str = "cpu") -> None:
    """Every generator of the tasks named (all, if none is), of each generator its default weights or its first."""
    cache = ModelCache(device)
    peaks: dict[torch.dtype | None, Any] = {
        half: machine.best_shape(half, quick, cache.device) for half in {None, quick_type(cache.device)}
    }
    for half, (job, work) in peaks.items():
        rates = [work / seconds(job) / 1e9 for _ in range(max(3, runs))]
        book.add(f"machine/3x3 convolution/{machine.short(half)} peak", rates, "GFLOP/s")
    seen: set[str] = set()
    entries = sorted(models.available(), key=lambda entry: models.ANY not in entry.chosen)
    for entry in entries:
        header = entry.header
        if header.generator in seen or (wanted and header.task not in wanted):
            continue
        seen.add(header.generator)
        with tempfile.TemporaryDirectory(prefix="pincel-bench-") as folder:
            _generator(book, header, cache, Path(folder), quick, runs, peaks)
    for name in wanted or TASKS:
        if not any(entry.header.task == name for entry in entries):
            book.skip(f"tasks/{name}", "there are no weights for it")


def _generator(
    book: Book,
    header: Any,
    cache: ModelCache,
    folder: Path,
    quick: bool,
    runs: int,
    peaks: dict[torch.dtype | None, Any],
) -> None:
    card, name = base.card(header.generator), f"{header.task}/{header.name}"
    source = None
    if TASKS[header.task].source:
        height, width = (QUICK if quick else FULL)["tiled" if card.tiled else "whole"]
        source = folder / "source.png"
        write.write(photograph(height, width), source)
    options = {"generator": header.name}
    model = cache.get(header.task, header.name)
    # What "normal" rounds to is this machine's; the network by itself does the same.
    half = quick_type(model.device) if card.tiled else None
    done: list[dict[str, float]] = []
    bare: list[float] = []
    best: list[float] = []
    pixels, flops = 0, 0.0
    for turn in range(runs + 1):
        spent, clock, pixels = once(header.task, options, cache, folder, source)
        if turn == 0:
            try:
                flops = sum(operations(model.network, shapes) for shapes in clock.inputs)
            except RuntimeError as error:  # a network whose way depends on numbers, or an operation that computes only
                book.skip(f"{name}/share of the peak", f"operations cannot be counted: {error}"[:200])
        convolve, work = peaks[half]
        rate = work / min(seconds(convolve) for _ in range(3))
        alone = _bare(model, card, clock, source, half is None)
        if turn:  # the first one warms up
            done.append(spent)
            bare.append(alone)
            best.append(rate)
    megapixels = pixels / 1e6
    for phase in PHASES:
        if phase in done[0]:
            book.add(f"{name}/{phase}", [s[phase] / megapixels for s in done], "s/MP")
    book.add(f"{name}/task, without files", [s["task"] / megapixels for s in done], "s/MP")
    if flops:
        shares = [100 * flops / s["net"] / rate for s, rate in zip(done, best, strict=True)]
        book.add(f"{name}/net's share of the {machine.short(half)} peak", shares, "%")
    if card.tiled:
        limit = 0.10 if header.task == "upscale" and not quick else None
        book.ratio(f"{name}/overhead over the bare net", [s["task"] for s in done], bare, limit, less=1)
    if header.task == "colorize":
        rest = [s["task"] - s["net"] for s in done]
        book.add(f"{name}/everything but the net at {megapixels:.3g} MP", rest, "s", None if quick else 1.0)


def _bare(model: Model, card: Any, clock: Clock, source: Path | None, exact: bool) -> float:
    """Seconds of the network alone: on the whole source where it works in tiles, else on what the task gave it."""
    if card.tiled and source is not None:
        picture = read.read(source)
        shapes: list[tuple[tuple[int, ...], ...]] = [((1, card.inputs[0].channels, picture.height, picture.width),)]
    else:
        shapes = clock.inputs
    inputs = [tuple(torch.rand(shape) for shape in call) for call in shapes]
    return seconds(lambda: [model(*call, exact=exact) for call in inputs])
