"""Many short trainings over a grid of hyper-parameters, compared by a held-out figure: sweep.json and TensorBoard's HParams."""

from __future__ import annotations

import itertools
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine import disk, paths
from engine.client.errors import Cancelled, NothingToResume, OptionError, PincelError, TrainingError
from engine.train.arguments import OUT, anywhere, complete, parser, plain
from engine.train.live import Live
from engine.train.lock import Lock
from engine.train.publish import publish
from engine.train.runs import RunFolder
from engine.train.training import Report, Training, check_publishing, check_sizes, found_module

_FAULTS = (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, AssertionError)
_DIRECTLY = ("batch", "ema", "clip", "warmup", "seed", "minutes", "steps")


def grid(asked: Sequence[str]) -> list[dict[str, Any]]:
    """All combinations of ["set.lr=0.01,0.02", ...] as {"set.lr": 0.01, ...}. Raises OptionError."""
    axes: dict[str, list[Any]] = {}
    for text in asked:
        name, equals, values = text.partition("=")
        kind, _, rest = name.partition(".")
        if not equals or not values or not (name in _DIRECTLY or (kind in ("set", "config") and rest)):
            raise OptionError(
                f"--sweep {text} cannot be understood.",
                f"Write set.NAME=A,B, config.NAME=A,B or one of {', '.join(_DIRECTLY)}.",
            )
        for value in values.split(",") if name in _DIRECTLY else ():
            parser("pincel train").parse_args([f"--{name}={value}"])  # says what is wrong with it
        axes[name] = [plain(value) for value in values.split(",")]
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*axes.values())]


