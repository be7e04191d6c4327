"""Many pictures, one after the other: a bad one is reported and the rest go on."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.plan import Work
from engine.cli.report import Report
from engine.client.errors import (
    Cancelled,
    DiskFull,
    EngineNotAnswering,
    EngineNotRunning,
    InternalError,
    NotWritable,
    OptionError,
    OutOfMemory,
    OutputError,
    PincelError,
    ProtocolMismatch,
    Stopping,
    WeightsError,
    WrongKey,
)
from engine.client.options import TASKS

if TYPE_CHECKING:
    from engine.api import Engine, Result

# What would befall every picture alike: the rest is not tried.
_FATAL = (
    OptionError,
    WeightsError,
    DiskFull,
    EngineNotRunning,
    EngineNotAnswering,
    WrongKey,
    ProtocolMismatch,
    Stopping,
    Cancelled,
)

_LOOKED_AT = 50  # pictures whose size is read before the work begins


class Interrupt:
    """Ctrl-C and SIGTERM. In process it ends the work at once; through the service it first asks the engine to cancel the
    job, and only a second one leaves without an answer."""

    def __init__(self) -> None:
        self.asked = False
        self.gently = False

    def __call__(self, number: int, frame: object) -> None:
        first, self.asked = not self.asked, True
        if not (self.gently and first):
            raise KeyboardInterrupt

    @contextmanager
    def installed(self) -> Iterator[None]:
        before = {number: signal.signal(number, self) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True)
class Place:
    """Where the work is to be done. choice: "auto", "local" or "service"; device: in this process, on that one; remote: by
    the engine of another machine. Raises OptionError where these contradict each other."""

    choice: str = "auto"
    device: str | None = None
    remote: str | None = None

    def __post_init__(self) -> None:
        here = f"--device {self.device}" if self.device is not None else "--engine local"
        there = f"--remote {self.remote}" if self.remote is not None else "--engine service"
        away, at_home = self.remote is not None or self.choice == "service", self.choice == "local"
        if away and (self.device is not None or at_home):
            other = "on that machine" if self.remote is not None else "in the running engine"
            raise OptionError(f"{there} works {other}, {here} in this process.", "Leave one of the two away.")


@dataclass(frozen=True)
class How:
    """What the flags say. convert: accept what loses something; overwrite: replace results that exist; skip_existing: leave
    them alone, also those that another run makes meanwhile; quality: of JPEG and WebP, 1 to 100, None for the usual one."""

    convert: bool = False
    overwrite: bool = False
    skip_existing: bool = False
    quality: int | None = None


@contextmanager
def engine_for(place: Place) -> Iterator[tuple[Engine, str]]:
    """The engine to use and where it is, "service" or "local"."""
    from engine.client import connection

    engine: Engine | None = None
    where = "local"
    if place.remote is not None:
        from engine.api import Engine

        engine, where = Engine.connect(remote=place.remote), "service"
    elif place.choice == "service" or (place.choice == "auto" and place.device is None and connection.find()[0]):
        from engine.api import Engine

        try:
            engine, where = Engine.connect(), "service"
        except (EngineNotRunning, EngineNotAnswering, ProtocolMismatch, WrongKey):
            # With "auto" a service that cannot be used is as good as none.
            if place.choice == "service":
                raise
    if engine is None:
        from engine.api import Engine

        engine = Engine(device=place.device)
    try:
        yield engine, where
    finally:
        engine.close()


def run(
    task: str,
    works: list[Work],
    options: Mapping[str, Any],
    extras: Mapping[str, Path],
    report: Report,
    place: Place,
    how: How,
) -> int:
    """Do the works and return the command's exit status: 0, or that of the first picture that failed, or 130.

    options: the task's options. extras: "hints" and "mask" by path.
    """
    began, failures = time.monotonic(), []
    done = bad = left = 0  # pictures
    interrupt = Interrupt()

    def failed(source: Path | None, error: PincelError) -> None:
        failures.append(error)
        if isinstance(error, Cancelled) and done:
            error.remedy = "What is done is whole. Give the same command with --skip-existing to go on."
        report.failed(source, TASKS[task].own(error))

    with interrupt.installed():
        try:
            good = any(work.error is None for work in works)
            with engine_for(place) if good else _nowhere() as (engine, where):
                interrupt.gently = where == "service"
                report.started(len(works), where, place.remote)
                if engine is not None and report.foretells:
                    foretell(task, works, options, report, engine)
                with report.working(len(works)):
                    for work in works:
                        if work.error is None and how.skip_existing and work.finished():
                            left += 1  # another run made them since it was planned
                            report.left_out([work])
                            continue
                        report.began(work)
                        try:
                            if work.error is not None:
                                raise work.error
                            assert engine is not None
                            _one(task, work, options, extras, report, engine, interrupt, how)
                            done += 1
                        except PincelError as error:
                            bad += not isinstance(error, Cancelled)
                            failed(work.source, error)
                            if _fatal(error):
                                break
        except PincelError as error:  # no engine to be had
            report.started(len(works), "none")
            failed(None, error)
        except KeyboardInterrupt:
            failed(None, Cancelled(f"Interrupted; {done} of {len(works)} pictures were done."))
    status = 130 if interrupt.asked else failures[0].exit_status if failures else 0
    faults = sum(not isinstance(error, Cancelled) for error in failures)
    report.finished(done, faults, len(works) - done - bad - left, time.monotonic() - began, status)
    return status


def _fatal(error: PincelError) -> bool:
    """Whether the error would befall every picture alike, and not only the one that it names in its detail."""
    return isinstance(error, _FATAL) and "picture" not in error.detail


def foretell(task: str, works: list[Work], options: Mapping[str, Any], report: Report, engine: Engine) -> None:
    """Say what all the works will take, by this machine's own measurements; nothing where that is not known.

    Of very many pictures some are looked at. What is wrong with one is not said here: its own turn comes.
    """
    good = [work for work in works if work.error is None]
    looked_at = good[:: max(1, len(good) // _LOOKED_AT)]
    seconds, nbytes = 0.0, 0
    for work in looked_at:
        with suppress(PincelError):
            expected = engine.forecast(task, work.source, **options)
            if expected is None:
                return
            seconds, nbytes = seconds + expected.seconds, max(nbytes, expected.bytes)
    if seconds:
        report.foretold(seconds * len(good) / len(looked_at), nbytes)


@contextmanager
def _nowhere() -> Iterator[tuple[None, str]]:
    """No engine, where every picture is known to be bad before one is needed."""
    yield None, "none"


def _one(
    task: str,
    work: Work,
    options: Mapping[str, Any],
    extras: Mapping[str, Path],
    report: Report,
    engine: Engine,
    interrupt: Interrupt,
    how: How,
) -> None:
    """Raises PincelError and KeyboardInterrupt, nothing else."""
    began = time.monotonic()
    try:
        for folder in {target.parent for target in work.targets}:
            _check_folder(folder)
        given: dict[str, Any] = {"convert": how.convert} if work.source is not None else {}
        result: Result = getattr(engine, task)(
            *([work.source] if work.source is not None else []),
            **given,
            on_progress=lambda progress: report.progress(work, progress),
            cancelled=lambda: interrupt.asked,
            **extras,
            **options,
        )
        results = result.variants or [result]
        for target in work.targets:
            _make_folder(target.parent)
        written = []
        for made, path in zip(results, work.targets, strict=True):
            if not (how.skip_existing and path.exists()):
                written.append(made.save(path, overwrite=how.overwrite, quality=how.quality))
    except (PincelError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise OutOfMemory(f"There was not enough memory for {work.name}.") from error
    except Exception as error:
        if interrupt.asked:  # an interrupt inside a library may come out as that library's own error
            raise KeyboardInterrupt from error
        if os.environ.get("PINCEL_DEBUG"):
            raise
        raise InternalError(f"A fault of Pincel's own: {type(error).__name__}: {error}") from error
    report.result(work, written, time.monotonic() - began, result.info)


def _check_folder(folder: Path) -> None:
    """Raises OutputError or NotWritable where no result could be written into the folder: before the work, not after it."""
    there = next(place for place in (folder, *folder.parents) if os.path.exists(place))
    if not os.path.isdir(there):
        raise OutputError(f"{there} is no folder.", path=str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise NotWritable(f"The folder {there} may not be written to.", path=str(there))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        kinds = {errno.ENOSPC: DiskFull, errno.EACCES: NotWritable, errno.EPERM: NotWritable, errno.EROFS: NotWritable}
        kind = kinds.get(error.errno or 0, OutputError)
        raise kind(f"The folder {folder} cannot be made: {error.strerror}.", path=str(folder)) from error
