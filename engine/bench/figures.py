"""What a run of the bench finds: measures with their spread, and how they are taken.

Other programs may run beside it, so nothing is timed alone where it is to be compared: round() lets the things to compare take
turns, and a ratio is the median of the ratios of each turn.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

Job = Callable[[], object]
SECTIONS = ("startup", "service", "tasks", "peers", "growth")


@dataclass(frozen=True)
class Measure:
    """One figure: the median of `runs` samples, their quartiles, and the most it should be (limit), if that was promised.

    name: "section/subject/what". unit: "s", "s/MP", "MB", "GFLOP/s", "jobs/s" depend on the machine; "x" is a ratio, "%" a
    share: these two can be compared between machines.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    runs: int
    limit: float | None = None

    @property
    def within(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        return None if self.limit is None else self.value <= self.limit


@dataclass
class Book:
    """All measures of a run, in order, and what was left out with the reason. say: told each measure as it comes."""

    measures: dict[str, Measure] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    say: Callable[[Measure], None] = lambda measure: None

    def add(self, name: str, samples: Sequence[float], unit: str, limit: float | None = None) -> Measure:
        """Enter a figure by its samples."""
        low, middle, high = quartiles(samples)
        measure = Measure(name, middle, unit, low, high, len(samples), limit)
        self.measures[name] = measure
        self.say(measure)
        return measure

    def ratio(
        self, name: str, over: Sequence[float], under: Sequence[float], limit: float | None = None, less: float = 0.0
    ) -> Measure:
        """Enter over/under - less, turn by turn, as a ratio ("x")."""
        return self.add(name, [a / b - less for a, b in zip(over, under, strict=True)], "x", limit)

    def skip(self, name: str, reason: str) -> None:
        self.skipped[name] = reason


def quartiles(samples: Sequence[float]) -> tuple[float, float, float]:
    """(lower quartile, median, upper quartile); of one sample three times itself."""
    if len(samples) == 1:
        return samples[0], samples[0], samples[0]
    low, middle, high = statistics.quantiles(samples, n=4, method="inclusive")
    return low, middle, high


def seconds(job: Job) -> float:
    """How long the job takes, once."""
    began = time.perf_counter()
    job()
    return time.perf_counter() - began


def turns(jobs: Mapping[str, Job], runs: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each job, `runs` times in turn after `warm` turns that do not count."""
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(warm + runs):
        for name, job in jobs.items():
            spent = seconds(job)
            if turn >= warm:
                found[name].append(spent)
    return found


def to_json(book: Book, about: Mapping[str, Any]) -> dict[str, Any]:
    """A whole run as JSON values. about: version, machine, settings."""
    return {**about, "measures": [asdict(m) for m in book.measures.values()], "skipped": book.skipped}


def from_json(data: Mapping[str, Any]) -> dict[str, Measure]:
    """The measures of a stored run by name. Raises KeyError or TypeError where it is none."""
    return {m["name"]: Measure(**m) for m in data["measures"]}
