"""How time and memory grow with the picture: one process for each size, so that its peak of memory is the job's own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from engine.bench.figures import Book
from engine.bench.startup import environment

# Megapixels of the result; the large ones take many minutes.
SIZES, LARGE, QUICK = (1, 4, 12), (25, 50, 100), (0.01, 0.04)
BOUND = 1.5 * 2**30 / 1e6  # MB beside source and result that a hundred megapixels may take
FLAT = 4  # from so many megapixels on, the time for each is to stay within a tenth


def job(task: str, megapixels: float, scale: float) -> dict[str, float]:
    """One job in this process: its seconds, its peak of memory, and the bytes of source and result.

    megapixels: of the result; scale: of an upscale.
    """
    from engine import forecast, tasks
    from engine.bench.work import photograph
    from engine.store.cache import ModelCache
    from engine.tasks.base import Reporter

    height = max(16, round((megapixels * 1e6 * 3 / 4) ** 0.5 / scale))
    source = photograph(height, round(height * 4 / 3))
    options = {"scale": scale} if task == "upscale" else {}
    cache = ModelCache("cpu")
    tasks.run(task, photograph(32, 32), options, cache)
    reporter = Reporter()
    forecast.begin_peak()
    [made] = tasks.run(task, source, options, cache, reporter).pictures
    return {
        "seconds": sum(s for phase, s in reporter.seconds.items() if phase != "load"),
        "peak": forecast.peak(),
        "held": source.array.nbytes + made.array.nbytes,
        "megapixels": made.width * made.height / 1e6,
    }


def kinds(wanted: tuple[str, ...], large: bool, quick: bool) -> Iterator[tuple[str, str, float, float]]:
    """(name, task, megapixels, scale) of the jobs."""
    for task in ("colorize", "upscale"):
        if wanted and task not in wanted:
            continue
        for size in QUICK if quick else (*SIZES, *(LARGE if large else ())):
            yield f"growth/{task}/{size:g} MP", task, size, 4.0
        if large and task == "upscale":
            yield "growth/upscale 25 to 100 MP/100 MP", task, 100, 2.0


def run(book: Book, wanted: tuple[str, ...], large: bool, quick: bool) -> None:
    """All sizes; quick ones in this process, the others each in one of its own."""
    flat: dict[str, dict[float, float]] = {}
    for name, task, size, scale in kinds(wanted, large, quick):
        # The scale of a colorize is that of its own size.
        asked = (task, size, scale if task == "upscale" else 1.0)
        try:
            found = job(*asked) if quick else _elsewhere(*asked)
        except (subprocess.SubprocessError, ValueError) as error:
            book.skip(name, f"the job failed: {error}"[:200])
            continue
        rate = found["seconds"] / found["megapixels"]
        beside = (found["peak"] - found["held"]) / 1e6
        book.add(f"{name}/time", [rate], "s/MP")
        book.add(f"{name}/peak over source and result", [found["peak"] / found["held"]], "x")
        book.add(f"{name}/memory beside source and result", [beside], "MB", BOUND if size == 100 else None)
        flat.setdefault(name.split("/")[1], {})[size] = rate
    for kind, rates in flat.items():
        sizes = [size for size in rates if size >= FLAT]
        if len(sizes) > 1:
            name = f"growth/{kind}/time at {sizes[-1]:g} MP over {sizes[0]:g} MP"
            book.add(name, [rates[sizes[-1]] / rates[sizes[0]]], "x", 1.1)


def _elsewhere(task: str, megapixels: float, scale: float) -> dict[str, float]:
    """job() in a new process. Raises SubprocessError and ValueError."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="pincel-bench-") as folder:
        arguments = [sys.executable, "-m", "engine.bench.growth", task, str(megapixels), str(scale)]
        done = subprocess.run(
            arguments, env=environment(Path(folder)), check=True, stdout=subprocess.PIPE, text=True, timeout=7200
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(job(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))))
