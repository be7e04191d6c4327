"""`pincel evaluate GENERATOR --data DIR`: a generator's figures on pictures that it was never trained on.

Prints a table, and writes JSON and a contact sheet (input, result, truth) for each folder. What is measured, and how, is the
business of engine/train/evaluation/TASK.py, by the task of the generator's card.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine import disk
from engine.client.errors import GeneratorUnknown, NotWritable, OptionError
from engine.client.options import task as declared
from engine.generators import base
from engine.nn.perceptual import Features
from engine.store import models
from engine.store.cache import ModelCache
from engine.store.header import digest, read_header
from engine.train.arguments import Parser, located, setting, status_of
from engine.train.degrade import Damage
from engine.train.evaluation.base import Figures, Report, Request, load
from engine.train.metrics import frechet

TILE = 192  # pixels of a picture on a contact sheet


def weights_of(name: str) -> Path:
    """The weights file of "srgan.psnr" or "srgan" (its default or first). Raises GeneratorUnknown or WeightsMissing."""
    generator = name.partition(".")[0]
    if generator not in base.names():
        raise GeneratorUnknown(f"There is no generator called {generator!r}; there are: {', '.join(base.names())}.")
    return models.resolve(base.card(generator).task, name)


def print_table(title: str, rows: Mapping[str, Figures]) -> None:
    """Methods down, figures across, in lines of at most 120 characters."""
    names = list(dict.fromkeys(name for row in rows.values() for name in row))
    first = max([len(method) for method in rows] + [12]) + 2
    widths = [max(len(name), 9) + 2 for name in names]
    print(title)
    start = 0
    while start < len(names):
        stop = start + 1
        while stop < len(names) and first + sum(widths[start : stop + 1]) <= 120:
            stop += 1
        if stop < len(names) and stop > start + 1 and names[stop] == f"{names[stop - 1]}_truth":
            stop -= 1  # a figure and the truth's stand side by side
        print(" " * first + "".join(f"{n:>{w}}" for n, w in zip(names[start:stop], widths[start:stop], strict=True)))
        for method, row in rows.items():
            cells = [f"{row[n]:.4f}" if n in row else "-" for n in names[start:stop]]
            print(f"{method:{first}}" + "".join(f"{c:>{w}}" for c, w in zip(cells, widths[start:stop], strict=True)))
        start = stop


def contact_sheet(report: Report, path: Path, tile: int = TILE) -> None:
    """The report's pictures in rows, titles above the columns, as one PNG; small ones enlarged by whole factors."""
    head = 16
    sheet = Image.new("RGB", (len(report.columns) * tile, head + len(report.sheet) * tile), "white")
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(report.columns):
        draw.text((column * tile + 3, 2), title, fill="black")
    for row, pictures in enumerate(report.sheet):
        for column, array in enumerate(pictures):
            picture = Image.fromarray(np.ascontiguousarray(array))
            picture.thumbnail((tile, tile))
            times = tile // max(picture.size)
            picture = picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)
            sheet.paste(picture, (column * tile, head + row * tile))
    disk.whole(path, lambda p: sheet.save(p, "PNG"))


def settings_of(name: str, task: str, options: Mapping[str, Any], also: Sequence[Sequence[tuple[str, Any]]]) -> Any:
    """The rows' titles and options: the options given, then each change of them. Raises OptionError."""
    found: dict[str, dict[str, Any]] = {name: dict(options)}
    for changes in also:
        title = f"{name}, " + ", ".join(f"{key}={value}" for key, value in changes)
        found[title] = {**options, **dict(changes)}
    for chosen in found.values():
        declared(task).complete(chosen)
    return found


