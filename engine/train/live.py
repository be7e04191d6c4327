"""What a training shows while it runs: a bar with the time left on a terminal, lines elsewhere."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.train.plan import Standing

Live = Callable[[Standing], None]


def line(text: str) -> None:
    """A line on stdout, at once: somebody may be watching a file."""
    print(text, flush=True)


@contextmanager
def shown(name: str) -> Iterator[Live | None]:
    """Inside, the training's standing may be told to what this yields (None: there is no terminal to show it on)."""
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn()
    console, said = Console(stderr=True), TextColumn("{task.fields[said]}", style="dim", markup=False)
    # Lines of the log appear above the bar, unless stdout goes elsewhere.
    with Progress(*columns, said, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as bars:
        task = bars.add_task(name, total=1.0, said="")

        def live(now: Standing) -> None:
            steps = f"step {now.step}" + (f" of {now.steps}" if now.steps else "")
            bars.update(task, completed=now.fraction, said=f"{now.phase}, {steps}, {clock(now.left)} left")

        yield live


def clock(seconds: float) -> str:
    """A length of time as people say it: "12 s", "3 min 20 s", "2 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
