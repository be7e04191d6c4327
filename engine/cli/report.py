"""What a command says while it works: for people (paths on stdout, the rest on stderr) or for programs (JSON lines).

The JSON lines, one object a line, by their "event":

    {"event": "start", "files": 2, "passed_over": 0, "engine": "service", "local" or "none", "version": "0.1.0"}
    {"event": "forecast", "seconds": 41.2, "bytes": 1200000000}                  (of all pictures; left out where not known)
    {"event": "plan", "source": PATH, "targets": [PATH, ...]}                                    (--dry-run only)
    {"event": "progress", "source": PATH, "phase": "net", "step": 1, "steps": 4, "fraction": 0.31, "eta": 2.5 or null}
    {"event": "result", "source": PATH, "targets": [PATH, ...], "seconds": 1.25, "info": {...}}
    {"event": "error", "source": PATH or null, "code": CODE, "sentence": TEXT, "remedy": TEXT, "detail": {...}}
    {"event": "summary", "done": 1, "failed": 1, "skipped": 0, "seconds": 2.5, "exit_status": 3}

A task without a source says null for it. A start comes first and a summary last; between them every source has exactly one
plan, result or error, unless the command was interrupted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from engine.tasks.base import Progress

from engine import __version__
from engine.cli.plan import Work
from engine.client import words
from engine.client.errors import PincelError

_EVERY = 0.1  # seconds between two progress lines


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)


class Lines:
    """JSON lines on stdout, and nothing else there."""

    foretells = True

    def __init__(self) -> None:
        self._last = 0.0
        self._passed_over = 0

    def _say(self, event: str, **values: Any) -> None:
        sys.stdout.write(json.dumps({"event": event, **values}, default=str) + "\n")
        sys.stdout.flush()

    def left_out(self, works: list[Work]) -> None:
        """Nothing: what is left out has no line."""

    def passed_over(self, paths: list[Path]) -> None:
        self._passed_over = len(paths)

    def started(self, files: int, where: str, remote: str | None = None) -> None:
        self._say("start", files=files, passed_over=self._passed_over, engine=where, version=__version__)

    def foretold(self, seconds: float, nbytes: int) -> None:
        self._say("forecast", seconds=round(seconds, 3), bytes=nbytes)

    def planned(self, work: Work) -> None:
        self._say("plan", source=_path(work.source), targets=[str(t) for t in work.targets])

    @contextmanager
    def working(self, total: int) -> Iterator[None]:
        yield

    def began(self, work: Work) -> None:
        self._last = 0.0

    def progress(self, work: Work, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < _EVERY:
            return
        self._last = now
        eta = None if progress.eta is None else round(progress.eta, 2)
        values = {"phase": progress.phase, "step": progress.step, "steps": progress.steps}
        self._say("progress", source=_path(work.source), **values, fraction=round(progress.fraction, 4), eta=eta)

    def result(self, work: Work, targets: list[Path], seconds: float, info: Mapping[str, Any]) -> None:
        paths = [str(t) for t in targets]
        self._say("result", source=_path(work.source), targets=paths, seconds=round(seconds, 3), info=dict(info))

    def failed(self, source: Path | None, error: PincelError) -> None:
        self._say("error", source=_path(source), **error.to_dict())

    def finished(self, done: int, failed: int, skipped: int, seconds: float, status: int) -> None:
        self._say("summary", done=done, failed=failed, skipped=skipped, seconds=round(seconds, 3), exit_status=status)


class Screen:
    """For people: the results' paths on stdout, bars and sentences on stderr. quiet: only what went wrong."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console

        self.quiet = quiet
        self.console: Console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bars: Bars | None = None
        self._all: TaskID | None = None
        self._one: TaskID | None = None
        self._errors: list[tuple[Path | None, PincelError]] = []
        self._files = 0

    @property
    def foretells(self) -> bool:
        return not self.quiet

    def foretold(self, seconds: float, nbytes: int) -> None:
        """One line before the work: "2 pictures: about 40 s, 1.2 GB"."""
        said = words.forecast(seconds, nbytes)
        self.console.print(
            f"{self._files} pictures: {said}" if self._files > 1 else said[0].upper() + said[1:], style="dim"
        )

    def left_out(self, works: list[Work]) -> None:
        """What --skip-existing found done already."""
        if self.quiet or not works:
            return
        count = sum(len(work.targets) if work.source is None else 1 for work in works)
        if works[0].source is None:
            said = "1 picture exists" if count == 1 else f"{count} pictures exist"
        else:
            said = "1 picture has its result" if count == 1 else f"{count} pictures have their results"
        self.console.print(f"{said} already: left out.", style="dim")

    def passed_over(self, paths: list[Path]) -> None:
        """What a folder holds under the names of results of this command."""
        if paths and not self.quiet:
            some = "1 picture is" if len(paths) == 1 else f"{len(paths)} pictures are"
            self.console.print(f"{some} called like results of this command: passed over.", style="dim")

    def started(self, files: int, where: str, remote: str | None = None) -> None:
        """where: as in the JSON lines; remote: the name of the machine whose engine does the work, or None."""
        self._files = files
        if where == "service" and not self.quiet:
            name = "the running engine" if remote is None else f"the engine on {remote}"
            self.console.print(f"Using {name}.", style="dim", markup=False)

    def planned(self, work: Work) -> None:
        for target in work.targets:
            print(target if work.source is None else f"{work.source} -> {target}")

    @contextmanager
    def working(self, total: int) -> Iterator[None]:
        if self.quiet or not self.console.is_terminal:
            yield
            return
        from engine.cli.bars import bars

        # Where stdout is a pipe its lines must not be drawn on the terminal with the bars.
        with bars(self.console, redirect_stdout=sys.stdout.isatty()) as self._bars:
            if total > 1:
                self._all = self._bars.add_task(f"{total} pictures", total=total, phase="")
            yield
        self._bars = None

    def began(self, work: Work) -> None:
        if self._bars is not None:
            self._one = self._bars.add_task(work.name, total=1.0, phase="")

    def progress(self, work: Work, progress: Progress) -> None:
        if self._bars is not None and self._one is not None:
            steps = f" {progress.step}/{progress.steps}" if progress.steps > 1 else ""
            self._bars.update(self._one, completed=progress.fraction, phase=progress.phase + steps)

    def _ended(self) -> None:
        if self._bars is not None:
            if self._one is not None:
                self._bars.remove_task(self._one)
            if self._all is not None:
                self._bars.advance(self._all)
        self._one = None

    def result(self, work: Work, targets: list[Path], seconds: float, info: Mapping[str, Any]) -> None:
        self._ended()
        if self.quiet:
            return
        for target in targets:
            print(target, flush=True)
        for notice in info.get("notices", ()):
            self.console.print(f"{work.name}: {notice}", style="yellow", markup=False)

    def failed(self, source: Path | None, error: PincelError) -> None:
        self._ended()
        self._errors.append((source, error))

    def finished(self, done: int, failed: int, skipped: int, seconds: float, status: int) -> None:
        for source, error in self._errors:
            name = f"{source}: " if source is not None and str(source) not in error.sentence else ""
            self.console.print(f"{name}{error.sentence} ({error.code})", style="red", markup=False)
            self.console.print(f"  {error.remedy}", markup=False)
        if not self.quiet and self._files > 1:
            parts = [f"{done} done", f"{failed} failed" if failed else "", f"{skipped} not tried" if skipped else ""]
            self.console.print(f"{', '.join(p for p in parts if p)}, {seconds:.1f} s.", style="dim")


Report = Lines | Screen
