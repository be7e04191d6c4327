"""What the service costs: layers there and back against copies in memory and the same in process; clients at once."""

from __future__ import annotations

import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from engine import tasks
from engine.bench import echo
from engine.bench.figures import Book, seconds, turns
from engine.bench.startup import Serving
from engine.bench.work import photograph
from engine.client.pixels import Pixels
from engine.client.session import Session
from engine.store.cache import ModelCache
from engine.tasks import frames
from engine.tasks.base import Picture

MEGABYTES, QUICK_MEGABYTES = (1, 12, 48), (1,)
CLIENTS = (1, 2, 4, 8)
JOBS = 24  # of all clients together


def run(book: Book, quick: bool, runs: int) -> None:
    """Round trips, then a real photograph in process and through the service, then several clients at once."""
    with tempfile.TemporaryDirectory(prefix="pincel-bench-") as name, Serving(Path(name), echo.COMMAND) as serving:
        with Session.connect("pincel-bench", "1", environ=serving.environ) as session:
            for megabytes in QUICK_MEGABYTES if quick else MEGABYTES:
                _round_trip(book, session, megabytes, max(runs, 3))
        _clients(book, serving, quick)
    with (
        tempfile.TemporaryDirectory(prefix="pincel-bench-") as name,
        Serving(Path(name)) as serving,
        Session.connect("pincel-bench", "1", environ=serving.environ) as session,
    ):
        _photograph(book, session, quick, runs)


def _round_trip(book: Book, session: Session, megabytes: int, runs: int) -> None:
    """An RGBA layer of so many million bytes: sent, given back, received."""
    side = round((megabytes * 1e6 / 4) ** 0.5)
    array = np.random.default_rng(0).integers(0, 255, (side, side, 4), np.uint8)
    pixels = frames.to_pixels(Picture(array))
    there, back = np.empty_like(array), np.empty_like(array)

    def copy() -> None:
        np.copyto(there, array)
        np.copyto(back, there)

    def service() -> None:
        [result] = session.submit("echo", {}, {"source": pixels}).wait()
        assert result.nbytes == array.nbytes

    def in_process() -> None:
        frames.to_pixels(tasks.run("echo", frames.to_picture(pixels), {}, ModelCache("cpu")).pictures[0])

    echo.declare()
    try:
        found = turns({"copy": copy, "service": service, "in process": in_process}, runs)
    finally:
        echo.withdraw()
    name = f"service/{megabytes} MB layer there and back"
    book.add(name, found["service"], "s")
    book.add(f"{name}, bytes moved", [2 * array.nbytes / 1e6 / s for s in found["service"]], "MB/s")
    book.ratio(f"{name}, over two copies in memory", found["service"], found["copy"])
    book.ratio(f"{name}, over the same in process", found["service"], found["in process"])


def _photograph(book: Book, session: Session, quick: bool, runs: int) -> None:
    """Colorize of 12 megapixels in process and through the service: the same work on both sides."""
    height, width = (96, 128) if quick else (3000, 4000)
    picture = photograph(height, width)
    pixels, cache = frames.to_pixels(picture), ModelCache("cpu")
    found = turns(
        {
            "service": lambda: session.submit("colorize", {}, {"source": pixels}).wait(),
            "in process": lambda: tasks.run("colorize", picture, {}, cache),
        },
        runs,
    )
    name = f"service/colorize {height * width / 1e6:.3g} MP"
    book.add(name, found["service"], "s")
    book.ratio(f"{name}, over in process", found["service"], found["in process"], None if quick else 1.15)


def _clients(book: Book, serving: Serving, quick: bool) -> None:
    """So many clients with a session each, all with the same jobs: how many jobs a second, and how evenly they are served."""
    side = 64 if quick else 512
    pixels = Pixels(bytes(side * side * 4), side, side, "RGBA", "u8")
    for many in (2,) if quick else CLIENTS:
        each = max(1, (4 if quick else JOBS) // many)
        ends = [0.0] * many
        ready = threading.Barrier(many + 1)

        def client(number: int, each: int = each, ends: list[float] = ends, ready: threading.Barrier = ready) -> None:
            with Session.connect("pincel-bench", "1", environ=serving.environ) as session:
                session.submit("echo", {}, {"source": pixels}).wait()
                ready.wait()
                for _ in range(each):
                    session.submit("echo", {}, {"source": pixels}).wait()
                ends[number] = time.perf_counter()

        threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(many)]
        for thread in threads:
            thread.start()
        ready.wait(120)
        began = time.perf_counter()
        spent = seconds(lambda threads=threads: [thread.join() for thread in threads])  # type: ignore[misc]
        name = f"service/{many} clients at once"
        book.add(f"{name}, {pixels.nbytes / 1e6:.3g} MB layers", [many * each / spent], "jobs/s")
        if many > 1:
            book.ratio(f"{name}, the last to be served over the first", [max(ends) - began], [min(ends) - began])
