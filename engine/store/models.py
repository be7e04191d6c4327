"""Which weights there are, and which one a task takes.

A weights file is called <generator>.<tag>.safetensors and lies in one of paths.model_folders(); the first folder that has a
name wins, so the user's own files come before the shipped ones. Folders are read anew each time: a running engine sees a
new file at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import paths
from engine.client.errors import GeneratorUnknown, PincelError, WeightsChanged, WeightsError, WeightsMissing
from engine.store.header import Header, digest, read_header

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Entry:
    """One weights file that can be used."""

    path: Path
    header: Header
    sha256: str
    size: int
    chosen: tuple[str, ...]  # the wishes that "auto" takes it for

    def to_dict(self) -> dict[str, Any]:
        """JSON values for lists: no path, since a request never names one."""
        header = self.header
        return {
            "name": header.name,
            "task": header.task,
            "title": header.title,
            "thesis": header.thesis,
            "licence": header.licence,
            "default": bool(self.chosen),
            "for": list(self.chosen),
            "sha256": self.sha256,
            "bytes": self.size,
            "steps": header.steps,
            "metrics": header.metrics,
            "created": header.created,
        }


def files() -> dict[str, Path]:
    """Every weights file by its name (<generator>.<tag>), read or not."""
    found: dict[str, Path] = {}
    for folder in paths.model_folders():
        for path in files_in(folder):
            found.setdefault(path.name.removesuffix(SUFFIX), path)
    return found


def files_in(folder: Path) -> list[Path]:
    """The weights files of a folder, sorted, without hidden ones: macOS keeps what it calls `._NAME` beside a file."""
    found = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    return [path for path in found if not path.name.startswith(".")]


ANY = "any"


def defaults() -> dict[str, dict[str, str]]:
    """The name that "auto" stands for, by task and wish; ANY is for whoever has no other wish in the list."""
    path = paths.shipped("weights") / "defaults.json"
    try:
        return {task: dict(names) for task, names in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError) as error:
        raise WeightsMissing(f"The list of default weights cannot be read: {error}.") from error


def wishes(values: Mapping[str, Any], device: str) -> list[str]:
    """What weights for a job must be good for, the most important first: what the picture holds, as its user says, then a
    processor's haste, unless the best or something between two weights is asked for.
    """
    hasty = values.get("quality") != "best" and values.get("realism") is None
    content = values.get("content")
    return ([str(content)] if content else []) + (["cpu"] if hasty and device in ("cpu", "openvino") else [])


def available() -> list[Entry]:
    """All usable weights, by name. Damaged files are left out: verify() names them."""
    chosen = [pair for names in defaults().values() for pair in names.items()]
    entries = []
    for name, path in files().items():
        try:
            best_for = tuple(wish for wish, other in chosen if other == name)
            entries.append(Entry(path, read_header(path), digest(path), path.stat().st_size, best_for))
        except (WeightsError, OSError):  # the second: it went while it was looked at
            continue
    return sorted(entries, key=lambda e: e.header.name)


def resolve(task: str, name: str, wanted: Sequence[str] = ()) -> Path:
    """The file for "auto", "srgan.psnr" or "srgan" (its default, else its first). wanted: the wishes that "auto" goes by.

    Raises GeneratorUnknown, WeightsMissing.
    """
    found = files()
    chosen = defaults()
    if name == "auto":
        if task not in chosen:  # nothing is shipped for it: the user's own training then, if there is one
            own = [entry.path for entry in available() if entry.header.task == task]
            if not own:
                raise WeightsMissing(f"There are no weights for {task} yet.")
            return own[0]
        best = chosen[task][next((wish for wish in wanted if wish in chosen[task]), ANY)]
        if best not in found:
            raise WeightsMissing(f"The weights {best} that {task} takes by default are missing.")
        return found[best]
    path = named(name)
    header = read_header(path)
    if header.task != task:
        raise GeneratorUnknown(f"{header.name} is for {header.task}, not for {task}.")
    return path


def named(name: str) -> Path:
    """The file for "srgan.psnr" or "srgan" (its default, else its first). Raises GeneratorUnknown."""
    found = files()
    if name not in found:
        same = sorted(full for full in found if full.split(".")[0] == name)
        usual = {names[ANY] for names in defaults().values()}
        name = next((full for full in same if full in usual), same[0] if same else name)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise GeneratorUnknown(f"There is no generator called {name!r}; there are: {known}.", known=sorted(found))
    return found[name]


@dataclass(frozen=True)
class Verdict:
    """What verify() found of one file; error is None when it is sound."""

    name: str
    path: Path
    listed: bool  # whether SHA256SUMS beside it names it
    error: PincelError | None


def verify() -> list[Verdict]:
    """Load every weights file and compare it with the SHA256SUMS beside it; files that are listed and missing count."""
    from engine.store import weights  # needs torch, which lists of weights must not

    verdicts = []
    for folder in paths.model_folders():
        sums = _sums(folder)
        names = {path.name for path in files_in(folder)}
        for file in sorted(names | set(sums)):
            path = folder / file
            error: PincelError | None = None
            try:
                weights.load(path)
                if file in sums and digest(path) != sums[file]:
                    raise WeightsChanged(f"{file} is not the file that SHA256SUMS lists.")
            except PincelError as found:
                error = found
            verdicts.append(Verdict(file.removesuffix(SUFFIX), path, file in sums, error))
    return verdicts


def _sums(folder: Path) -> dict[str, str]:
    """SHA256SUMS as sha256sum writes it: the sums of weights files by name. Lines of another form say nothing."""
    path = folder / "SHA256SUMS"
    if not path.is_file():
        return {}
    lines = (line.split(maxsplit=1) for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
    pairs = [(line[0], line[1].strip().lstrip("*")) for line in lines if len(line) == 2]
    return {name: sha for sha, name in pairs if name.endswith(SUFFIX)}