def _count(text: str) -> int:
    """A number of pictures or pixels."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of at least 1")
    return value


_count.__name__ = "whole number"  # argparse names it in its message


def _changes(text: str) -> list[tuple[str, Any]]:
    return [setting(part) for part in text.split(",")]


def _damage(given: Sequence[tuple[str, Any]], task: str) -> Damage:
    """What --damage asks for. Raises OptionError."""
    if given and task != "upscale":
        raise OptionError(f"Nothing is spoilt for {task}.", "Leave --damage away: it is for enlargers.")
    try:
        return Damage(**dict(given))
    except (TypeError, ValueError) as error:
        said = " ".join(f"{name}={value}" for name, value in given)
        raise OptionError(
            f"There is no such damage: {said}.", "Give --damage blur=0.8 (up to 20), noise=4 (255) or jpeg=60 (95)."
        ) from error


def _tell(text: str) -> None:
    """How far it is, on one line, for whoever watches."""
    if sys.stderr.isatty():
        print(f"\r{text} ", end="", file=sys.stderr, flush=True)


def parser(prog: str) -> argparse.ArgumentParser:
    result = Parser(prog=prog, description=__doc__.partition("\n")[0] if __doc__ else "")
    add = result.add_argument
    what = (
        "a generator, or one of its weights: srgan, srgan.gan; several of one task, and a sheet shows them side by side"
    )
    add("generator", nargs="+", help=what)
    add("--data", action="append", required=True, metavar="DIR[:PATTERN]", help="pictures never trained on; repeatable")
    add("--out", type=Path, default=Path("evaluation"), help="folder for NAME.json and a PNG for each DIR (evaluation)")
    add("--limit", type=_count, help="measure only so many of each folder, evenly picked")
    add("--size", type=_count, help="bring the shortest side down to this many pixels first")
    add("--set", action="append", default=[], type=setting, metavar="NAME=VALUE", help="an option of the task")
    add(
        "--also",
        action="append",
        default=[],
        type=_changes,
        metavar="NAME=VALUE[,...]",
        help="one more row with other options of the task: --also quality=best",
    )
    add(
        "--damage",
        action="append",
        default=[],
        type=setting,
        metavar="NAME=VALUE",
        help="spoil what an enlarger gets: blur=PIXELS (of the large picture), noise=0..255, jpeg=1..95; repeatable",
    )
    what = "pictures that a generator from noise learned from: its own are shown beside the nearest of them"
    add("--neighbours", metavar="DIR[:PATTERN]", help=what)
    add("--features", help="a feature network (SqueezeNet or own), for the Frechet and perceptual distances")
    add("--device", default="cpu", help="cpu, cuda, cuda:1, mps (cpu)")
    add(
        "--json",
        action="store_true",
        help="the figures as JSON on stdout instead of tables; of several generators a list",
    )
    return result


def main(argv: Sequence[str] | None = None, prog: str = "python -m engine.train.evaluate") -> None:
    """Run the command. Raises the errors of the tasks, of the store, and OptionError."""
    args = parser(prog).parse_args(argv)
    paths = [weights_of(name) for name in args.generator]
    features = Features(args.features) if args.features else None
    training = load(args.neighbours)[0] if args.neighbours else []
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotWritable(f"{args.out} cannot be made: {error.strerror}.", "Choose a folder with --out.") from error
    headers = [read_header(path) for path in paths]
    tasks = {header.task for header in headers}
    if len(tasks) > 1:
        raise OptionError(f"These are of several tasks: {', '.join(sorted(tasks))}.", "Measure one task at a time.")
    if training and tasks != {"generate"}:
        raise OptionError(f"No copies are looked for in {tasks.pop()}.", "Leave --neighbours away.")
    samples: dict[str, dict[str, Sequence[np.ndarray]]] = {}  # by folder and generator
    said = []
    for path, header in zip(paths, headers, strict=True):
        figures, reports = _measured(path, args, features, training)
        said.append(figures)
        for folder, report in reports.items():
            samples.setdefault(folder, {})[header.name] = report.sample
    names = endings(args.data)
    for folder, found in samples.items():
        if len(found) > 1 and all(found.values()):
            sheet = args.out / f"{'-'.join(found)}-{names[folder]}.png"
            contact_sheet(Report({}, tuple(found), list(zip(*found.values(), strict=False))), sheet)
            if not args.json:
                print(f"side by side: {sheet}")
    if args.json:
        print(json.dumps(said if len(said) > 1 else said[0], indent=1))


def endings(folders: Sequence[str]) -> dict[str, str]:
    """How the sheets of each DIR or DIR:PATTERN are called: by the folder's last two names and the pattern, no two alike."""
    found: dict[str, str] = {}
    for folder in dict.fromkeys(folders):
        path, pattern = located(folder)
        words = [*path.resolve().parts[-2:], *([] if pattern == "*" else [re.sub(r"[^\w.-]", "_", pattern)])]
        plain = "-".join(words)
        name, number = plain, 2
        while name in found.values():
            name, number = f"{plain}-{number}", number + 1
        found[folder] = name
    return found


def _measured(
    path: Path, args: argparse.Namespace, features: Features | None, training: Sequence[np.ndarray]
) -> tuple[dict[str, Any], dict[str, Report]]:
    """Measure one weights file on each folder, and write what was found, and print it but for --json.

    Returns all that is said in the file, and the reports by folder.
    """
    header = read_header(path)
    settings = settings_of(header.name, header.task, dict(args.set), args.also)
    damage = _damage(args.damage, header.task)
    try:
        evaluation = import_module(f"engine.train.evaluation.{header.task}")
    except ModuleNotFoundError:
        raise OptionError(f"The task {header.task} has no evaluation.", "Measure it by eye.") from None
    cache = ModelCache(device=args.device)
    said: dict[str, Any] = {"generator": header.name, "weights": digest(path), "task": header.task}
    said |= {"options": dict(args.set), "size": args.size, "features": features.name if features else None, "data": {}}
    said |= {"damage": dict(args.damage)} if args.damage else {}
    said["created"] = datetime.now(timezone.utc).isoformat(timespec="seconds")
    reports, names = {}, endings(args.data)
    for folder in args.data:
        card = base.card(header.generator)
        least = max(evaluation.least(card), frechet.SIDE if features and header.task != "generate" else 1)
        pictures, left_out = load(folder, args.size, args.limit, least)
        report = evaluation.run(
            Request(header.name, card, pictures, cache, settings, features, _tell, damage, training)
        )
        finite = {m: {n: v if math.isfinite(v) else None for n, v in row.items()} for m, row in report.rows.items()}
        said["data"][folder] = {"pictures": len(pictures), "left_out": left_out, "figures": finite}
        sheet = args.out / f"{header.name}-{names[folder]}.png"
        contact_sheet(report, sheet)
        for ending, other in report.others.items():
            contact_sheet(other, sheet.with_name(f"{sheet.stem}-{ending}.png"))
        if not args.json:
            number = f"{len(pictures)} pictures" + (f", {left_out} left out" if left_out else "")
            print_table(f"{folder} ({number}), sheet {sheet}", report.rows)
        reports[folder] = report
    text = json.dumps(said, indent=1)
    target = args.out / f"{header.name}.json"
    disk.whole(target, lambda p: p.write_text(text, encoding="utf-8"))
    if not args.json:
        print(f"figures: {target}")
    return said, reports


if __name__ == "__main__":
    sys.exit(status_of(main))
