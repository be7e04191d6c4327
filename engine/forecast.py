"""What a job will take, in seconds and bytes, from what earlier jobs took on this machine.

Each finished job leaves a record: for each of its phases the seconds and the units of work (megapixels, pictures, starts), and
the memory it needed beside source and results. The records stand in forecast.json in the user's state folder, the last KEPT of
each kind of job: task, network and device. Standard library only, for the broker asks too and must not load torch or numpy.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import paths
from engine.client import options as declared
from engine.client.errors import PincelError
from engine.client.words import forecast as words

KEPT = 16  # records of one kind
KINDS = 64  # kinds of job: the one that was not noted for the longest time goes first
ONCE = ("start", "load")  # phases that only the first job of a process pays for
NEAR = 4.0  # records whose work was within this factor say more than all others
FILE = "forecast.json"


@dataclass(frozen=True)
class Size:
    """A picture's size: pixels, and the bytes of one pixel (channels times bytes of a sample)."""

    width: int
    height: int
    pixel: int = 3

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    @property
    def nbytes(self) -> int:
        return self.width * self.height * self.pixel


NOTHING = Size(0, 0)


@dataclass(frozen=True)
class Forecast:
    """What is expected of a job. seconds: of all phases; phases: of each; bytes: the process's peak; jobs: records behind."""

    seconds: float
    bytes: int
    phases: dict[str, float]
    jobs: int

    def __str__(self) -> str:
        """In words: "about 40 s, 1.2 GB"."""
        return words(self.seconds, self.bytes)


def result_size(size: Size, values: Mapping[str, Any]) -> Size:
    """The size of one result, for any task's complete options; sources that are refused have some size too."""
    if "scale" in values:
        width, height = values["width"], values["height"]
        if width is None and height is None:
            factor = values["scale"]
        else:
            factor = width / max(1, size.width) if width else height / max(1, size.height)
        return Size(width or round(size.width * factor), height or round(size.height * factor), size.pixel)
    if "size" in values:
        return Size(values["size"] or 0, values["size"] or 0)
    return Size(size.width, size.height, max(3, size.pixel))


def count(values: Mapping[str, Any]) -> int:
    """How many pictures the options ask for."""
    return int(values.get("variants") or values.get("count") or 1)


def units(size: Size, values: Mapping[str, Any], phases: list[str], scale: int) -> dict[str, float]:
    """The work of each phase: for those of ONCE 1; else megapixels, or pictures where the network sees the whole at one size.

    scale: the network's. An enlarging network works on the source's pixels times scale squared, whatever size is asked for.
    """
    many = count(values)
    region = values.get("preview")
    shown = region[2] * region[3] / 1e6 if region and region[2] and region[3] else size.megapixels
    work = {}
    for phase in phases:
        if phase in ONCE:
            work[phase] = 1.0
        elif "scale" in values:
            work[phase] = _enlarging(size, values, scale) * (shown / size.megapixels if size.megapixels else 1.0)
        elif "size" in values:
            work[phase] = many * (result_size(size, values).megapixels if phase == "net" else 1.0)
        elif phase == "net":
            work[phase] = many * min(8.0, max(size.width, size.height) / max(1, min(size.width, size.height)))
        else:
            work[phase] = size.megapixels if phase == "read" else shown * many
    return work


def _enlarging(size: Size, values: Mapping[str, Any], scale: int) -> float:
    """Megapixels that the enlarging network puts out, in one pass or two."""
    result = result_size(size, values)
    first = size.megapixels * scale**2
    twice = result.width > size.width * scale or result.height > size.height * scale
    return (first * (1 + scale**2) if twice else first) * (8 if values.get("quality") == "best" else 1)


# ---- the records ---------------------------------------------------------------------------------------------------


def _file() -> Path:
    return paths.state_folder() / FILE


def _records() -> dict[str, list[dict[str, Any]]]:
    """All records by kind, the oldest kind first; a file that is missing or damaged holds none, or those that are sound."""
    try:
        kinds = json.loads(_file().read_text(encoding="utf-8"))["kinds"]
        named = [(kind, records) for kind, records in kinds.items() if len(kind.split()) >= 3]
        return {kind: [r for r in records if _sound(r)] for kind, records in named}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _sound(record: Any) -> bool:
    """Whether all is there, in numbers that can be reckoned with: no infinity, none so small that a division makes one."""

    def within(value: Any, kind: Any, least: float, most: float) -> bool:
        return isinstance(value, kind) and not isinstance(value, bool) and (value == 0 or least <= value <= most)

    def numbers(found: Any) -> bool:
        return isinstance(found, dict) and all(within(v, int | float, 1e-9, 1e15) for v in found.values())

    return (
        isinstance(record, dict)
        and numbers(record.get("seconds"))
        and numbers(record.get("units"))
        and within(record.get("beside"), int, 0, 1e15)
        and within(record.get("scale"), int, 1, 1000)
    )


