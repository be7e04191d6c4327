"""What the broker knows of a client and of a job."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from engine.client.protocol import Numbering

# A job whose worker died is begun once more.
ATTEMPTS = 2
BEFORE_WORK = {"phase": "start", "step": 0, "steps": 1, "fraction": 0.0, "eta": None}


@dataclass(eq=False)
class Session:
    """An open session; it belongs to one connection, which Front calls by `address`."""

    address: Any
    numbering: Numbering
    program: str
    jobs: dict[str, Job] = field(default_factory=dict)
    seen: float = field(default_factory=time.monotonic)
    gone: bool = False


@dataclass(eq=False)
class Job:
    """A submit from its arrival to its end. number: its id inside the engine, where clients' ids may collide.

    parts: the pictures as they arrived, kept until the end for a second attempt.
    """

    owner: Session
    id: str
    number: str
    task: str
    options: dict[str, Any]
    buffers: list[dict[str, Any]]
    parts: list[memoryview]
    attempt: int = 0
    progress: dict[str, Any] = field(default_factory=lambda: dict(BEFORE_WORK))
    told: float = 0.0
    over: bool = False

    @property
    def nbytes(self) -> int:
        return sum(part.nbytes for part in self.parts)

    def advance(self, header: dict[str, Any]) -> None:
        """Take a worker's progress; the fraction never falls, also not in a second attempt, and stays below 1."""
        fraction = min(0.999, max(self.progress["fraction"], float(header["fraction"])))
        self.progress = {name: header[name] for name in BEFORE_WORK} | {"fraction": fraction}
