"""Which files a command reads and where each result goes, settled before any work is done."""

from __future__ import annotations

import os
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.client.errors import InputMissing, OptionError, OutputExists, OutputFormat, OutputIsSource, PincelError
from engine.client.options import SEED_MAX, TASKS
from engine.files.write import ENDINGS

READ = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif")
WRITTEN = tuple(ENDINGS)
FIELDS = ("stem", "name", "task", "seed", "ext", "n")


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


def label(task: str, values: Mapping[str, Any]) -> str:
    """What a default name says about the result: "colorized", "x4", "1920x1080", "w1920", "preview"."""
    if values.get("preview"):
        return "preview"
    if "scale" not in values:
        return task + ("d" if task.endswith("e") else "ed")
    width, height = values["width"], values["height"]
    if width and height:
        return f"{width}x{height}"
    if width or height:
        return f"w{width}" if width else f"h{height}"
    return f"x{values['scale']:g}"


def _labels(task: str, values: Mapping[str, Any]) -> str:
    """A pattern of all that label() says about the results of this task, whatever size is wanted now."""
    return "preview|" + (r"x[\d.]+|\d+x\d+|[wh]\d+" if "scale" in values else re.escape(label(task, {})))


def plan(
    task: str,
    values: Mapping[str, Any],
    inputs: list[Path],
    out: str | None,
    *,
    recursive: bool = False,
    overwrite: bool = False,
    skip_existing: bool = False,
    reads: Iterable[Path] = (),
    leave: Callable[[Work], object] = lambda work: None,
) -> list[Work]:
    """The works, in the order of the inputs; a folder's pictures by name.

    out: None (beside the source), a folder, a file name or a template with {stem}-like fields. A source that is missing, or
    whose target exists, becomes a work with an error; with skip_existing, a source whose targets all exist is left out.
    reads: other pictures that the command reads, which no result may replace. leave: is called with each work left out.
    Raises OptionError or OutputFormat when `out` itself makes no sense.
    """
    if not TASKS[task].source:
        return _from_nothing(task, values, out, overwrite, skip_existing, leave)
    found = list(_sources(inputs, recursive, _labels(task, values)))
    naming = _Naming(task, values, out, len(found))
    works: list[Work] = []
    taken: dict[Path, Path] = {}
    sources = {work.source.resolve() for work, _ in found if work.source} | {path.resolve() for path in reads}
    for work, below in found:
        works.append(work)
        if work.error is not None:
            continue
        work.targets = naming.targets(work.source, below)
        if skip_existing and all(target.exists() for target in work.targets):
            leave(works.pop())
            continue
        work.error = _refused(work, sources, taken, overwrite)
        for target in work.targets:
            taken.setdefault(target.resolve(), work.source or target)
    return works


def _from_nothing(
    task: str,
    values: Mapping[str, Any],
    out: str | None,
    overwrite: bool,
    skip_existing: bool,
    leave: Callable[[Work], object],
) -> list[Work]:
    """The one work of a task without a source."""
    work = Work(None, _Naming(task, values, out, 1).targets(None, Path()))
    if skip_existing and all(target.exists() for target in work.targets):
        leave(work)
        return []
    work.error = _refused(work, set(), {}, overwrite)
    return [work]


def _refused(work: Work, sources: set[Path], taken: Mapping[Path, Path], overwrite: bool) -> PincelError | None:
    for target in work.targets:
        place = target.resolve()
        if place in sources:
            return OutputIsSource(f"{target} is one of the pictures that are read.", path=str(target))
        if place in taken:
            sentence = f"{target} is already the result of {taken[place]}."
            return OutputExists(sentence, "Name the results apart: -o '{stem}-{n}.{ext}' or another folder.")
        if target.exists() and (not overwrite or target.is_dir()):
            return OutputExists(f"{target} exists.", path=str(target))
    return None


# ---- sources -----------------------------------------------------------------------------------------------------


def _sources(inputs: list[Path], recursive: bool, made: str) -> Iterator[tuple[Work, Path]]:
    """Each source once, with the folder it has below the input that named it."""
    seen: set[Path] = set()
    for given in inputs:
        if not given.is_dir():
            missing = None if given.exists() else InputMissing(f"{given} does not exist.", path=str(given))
            candidates = [given]
        else:
            candidates = list(_pictures(given, recursive, made))
            missing = None
            if not candidates:
                remedy = "Name a folder with pictures in it" + ("." if recursive else ", or add --recursive.")
                yield Work(given, error=InputMissing(f"The folder {given} holds no pictures.", remedy)), Path()
        for path in candidates:
            if path.resolve() not in seen:
                seen.add(path.resolve())
                yield Work(path, error=missing), path.parent.relative_to(given) if given.is_dir() else Path()


