"""Which files a command reads and where each result goes, settled before any work is done."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.cli.naming import Naming, labels
from engine.client.errors import InputMissing, OutputExists, OutputFormat, OutputIsSource, PincelError
from engine.client.options import TASKS
from engine.files.write import output_format

READ = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")


@dataclass
class Work:
    """One source and where its results go, one target a variant. A work with an error is only reported.

    source: None where the task works on no picture.
    """

    source: Path | None
    targets: list[Path] = field(default_factory=list)
    error: PincelError | None = None

    @property
    def name(self) -> str:
        """What to call it when it is spoken of."""
        return (self.source or self.targets[0]).name

    def finished(self) -> bool:
        """Whether all its results are there."""
        return bool(self.targets) and all(os.path.exists(target) for target in self.targets)


def plan(
    task: str,
    values: Mapping[str, Any],
    inputs: list[Path],
    out: str | None,
    *,
    recursive: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    extras: Mapping[str, Path] | None = None,
    leave: Callable[[Work], object] = lambda work: None,
    pass_over: Callable[[Path], object] = lambda path: None,
) -> list[Work]:
    """The works, in the order of the inputs; a folder's pictures by name.

    out: None (beside the source), a folder, a file name or a template with {stem}-like fields. A source that is missing, or
    whose target exists, becomes a work with an error; with skip_existing, a source whose targets all exist is left out.
    extras: the other pictures that the command reads ("mask", "hints"), which no result may replace. leave: is called with
    each work left out; pass_over: with each picture of a folder that is called like a result. Raises OptionError or
    OutputFormat when `out` itself makes no sense.
    """
    read = dict(extras or {})
    if TASKS[task].source:
        found = list(_sources(inputs, recursive, labels(task, values), out, pass_over))
    else:
        found = [(Work(None), Path())]
    naming = Naming(task, values, out, len(found), "mask" in read)
    works: list[Work] = []
    taken: dict[str, Path] = {}
    sources = {_place(path) for path in (*(work.source for work, _ in found if work.source), *read.values())}
    for work, below in found:
        if work.error is None:
            work.targets = naming.targets(work.source, below)
            places = [_place(target) for target in work.targets]
            # Another source's result, which this very command makes or leaves out, is not this one's.
            done = skip_existing and taken.keys().isdisjoint(places) and work.finished()
            work.error = None if done else _refused(work, sources, taken, overwrite, skip_existing)
            for place in places:
                taken.setdefault(place, work.source or work.targets[0])
            if done:
                leave(work)
                continue
        works.append(work)
    return works


def _place(path: Path) -> str:
    """Where a path leads, whatever links are on the way: unlike Path.resolve() also where they go round in circles."""
    return os.path.realpath(path)


def _refused(
    work: Work, sources: set[str], taken: Mapping[str, Path], overwrite: bool, skip_existing: bool
) -> PincelError | None:
    """Why the results of a work cannot be written. With skip_existing files that are there are no reason."""
    for target in work.targets:
        place = _place(target)
        if place in sources:
            return OutputIsSource(f"{target} is one of the pictures that are read.", path=str(target))
        if place in taken:
            return OutputExists(
                f"{target} is already the result of {taken[place]}.",
                "Keep the results apart: the folder above with --recursive, -o 'FOLDER/{name}.{ext}' where only the endings "
                "differ, or a command for each.",
            )
        try:
            output_format(target)
        except OutputFormat as error:
            return error
        if os.path.isdir(target) or (os.path.exists(target) and not overwrite and not skip_existing):
            return OutputExists(f"{target} exists.", path=str(target))
    return None


# ---- sources -----------------------------------------------------------------------------------------------------


def _sources(
    inputs: list[Path], recursive: bool, made: str, out: str | None, pass_over: Callable[[Path], object]
) -> Iterator[tuple[Work, Path]]:
    """Each source once, with the folder it has below the input that named it."""
    seen: set[str] = set()
    for given in inputs:
        if os.path.isdir(given):
            candidates = list(_pictures(given, recursive, made, out, pass_over))
            if not candidates:
                remedy = "Name a folder with pictures in it" + ("." if recursive else ", or add --recursive.")
                yield Work(given, error=InputMissing(f"The folder {given} holds no pictures.", remedy)), Path()
        else:
            candidates = [Work(given, error=missing(given))]
        for work in candidates:
            assert work.source is not None
            if _place(work.source) not in seen:
                seen.add(_place(work.source))
                yield work, work.source.parent.relative_to(given) if work.source != given else Path()


def missing(path: Path) -> InputMissing | None:
    """Why a file that somebody named cannot be looked at."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return InputMissing(f"{path} does not exist.", path=str(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return InputMissing(f"{path} cannot be read: {reason}.", path=str(path))
    return None


def _pictures(
    folder: Path, recursive: bool, made: str, out: str | None, pass_over: Callable[[Path], object]
) -> Iterator[Work]:
    """The folder's pictures, without hidden ones and without results (labels: made) that an earlier run left beside them.

    A folder that cannot be listed is a work with an error; the one for the results is no source, wherever it lies.
    """
    closed: list[Work] = []

    def unreadable(error: OSError) -> None:
        sentence = f"The folder {error.filename} cannot be read: {error.strerror}."
        closed.append(Work(Path(error.filename), error=InputMissing(sentence, path=error.filename)))

    results = "" if out is None else os.path.realpath(out)
    for place, folders, names in os.walk(folder, onerror=unreadable):
        yield from closed
        closed.clear()
        folders[:] = [f for f in sorted(folders) if not f.startswith(".") and _place(Path(place, f)) != results]
        folders[:] = folders if recursive else []
        pictures = sorted(n for n in names if not n.startswith(".") and Path(n).suffix.lower() in READ)
        stems = {Path(n).stem for n in pictures}
        for name in pictures:
            result = re.fullmatch(rf"(.+?)\.({made})(-\d+)?", Path(name).stem)
            if result and result[1] in stems:
                pass_over(Path(place) / name)
            else:
                yield Work(Path(place) / name)
    yield from closed
