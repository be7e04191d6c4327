"""The command `pincel bench`: which sections run, where the figures go, what they are compared with."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console

from engine import __version__
from engine.bench import figures, tables
from engine.bench.figures import Book, Measure
from engine.client.errors import InputMissing, OptionError, PincelError
from engine.client.options import TASKS

RUNS, QUICK_RUNS = 5, 1


def parser(name: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=name,
        description="Measure Pincel on this machine: tasks by phase, startup, service, growth, other runtimes. Compare ratios "
        "within one run; seconds compare only on one quiet machine.",
    )
    made.add_argument("tasks", nargs="*", metavar="TASK", help=f"only these: {', '.join(TASKS)}")
    made.add_argument(
        "--only", action="append", choices=figures.SECTIONS, help="only this section; repeat it for several"
    )
    made.add_argument("--quick", action="store_true", help="tiny pictures, once each: does it run at all")
    made.add_argument("--large", action="store_true", help="growth up to 100 megapixels: takes long")
    made.add_argument("--runs", type=int, metavar="N", help=f"samples of each figure ({RUNS})")
    made.add_argument("--threads", type=int, metavar="N", help="processor threads of the networks (all cores)")
    made.add_argument(
        "--device", default="cpu", metavar="NAME", help="where the tasks compute (cpu); all else is the CPU's"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, for --baseline and the page")
    made.add_argument(
        "--add", action="store_true", help="keep what the file of --json has and this run does not measure"
    )
    made.add_argument("--baseline", type=Path, metavar="FILE", help="compare with the figures that --json wrote")
    made.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the figures of the run as PNG files")
    made.add_argument("--from", dest="stored", type=Path, metavar="FILE", help="show stored figures, measure nothing")
    return made


def measure(
    wanted: tuple[str, ...], only: Sequence[str], quick: bool, large: bool, runs: int, book: Book, device: str
) -> Iterator[str]:
    """Run the sections into the book, giving the name of each when it is done. wanted: tasks, all if empty; device: of the
    section "tasks".
    """
    for section in only:
        if section == "tasks":
            from engine.bench import work

            work.run(book, wanted, quick, runs, device)
        elif section == "startup":
            from engine.bench import startup

            startup.run(book, quick, runs)
        elif section == "service":
            from engine.bench import service

            service.run(book, quick, runs)
        elif section == "growth":
            from engine.bench import growth

            growth.run(book, wanted, large, quick)
        else:
            from engine.bench import peers

            peers.run(book, wanted, quick, runs)
        yield section


def stored(path: Path) -> dict[str, Any]:
    """The figures that --json wrote. Raises InputMissing and OptionError."""
    try:
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        figures.from_json(data)
        assert data["machine"]["processor"] is not None
    except OSError as error:
        raise InputMissing(f"{path} cannot be read: {error.strerror}.", path=str(path)) from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise OptionError(f"{path} holds no figures of pincel bench.", "Give a file that --json wrote.") from error
    return data


def main(arguments: Sequence[str] | None = None, name: str = "pincel bench") -> int:
    """Measure, show, write. Ends with 0; raises PincelError."""
    given = parser(name).parse_args(arguments)
    for task in given.tasks:
        if task not in TASKS:
            raise OptionError(f"There is no task called {task!r}; there are {', '.join(TASKS)}.", option="task")
    baseline = stored(given.baseline) if given.baseline else None
    console = Console(highlight=False)
    if given.stored:
        data = stored(given.stored)
    else:
        data = _measured(given)
    tables.show(console, data, baseline)
    if given.plots:
        from engine.bench import plots

        for path in plots.draw(data, given.plots):
            print(path)
    return 0


def _measured(given: argparse.Namespace) -> dict[str, Any]:
    import torch

    from engine.bench import machine

    if given.threads:
        torch.set_num_threads(given.threads)
        os.environ["OMP_NUM_THREADS"] = str(given.threads)  # for the processes that are started
    status = Console(stderr=True, highlight=False)

    def say(measure: Measure) -> None:
        if not status.is_terminal:
            return
        status.print(f"{measure.name}: {tables.number(measure.value)} {measure.unit}", style="dim", markup=False)

    # Tasks named alone: only what is about tasks.
    only = given.only or (["tasks", "growth", "peers"] if given.tasks else list(figures.SECTIONS))
    runs = max(1, given.runs or (QUICK_RUNS if given.quick else RUNS))
    about = {
        "version": __version__,
        "when": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine.describe(),
        "settings": {"quick": given.quick, "large": given.large, "runs": runs, "only": only, "tasks": given.tasks},
    }
    book = Book(say=say)
    kept = _kept(given, about) if given.add else {}
    data = figures.to_json(book, about)
    for section in measure(tuple(given.tasks), only, given.quick, given.large, runs, book, given.device):
        whole = section if not given.tasks else None  # a section that was measured anew leaves nothing of the old one
        for name in [name for name in kept if name in book.measures or name.split("/")[0] == whole]:
            del kept[name]
        data = figures.to_json(replace(book, measures=kept | book.measures), about)
        if given.json:  # after each section: who ends a long run keeps what there is
            given.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    return data


def _kept(given: argparse.Namespace, about: Mapping[str, Any]) -> dict[str, Measure]:
    """The figures that are in the file already. Raises OptionError where they are another machine's."""
    if given.json is None:
        raise OptionError("--add needs the file to add to: --json FILE.", option="add")
    if not given.json.exists():
        return {}
    before = stored(given.json)
    if any(before["machine"][name] != about["machine"][name] for name in ("processor", "cores", "torch")):
        raise OptionError(f"{given.json} holds another machine's figures.", "Write to another file.", option="add")
    return figures.from_json(before)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PincelError as error:
        print(f"{error.sentence} ({error.code})\n  {error.remedy}", file=sys.stderr)
        sys.exit(error.exit_status)