def _pictures(folder: Path, recursive: bool, made: str) -> Iterator[Path]:
    """The folder's pictures, without hidden ones and without results (labels: made) that an earlier run left beside them."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        pictures = sorted(n for n in names if not n.startswith(".") and Path(n).suffix.lower() in READ)
        stems = {Path(n).stem for n in pictures}
        for name in pictures:
            result = re.fullmatch(rf"(.+?)\.({made})(-\d+)?", Path(name).stem)
            if not (result and result[1] in stems):
                yield Path(place) / name


# ---- targets -----------------------------------------------------------------------------------------------------


class _Naming:
    """The rule that `-o` gives for the names of results."""

    def __init__(self, task: str, values: Mapping[str, Any], out: str | None, sources: int) -> None:
        self.task, self.values, self.out = task, values, out
        self.variants = int(values.get("variants", values.get("count", 1)))
        self.kind = "beside"
        if out is None:
            return
        path = Path(out)
        if "{" in out or "}" in out:
            self.kind = "template"
            self._check_template(out)
        elif out.endswith(("/", os.sep)) or path.is_dir() or not path.suffix:
            self.kind = "folder"
        else:
            self.kind = "file"
            if path.suffix.lower() not in WRITTEN:
                raise OutputFormat(f"Pincel does not write {path.suffix} files.")
            if sources > 1:
                raise OptionError(
                    f"-o {out} is one file, but there are {sources} pictures.",
                    "Give a folder, or a template such as -o 'out/{stem}.{ext}'.",
                )

    def _check_template(self, out: str) -> None:
        try:
            names = {name for _, name, *_ in string.Formatter().parse(out) if name is not None}
            unknown = sorted(names - set(FIELDS))
            if unknown:
                raise ValueError(f"it has an unknown field {{{unknown[0]}}}")
            if "seed" in names and "seed" not in self.values:
                raise ValueError(f"{self.task} has no seed")
            filled = self._filled(Path("stem.png"), 1)
        except ValueError as error:
            fields = ", ".join(f"{{{name}}}" for name in FIELDS)
            remedy = f"The fields are {fields}; write {{{{ for a brace itself."
            raise OptionError(f"The template {out} cannot be used: {error}.", remedy) from error
        if Path(filled).suffix.lower() not in WRITTEN:
            raise OutputFormat(f"The template {out} does not end like a picture.", "End it with .{ext} or .png.")

    def _seed(self, n: int) -> dict[str, int]:
        """The seed of the n-th result, from 1; neighbours and ways of `generate` all belong to the first one's."""
        if "seed" not in self.values:
            return {}
        near = self.values.get("to_seed") is not None or self.values.get("spread", 1) != 1
        return {"seed": (int(self.values["seed"]) + (0 if near else n - 1)) % (SEED_MAX + 1)}

    def _filled(self, source: Path, n: int) -> str:
        fields = {"stem": source.stem, "name": source.name, "task": self.task, "n": n, "ext": _ending(source)[1:]}
        return str(self.out).format(**fields, **self._seed(n))

    def targets(self, source: Path | None, below: Path) -> list[Path]:
        """One path a variant."""
        if source is None:
            return self._targets_of_nothing()
        if self.kind == "template":
            filled = [Path(self._filled(source, n + 1)) for n in range(self.variants)]
            return filled if len(set(filled)) == len(filled) else self._numbered(filled[0])
        if self.kind == "file":
            return self._numbered(Path(str(self.out)))
        folder = source.parent if self.out is None else Path(self.out) / below
        return self._numbered(folder / f"{source.stem}.{label(self.task, self.values)}{_ending(source)}")

    def _targets_of_nothing(self) -> list[Path]:
        """Without a source results are called by their seed, "generated-7.png", where no other name is asked for."""
        source = Path(f"{label(self.task, self.values)}.png")
        if self.kind in ("template", "file"):
            return self.targets(source, Path())
        folder = Path(self.out or ".")
        named = [folder / f"{source.stem}-{self._seed(n + 1)['seed']}.png" for n in range(self.variants)]
        return named if len(set(named)) == len(named) else self._numbered(named[0])

    def _numbered(self, path: Path) -> list[Path]:
        """The path itself for one result, else path-1, path-2 ..."""
        if self.variants == 1:
            return [path]
        return [path.with_name(f"{path.stem}-{n + 1}{path.suffix}") for n in range(self.variants)]


def _ending(source: Path) -> str:
    """The source's own ending where Pincel writes that format, else .png, which loses nothing."""
    return source.suffix.lower() if source.suffix.lower() in WRITTEN else ".png"