def applied(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """A training's values with one combination put in."""
    result = {**values, "set": dict(values.get("set", {})), "config": dict(values.get("config", {}))}
    for name, value in chosen.items():
        kind, _, rest = name.partition(".")
        if rest:
            result[kind][rest] = value
        else:
            result[name] = value
    return result


class Sweep:
    """The trainings of a grid, one after the other, each in a folder of its own below the sweep's.

    A combination that fails is noted and the others go on; Ctrl-C saves and ends all, and the same command with --resume
    goes on.
    """

    def __init__(self, values: Mapping[str, Any], command: str, report: Report, live: Live | None = None) -> None:
        self.command, self.report, self.live = command, report, live
        self.out = Path(values.get("out", OUT))
        self.file = self.out / "sweep.json"
        self.rows: list[dict[str, Any]] = []
        if values.get("resume"):
            kept = self._read()
            self.rows = kept["runs"]
            values = {**kept["arguments"], **values, "sweep": kept["arguments"]["sweep"]}
        self.values = dict(values)
        self.combinations = grid(self.values["sweep"])
        full = complete(self.values)
        if not full["heldout"]:
            raise OptionError("A sweep compares held-out figures.", "Give pictures that are not trained on: --heldout.")
        check_publishing(full)
        module = found_module(full["generator"])
        recipe = module.Recipe
        for chosen in self.combinations:  # a slip is said now, not hours later
            one = applied(self.values, chosen)
            recipe.check(one["set"])
            check_sizes(module, one["config"])
        found = anywhere(full, recipe.OPTIONS)  # a resume may come from elsewhere
        self.values |= {name: found[name] for name in ("data", "heldout", "pack", "set")}
        self.by = full["by"] or recipe.SCORE

    def _read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
        except OSError:
            raise NothingToResume(f"There is no sweep in {self.out}: it has no sweep.json.") from None
        except ValueError as error:
            raise TrainingError(f"The sweep's table {self.file} is damaged.") from error
        return kept

    def run(self) -> dict[str, Any] | None:
        """Train every combination that has no figures yet; the best one's row, if there is one."""
        done = {row["name"]: row for row in self.rows if row["figures"]}
        self.rows = list(done.values())
        if not self.values.get("resume") and self.file.exists():
            raise OptionError(f"There is a sweep in {self.out}.", "Go on with --resume, or choose another --out.")
        lock = Lock(self.out)
        try:
            return self._run(done)
        finally:
            lock.close()

    def _run(self, done: Mapping[str, Any]) -> dict[str, Any] | None:
        self._write()
        for number, chosen in enumerate(self.combinations, 1):
            said = " ".join(f"{name}={value}" for name, value in chosen.items())
            name = f"{number:03d} {said}".replace("/", "_")
            if name in done:
                continue
            self._check_figures()
            self.report(f"Training {number} of {len(self.combinations)}: {said}")
            self.rows.append(self._train(name, chosen))
            self._write()
        self._check_figures()
        best = self.best()
        self.report(self._table(best))
        if all(row["error"] for row in self.rows):
            raise TrainingError("Every training of the sweep failed.", "The table above, and sweep.json, say of what.")
        if best and self.values.get("publish"):
            self._publish(self.out / best["name"])
        return best

    def _train(self, name: str, chosen: dict[str, Any]) -> dict[str, Any]:
        row: dict[str, Any] = {"name": name, "values": chosen, "figures": {}, "steps": 0, "seconds": 0.0, "error": None}
        folder = self.out / name
        one = applied(self.values, chosen) | {"out": str(folder), "sweep": [], "publish": False}
        one["resume"] = (folder / "checkpoint.pt").exists()
        if one["resume"]:
            one = {"out": str(folder), "resume": True}
        try:
            loop = Training(one, self.command, self.report, self.live).run()
        except PincelError as error:
            return self._failed(row, error)
        except _FAULTS as error:  # sizes that do not go together, most likely
            return self._failed(row, TrainingError(f"The training failed: {error}."))
        if loop.stopped:
            self._write()
            raise Cancelled("The sweep was stopped; what was trained is saved.", f"Go on: {going_on(self.out)}")
        board = RunFolder(folder, plots=False)
        board.hyperparameters(chosen, loop.figures)
        board.close()
        return row | {"figures": loop.figures, "steps": loop.step, "seconds": round(loop.seconds, 1)}

    def _check_figures(self) -> None:
        """Whether the trainings so far gave the figure that they are compared by. Raises OptionError."""
        name = self.by.removeprefix("-")
        ended = [row["figures"] for row in self.rows if row["error"] is None]
        if ended and not any(name in figures if name else figures for figures in ended):
            known = ", ".join(ended[0]) or "none"
            raise OptionError(
                f"The trainings give no held-out figure {name!r} to compare them by; there are: {known}.",
                f"Name one of those with --by and go on: {going_on(self.out)}",
            )

    def _failed(self, row: dict[str, Any], error: PincelError) -> dict[str, Any]:
        self.report(str(error))
        return row | {"error": error.to_dict()}

    def best(self) -> dict[str, Any] | None:
        """The row with the best figure; None where no row has it, or has a number for it."""
        rows = [row for row in self.rows if row["figures"]]
        if not rows:
            return None
        self.by = self.by or next(iter(rows[0]["figures"]))
        name, sign = self.by.removeprefix("-"), -1 if self.by.startswith("-") else 1
        rows = [row for row in rows if not math.isnan(row["figures"].get(name, math.nan))]
        return max(rows, key=lambda row: sign * row["figures"][name], default=None)

    def _write(self) -> None:
        best = self.best()
        arguments = {k: v for k, v in self.values.items() if k not in ("resume", "out")}
        said = {"command": self.command, "by": self.by, "best": best and best["name"], "runs": self.rows}
        text = json.dumps({**said, "arguments": arguments}, indent=1)
        disk.whole(self.file, lambda p: p.write_text(text, encoding="utf-8"))

    def _table(self, best: dict[str, Any] | None) -> str:
        lines = []
        for row in self.rows:
            figures = "  ".join(f"{k} {v:.4f}" for k, v in row["figures"].items()) or "no figures"
            if row["error"]:
                figures = f"failed: {row['error']['code']}"
            lines.append(f"{'*' if row is best else ' '} {row['name']}  {figures}")
        known = f"The best by {self.by}: {best['name']}." if best else "No training gave a figure to choose by."
        return "\n".join([*lines, known])

    def _publish(self, run: Path) -> None:
        full = complete(self.values)
        packs = [Path(p) for p in full["pack"]]
        target = paths.make_private(paths.models_folder())
        path = publish(run, target, full["tag"], full["licence"], packs, title=full["title"])
        self.report(f"Published: {path}")


def going_on(out: Path) -> str:
    """The command that resumes a run or a sweep."""
    return f"pincel train --resume --out {shlex.quote(str(out))}."
