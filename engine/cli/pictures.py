"""The commands that work on pictures. Their flags are made from engine.client.options: nothing is declared twice."""

from __future__ import annotations

import enum
import inspect
import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.client.errors import OptionError, PincelError
from engine.client.options import TASKS, Option, Task, figure

if TYPE_CHECKING:
    from engine.cli.report import Report

_COMMON = "Files and engine"
_EXTRAS = {
    "reference": "A picture of any size whose colours are wanted, roughly in place.",
    "hints": "A picture as large as the source: where it is painted, its colours are wanted.",
    "mask": "A picture as large as the source: black and transparent keep the source, white takes the result, grey mixes. "
    "One colour on transparency: its opacity alone counts.",
}


class Where(str, enum.Enum):
    auto = "auto"
    local = "local"
    service = "service"


def add_to(app: typer.Typer) -> None:
    """Add a command for every task."""
    for task in TASKS.values():
        app.command(task.name, help=task.help, no_args_is_help=task.source)(_command(task))


def _command(task: Task) -> Callable[..., None]:
    declared = [_declared(option) for option in task.options]
    extras = [_extra(name) for name in task.extras]

    def command(**given: Any) -> None:
        options = {option.name: given[f"option_{option.name}"] for option in task.options}
        paths = {name: given[name] for name in task.extras if given[name] is not None}
        common = {p.name: given[p.name] for p in _common_parameters(task)}
        raise typer.Exit(_run(task, options, paths, **common))

    # typer reads a command's flags from its signature and annotations.
    first = 1 if task.source else 0
    parameters = [*_common_parameters(task)[:first], *declared, *extras, *_common_parameters(task)[first:]]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command


def _declared(option: Option) -> inspect.Parameter:
    """The parameter of one of the task's options. Its name has a prefix: a task's option may be called as a common one."""
    flag = "--" + option.name.replace("_", "-")
    extra: dict[str, Any] = {"help": option.help, "rich_help_panel": "Options of the task"}
    kind: Any = {"int": int, "float": float, "bool": bool}.get(option.kind, str)
    # Ranges and choices are checked by the declaration itself, so that a wrong value has a code and a remedy here too.
    if option.kind in ("int", "float"):
        extra["help"] += f" {figure(option.low)} to {figure(option.high)}."
    elif option.kind == "choice":
        extra["metavar"] = "|".join(option.choices)
    elif option.kind == "bool":
        flag = f"{flag}/--no-{flag[2:]}"
    elif option.name == "preview":
        extra["help"] += " Without numbers too."
        extra["metavar"] = "[X,Y,W,H]"
    elif option.kind == "numbers":
        between = f"{option.count} from {figure(option.low)} to {figure(option.high)}"
        extra["help"] += f" {between}; @FILE reads them as a JSON list."
        extra["metavar"] = "N,N,...|@FILE"
    else:
        extra["metavar"] = "NAME"
    if option.default is None:
        kind = kind | None
    return _parameter(f"option_{option.name}", kind, option.default, flag, **extra)


MIDDLE = "middle"


def normalised(arguments: Sequence[str]) -> list[str]:
    """The command line with a value for each --preview: what follows it, if that is meant as one, else MIDDLE."""
    made = list(arguments)
    for place in [n for n, word in enumerate(made) if word == "--preview"]:
        if not _meant_as_numbers(made[place + 1] if place + 1 < len(made) else ""):
            made[place] = f"--preview={MIDDLE}"
    return made


def _meant_as_numbers(word: str) -> bool:
    """Whether the word behind --preview is its value, right or wrong, and not the next flag or a picture's name."""
    if re.fullmatch(r"-\D.*|.*\.[A-Za-z]{3,4}", word) or os.path.exists(word):
        return re.fullmatch(r"\d+(\s*,\s*\d+)+", word) is not None  # this form always counted as the numbers
    return "," in word or word.isdigit()


def _numbers(option: Option, text: str) -> list[float]:
    """The numbers of a flag: commas between them, or @ and a file that holds a JSON list. Raises OptionError."""
    if option.name == "preview" and text == MIDDLE:
        return [0.0] * option.count
    if option.name == "preview":
        return _rectangle(option, text)
    where = text[1:] if text.startswith("@") else ""
    try:
        found = json.loads(Path(where).read_text("utf-8") if where else f"[{text}]")
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            reason = f"there is no file {where}"
        elif isinstance(error, OSError):
            reason = f"{where} cannot be read: {error.strerror}"
        else:
            reason = f"{where or repr(text[:80])} is no list of numbers"
        remedy = f"Give {option.expects()}, with commas between them, or @ and the name of a JSON file."
        raise OptionError(f"{option.name}: {reason}.", remedy, option=option.name) from None
    if isinstance(found, list) and len(found) == 1 and isinstance(found[0], list):
        return found[0]  # as --json gives them for one variant
    return found if isinstance(found, list) else [found]


