"""Work for the engine by the hundred: mixed requests, clients that keep several under way, and what a process holds.

Every request is of a real task with the tiny networks; its bytes are made in this process first, and compared with what the
engine gives.
"""

from __future__ import annotations

import os
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine import tasks
from engine.client.pixels import Pixels
from engine.client.session import Session
from engine.store.cache import ModelCache
from engine.tasks import frames
from engine.tasks.base import Picture

# Which kind of request comes when (see _request): those that take long, line art above all, come less often.
TURNS = (0, 4, 6, 3, 5, 7, 1, 4, 6, 5, 7, 2, 4, 6, 5, 7)


@dataclass
class Request:
    """A submit; expected: the bytes of each picture of its result."""

    task: str
    options: dict[str, Any]
    pictures: dict[str, Picture]
    expected: list[bytes] = field(default_factory=list)

    @property
    def buffers(self) -> dict[str, Pixels]:
        return {name: frames.to_pixels(picture) for name, picture in self.pictures.items()}


def requests(photo, count: int, seed: int = 1) -> list[Request]:
    """So many requests of all tasks, generators, depths and sizes, the same each time."""
    dice = random.Random(seed)
    return [_request(photo, dice, n) for n in range(count)]


def _request(photo, dice: random.Random, n: int) -> Request:
    height, width = dice.randrange(1, 40), dice.randrange(1, 40)
    top, left = dice.randrange(photo.shape[0] - height), dice.randrange(photo.shape[1] - width)
    crop = photo[top : top + height, left : left + width]
    grey = crop.mean(2, keepdims=True).astype(np.uint8)
    deep = [grey, (grey * 257.0).astype(np.uint16), (grey / 255).astype(np.float32)][dice.randrange(3)]
    hints = np.zeros((height, width, 4), np.uint8)
    hints[: height // 2 + 1, : width // 2 + 1] = [dice.randrange(256) for _ in range(3)] + [255]
    seeded: dict[str, Any] = {"seed": dice.randrange(2**32)}
    kinds = [
        Request("colorize", seeded | {"variants": dice.choice((1, 2))}, {"source": Picture(deep)}),
        Request("colorize", seeded, {"source": Picture(grey), "hints": Picture(hints)}),
        Request("colorize", {"generator": "pix2pix.art"}, {"source": Picture(deep)}),
        Request(
            "sketch", seeded, {"source": Picture(grey), "reference": Picture(np.ascontiguousarray(photo[:30, :20]))}
        ),
        Request("upscale", {"scale": dice.choice((2.0, 4.0))}, {"source": Picture(np.ascontiguousarray(crop))}),
        Request("upscale", {"realism": 0.5}, {"source": Picture(deep)}),
        Request("generate", seeded | {"count": dice.choice((1, 3)), "generator": "progan.faces"}, {}),
        Request("generate", seeded | {"generator": dice.choice(("dense_gan.comics", "conv_gan.comics"))}, {}),
    ]
    return kinds[TURNS[n % len(TURNS)]]


def make_expected(asked: list[Request]) -> None:
    """The bytes of every request, by the tasks in this process."""
    models = ModelCache("cpu")
    for one in asked:
        extras = dict(one.pictures)
        source = extras.pop("source", None)
        made = tasks.run(one.task, source, one.options, models, **extras)
        one.expected = [bytes(frames.to_pixels(p, one.buffers.get("source")).data) for p in made.pictures]


class Client(threading.Thread):
    """A client that has `under_way` jobs at once until its requests are done.

    finished: (time, seconds from submit to result) of each job, in the order of their ends; wrong: what was not as expected.
    """

    def __init__(self, environ: dict[str, str], asked: list[Request], under_way: int) -> None:
        super().__init__(daemon=True)
        self.environ, self.asked, self.under_way = environ, asked, under_way
        self.finished: list[tuple[float, float]] = []
        self.pings: list[float] = []
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            self._work()
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _work(self) -> None:
        waiting, open_jobs = list(self.asked), []
        with Session.connect("load", "1", environ=self.environ) as session:
            while waiting or open_jobs:
                while waiting and len(open_jobs) < self.under_way:
                    one = waiting.pop(0)
                    job = session.submit(one.task, one.options, one.buffers)
                    open_jobs.append((one, job, time.monotonic()))
                session.step(0.05)
                for entry in [entry for entry in open_jobs if entry[1].step(0.0)]:
                    open_jobs.remove(entry)
                    self._judge(*entry)
                if len(self.finished) % 10 == 5:
                    self.pings.append(session.ping())

    def _judge(self, one: Request, job: Any, began: float) -> None:
        now = time.monotonic()
        self.finished.append((now, now - began))
        if job.error is not None:
            self.wrong.append(f"{one.task} {one.options}: {job.error}")
        elif [bytes(pixels.data) for pixels in job.result] != one.expected:
            self.wrong.append(f"{one.task} {one.options}: other bytes")


def drive(environ: dict[str, str], shares: list[list[Request]], under_way: list[int]) -> list[Client]:
    """A client for each share, all at once; they are done when this returns."""
    clients = [Client(environ, asked, most) for asked, most in zip(shares, under_way, strict=True)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    return clients


def fairness(clients: list[Client]) -> list[float]:
    """Each client's part of the jobs that ended while all clients still had some."""
    until = min(client.finished[-1][0] for client in clients)
    counts = [sum(ended <= until for ended, _ in client.finished) for client in clients]
    return [count / sum(counts) for count in counts]


def percentiles(values: list[float]) -> str:
    """In milliseconds: "50 % 12, 90 % 30, 99 % 41, all 44"."""
    ordered = sorted(values)
    named = {"50 %": 0.5, "90 %": 0.9, "99 %": 0.99, "all": 1.0}
    found = {name: ordered[min(len(ordered) - 1, int(part * len(ordered)))] for name, part in named.items()}
    return ", ".join(f"{name} {1000 * value:.0f}" for name, value in found.items())


def held(pid: int) -> dict[str, float] | None:
    """What a process holds: memory (MiB, resident), handles, threads; None where the system does not say."""
    folder = Path(f"/proc/{pid}")
    try:
        return {
            "memory": int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20,
            "handles": len(list((folder / "fd").iterdir())),
            "threads": len(list((folder / "task").iterdir())),
        }
    except OSError:
        return None
