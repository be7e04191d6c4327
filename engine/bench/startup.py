"""How long Pincel takes to begin: processes started cold, against what nobody can avoid, torch and the weights."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from engine.bench.figures import Book, Job, turns
from engine.bench.work import photograph
from engine.client import connection
from engine.files import write
from engine.store import models

PATIENCE = 120.0
PINCEL = (sys.executable, "-m", "engine")
# What every engine of this kind must do before its first pixel.
LEAST = "import sys, torch; from safetensors.torch import load_file; load_file(sys.argv[1])"


def environment(folder: Path) -> dict[str, str]:
    """The environment of an engine of its own, with state, log and connection file in the folder, and the user's weights."""
    named = os.pathsep.join(str(path.parent) for path in dict.fromkeys(models.files().values()))
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(p for p in (here, os.environ.get("PYTHONPATH")) if p)
    own = {"PINCEL_HOME": str(folder / "home"), "PINCEL_RUNTIME_DIR": str(folder / "run"), "PYTHONPATH": path}
    return {**os.environ, **own, "PINCEL_MODELS": named}


def done(arguments: tuple[str, ...], environ: Mapping[str, str], folder: Path) -> None:
    """Run a program to its end. Raises CalledProcessError with what it said."""
    subprocess.run(arguments, env=environ, cwd=folder, check=True, capture_output=True, timeout=PATIENCE)


class Serving:
    """An engine in a process of its own, until the end of the with block. command: what is run."""

    def __init__(self, folder: Path, command: tuple[str, ...] = (*PINCEL, "serve")) -> None:
        self.folder, self.command, self.environ = folder, command, environment(folder)

    def __enter__(self) -> Serving:
        said = subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, env=self.environ, cwd=self.folder, stdout=said, stderr=said)
        end = time.monotonic() + PATIENCE
        while not connection.find(self.environ)[0]:
            if self.process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError("the engine of the bench does not start")
            time.sleep(0.002)
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE)


def run(book: Book, quick: bool, runs: int) -> None:
    """Processes from their start: help, torch and weights alone, a first photograph, the broker, a job when all is warm."""
    with tempfile.TemporaryDirectory(prefix="pincel-bench-") as name:
        folder = Path(name)
        environ = environment(folder)
        side = 64 if quick else 512
        write.write(photograph(side, side), folder / "photo.png")
        colorize = (*PINCEL, "colorize", "photo.png", "-q", "--overwrite", "-o", "out.png")
        weights = str(models.resolve("colorize", "auto"))
        jobs: dict[str, Job] = {
            "help": lambda: done((*PINCEL, "--help"), environ, folder),
            "least": lambda: done((sys.executable, "-c", LEAST, weights), environ, folder),
            "first": lambda: done((*colorize, "--engine", "local"), environ, folder),
            "broker": lambda: _ready(folder),
        }
        processor: dict[str, list[float]] = {name: [] for name in jobs}
        # Files must be in the system's cache: disks are not what is measured.
        found = turns({n: _spending(job, processor[n]) for n, job in jobs.items()}, runs, warm=0 if quick else 1)
        used = {name: samples[-runs:] for name, samples in processor.items()}
        book.add("startup/pincel --help", found["help"], "s", 0.3)
        book.add("startup/broker ready", found["broker"], "s", 0.5)
        book.add("startup/import torch and read the weights", found["least"], "s")
        book.add("startup/first colorized photograph, cold", found["first"], "s")
        book.ratio("startup/first photograph over torch and weights", found["first"], found["least"], 1.5)
        book.add("startup/pincel --help, processor time", used["help"], "s", 0.3)
        book.add("startup/broker ready, processor time", used["broker"], "s", 0.5)
        name = "startup/first photograph over torch and weights, processor time"
        book.ratio(name, used["first"], used["least"], 1.5)
        with Serving(folder):
            job = {"warm": lambda: done((*colorize, "--engine", "service"), environ, folder)}
            found = turns(job, runs)
        book.add("startup/photograph by a warm service", found["warm"], "s")


def _spending(job: Job, processor: list[float]) -> Job:
    """The job, which also enters the processor time of its processes: that is the same on a busy machine."""

    def measured() -> None:
        before = os.times()
        job()
        after = os.times()
        processor.append(sum(after[2:4]) - sum(before[2:4]))

    return measured


def _ready(folder: Path) -> None:
    with Serving(folder):
        pass