def _kind(task: str, network: str, device: str, values: Mapping[str, Any]) -> str:
    """What decides the speed: a quality that computes in full precision is a kind of its own."""
    full = values.get("quality", "normal") != "normal"
    device = "cuda" if device == "cuda:0" else device  # a process says the one, the service's broker the other
    return f"{task} {network} {device}{' exact' if full else ''}"


def note(
    task: str,
    network: str,
    device: str,
    size: Size,
    values: Mapping[str, Any],
    seconds: Mapping[str, float],
    peak: int,
    scale: int = 1,
) -> None:
    """Add a job's record. peak: bytes of the process at its highest. A file that cannot be written is no reason to fail."""
    results = result_size(size, values).nbytes * count(values)
    record = {
        "seconds": {phase: round(s, 6) for phase, s in seconds.items()},
        "units": units(size, values, list(seconds), scale),
        "beside": max(0, peak - size.nbytes - results),
        "scale": scale,
    }
    kinds = _records()
    kind = _kind(task, network, device, values)
    kinds[kind] = [*kinds.pop(kind, []), record][-KEPT:]
    kept = dict(list(kinds.items())[-KINDS:])
    with contextlib.suppress(OSError):
        folder = paths.make_private(paths.state_folder())
        descriptor, draft = tempfile.mkstemp(prefix=f".{FILE}.", dir=folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"kinds": kept}, file)
            os.replace(draft, folder / FILE)
        finally:
            Path(draft).unlink(missing_ok=True)


def predict(
    task: str,
    size: Size,
    options: Mapping[str, Any],
    device: str | None = None,
    cold: bool = True,
    started: bool = False,
) -> Forecast | None:
    """What the job is expected to take, None where no such job was done here yet.

    device: None takes the one that did such a job last. cold: whether the process and the network must still be loaded;
    started: the network alone, for this very process does the job, whatever a worker's start took others.
    Raises OptionError and TaskUnknown for options that the task does not have, GeneratorUnknown and WeightsMissing.
    """
    from engine.store import models

    values = declared.task(task).complete(options)
    if "generator" not in values:
        return None
    found = []
    for kind, records in _records().items():
        where = device or kind.split()[2]
        path = models.resolve(task, values["generator"], models.wishes(values, where))
        if records and kind == _kind(task, path.name.removesuffix(models.SUFFIX), where, values):
            found.append(records)
    if not found:
        return None
    records = found[-1]
    past = set() if cold else set(ONCE)
    if started:
        past.add("start")
    names = [name for name in dict.fromkeys(n for r in records for n in r["seconds"]) if name not in past]
    work = units(size, values, names, records[-1]["scale"])
    phases = {name: work[name] * _rate(records, name, work[name]) for name in names}
    biggest = max((work[name] for name in names if name not in ONCE), default=0.0)
    near = [r for r in records if _near(max((u for n, u in r["units"].items() if n not in ONCE), default=0.0), biggest)]
    beside = _median([(r["beside"], 1.0) for r in near or records])
    nbytes = round(beside) + size.nbytes + result_size(size, values).nbytes * count(values)
    return Forecast(sum(phases.values()), nbytes, phases, len(records))


def _near(one: float, other: float) -> bool:
    return other <= NEAR * one and one <= NEAR * other


def _rate(records: list[dict[str, Any]], phase: str, work: float) -> float:
    """Seconds for a unit of the phase: the records' median, weighted by their work; of those of similar work if there are."""
    having = [r for r in records if r["units"].get(phase, 0) > 0 and phase in r["seconds"]]
    near = [r for r in having if _near(r["units"][phase], work)]
    return _median([(r["seconds"][phase] / r["units"][phase], r["units"][phase]) for r in near or having])


def _median(weighted: list[tuple[float, float]]) -> float:
    """The lower weighted median of (value, weight) pairs, 0 of none."""
    half = sum(weight for _, weight in weighted) / 2
    for value, weight in sorted(weighted):
        half -= weight
        if half <= 0:
            return value
    return 0.0


# ---- the process's memory ------------------------------------------------------------------------------------------


def begin_peak() -> None:
    """Let the process's peak of memory begin anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> int:
    """The process's peak of resident memory in bytes since begin_peak(), or ever; 0 where the system does not say."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    try:
        import resource
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def known(task: str, size: Size, options: Mapping[str, Any], device: str | None, cold: bool) -> Forecast | None:
    """predict() for the process that asks, but None instead of an error: the job itself will say what is wrong with it."""
    try:
        return predict(task, size, options, device, cold, started=True)
    except PincelError:
        return None
