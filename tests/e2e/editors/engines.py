"""A real engine for the editors' tests: the shipped weights; tiny ones only for tasks that no shipped file stands for yet."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from engine.client import connection
from engine.client.errors import PincelError
from engine.client.session import Session
from tests.house.tree import ROOT


def environment(folder: Path) -> dict[str, str]:
    """What editor and engine share, so that they find each other, and nobody else's: folders of their own."""
    return {
        "PINCEL_RUNTIME_DIR": str(folder / "run"),
        "PINCEL_HOME": str(folder / "pincel"),
        "PINCEL_MODELS": str(folder / "models"),
        "OMP_NUM_THREADS": "1",
    }


class Engine:
    """An engine that runs when it is asked for, and can be stopped or killed."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.environ, self.process = environ, None

    def start(self) -> None:
        if self.process is not None and self.process.poll() is None:
            return
        self.stop()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "engine.server"],
            cwd=ROOT,
            env={**os.environ, **self.environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: connection.find(self.environ)[0], "the engine's start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """Stop whichever engine runs there, also one that the editor started."""
        with contextlib.suppress(PincelError), self.session() as session:
            session.stop()
        if self.process is not None:
            self.process.wait(20)
            self.process = None
        until(lambda: not self.answers(), "the engine's end")

    def answers(self) -> bool:
        try:
            self.session().close()
        except PincelError:
            return False
        return True

    def session(self) -> Session:
        return Session.connect("test", "1", start=False, timeout=2.0, environ=self.environ)

    def working(self) -> bool:
        """Whether a job waits or runs."""
        with self.session() as session:
            state = session.status()
        return bool(state["queue"]) or any(worker["job"] for worker in state["workers"])


def until(condition, what: str, patience: float = 60.0):
    """The first true value of condition(); a test that would hang fails instead."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, f"{what} did not happen within {patience:.0f} s"
        time.sleep(0.05)
    return value