def _rectangle(option: Option, text: str) -> list[float]:
    """The preview's numbers. Raises OptionError."""
    numbers = text.split(",")
    wrong = len(numbers) != option.count or not all(number.strip().isdecimal() for number in numbers)
    if wrong or (any(map(int, numbers)) and not all(map(int, numbers[2:]))):
        remedy = "Give --preview X,Y,WIDTH,HEIGHT in the source's pixels, or --preview alone for the middle."
        raise OptionError(f"--preview takes four whole numbers, not {text[:80]!r}.", remedy, option=option.name)
    return [float(number) for number in numbers]


def _extra(name: str) -> inspect.Parameter:
    # readable=False, here and for the files: one that may not be read is reported as every other fault, and the rest goes on.
    return _parameter(
        name, Path | None, None, f"--{name}", help=_EXTRAS[name], readable=False, rich_help_panel="Options of the task"
    )


def _common_parameters(task: Task) -> list[inspect.Parameter]:
    files = inspect.Parameter(
        "inputs",
        inspect.Parameter.KEYWORD_ONLY,
        annotation=Annotated[
            list[Path], typer.Argument(metavar="FILES...", help="Pictures, and folders of them.", readable=False)
        ],
    )
    place = "A file, a folder, or a template with {stem} {name} {task} {seed} {ext} {n}. Else: "
    place += "beside the source." if task.source else "this folder, by seed."
    flags = [
        _parameter("out", str | None, None, "-o", "--out", help=place, metavar="PLACE"),
        _parameter("recursive", bool, False, "-r", "--recursive", help="Folders inside folders too."),
        _parameter("overwrite", bool, False, "--overwrite", help="Replace results that exist (never a source)."),
        _parameter("skip_existing", bool, False, "--skip-existing", help="Leave out sources whose results exist."),
        _parameter("convert", bool, False, "--convert", help="Accept CMYK, palettes and the first frame of several."),
        _parameter(
            "file_quality",
            int | None,
            None,
            "--file-quality",
            min=1,
            max=100,
            metavar="N",
            help="Of JPEG and WebP, 1 to 100. Without it 95, and lossless where the source is a lossless WebP.",
        ),
        _parameter("engine", Where, Where.auto, "--engine", help="auto uses a running engine, if there is one."),
        _parameter("remote", str | None, None, "--remote", help="The engine of another machine: see pincel pair."),
        _parameter(
            "device", str | None, None, "--device", help="cpu, cuda, cuda:1, mps, openvino: works in this process."
        ),
        _parameter("dry_run", bool, False, "--dry-run", help="Say what would be written, and do nothing."),
        _parameter("as_json", bool, False, "--json", help="One JSON object a line on stdout."),
        _parameter("quiet", bool, False, "-q", "--quiet", help="Say only what went wrong."),
    ]
    if task.source:
        return [files, *flags]
    return [flag for flag in flags if flag.name not in ("recursive", "convert")]


def _parameter(name: str, kind: Any, default: Any, *flags: str, **extra: Any) -> inspect.Parameter:
    extra.setdefault("rich_help_panel", _COMMON)
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[kind, typer.Option(*flags, **extra)],
    )


def _run(
    task: Task,
    options: dict[str, Any],
    extras: dict[str, Path],
    *,
    out: str | None,
    overwrite: bool,
    skip_existing: bool,
    file_quality: int | None,
    engine: Where,
    remote: str | None,
    device: str | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    inputs: Sequence[Path] = (),  # these three: tasks with a source
    recursive: bool = False,
    convert: bool = False,
) -> int:
    from engine.cli import batch
    from engine.cli.plan import Work, missing, plan
    from engine.cli.report import Lines, Screen

    report: Report = Lines() if as_json else Screen(quiet)
    left_out: list[Work] = []
    passed_over: list[Path] = []
    try:
        where = batch.Place(engine.value, device, remote)
        written = [option for option in task.options if option.kind == "numbers" and options[option.name] is not None]
        values = task.complete(options | {o.name: _numbers(o, options[o.name]) for o in written})
        for error in map(missing, extras.values()):
            if error is not None:
                raise error
        naming = {"recursive": recursive, "overwrite": overwrite, "skip_existing": skip_existing}
        leave, over = left_out.append, passed_over.append
        works = plan(task.name, values, list(inputs), out, extras=extras, leave=leave, pass_over=over, **naming)
    except PincelError as error:
        return refused(report, error)
    report.left_out(left_out)
    report.passed_over(passed_over)
    if dry_run:
        return _dry(works, report)
    how = batch.How(convert, overwrite, skip_existing, file_quality)
    return batch.run(task.name, works, values, extras, report, where, how)


def refused(report: Report, error: PincelError) -> int:
    """Say why a command cannot even begin; its exit status."""
    report.started(0, "none")
    report.failed(None, error)
    report.finished(0, 1, 0, 0.0, error.exit_status)
    return error.exit_status


def _dry(works: list[Any], report: Any) -> int:
    report.started(len(works), "none")
    bad = [work for work in works if work.error is not None]
    for work in works:
        if work.error is None:
            report.planned(work)
        else:
            report.failed(work.source, work.error)
    status = bad[0].error.exit_status if bad else 0
    report.finished(0, len(bad), len(works) - len(bad), 0.0, status)
    return status
