"""pincel models: the trained networks that there are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.client.errors import NotWritable, OutputExists, WeightsMissing

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]

app = typer.Typer(help="The trained networks: list, show, verify, add.", no_args_is_help=True)


@app.command("list", help="All usable weights; the first column says what a task takes it for by itself.")
def list_models(as_json: Json = False) -> None:
    from engine.store import models

    entries = [entry.to_dict() for entry in models.available()]
    if as_json:
        print(json.dumps(entries, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("For", "Name", "Task", "Size", "Title", box=None)
    table.columns[1].no_wrap = True  # it is to be typed: a narrow terminal cuts titles
    for entry in entries:
        size = f"{entry['bytes'] / 1e6:.1f} MB"
        table.add_row(", ".join(entry["for"]), entry["name"], entry["task"], size, entry["title"])
    Console(highlight=False, markup=False, emoji=False).print(table)  # titles are other people's


@app.command("show", help="Everything that a weights file says about itself.")
def show(name: Annotated[str, typer.Argument(metavar="NAME")], as_json: Json = False) -> None:
    from engine.store import header as headers
    from engine.store import models

    path = models.named(name)
    header = headers.read_header(path)
    values: dict[str, Any] = {"name": header.name, "path": str(path), "bytes": path.stat().st_size}
    values |= {k: v for k, v in vars(header).items() if k != "shapes"}
    values |= {"sha256": headers.digest(path), "tensors": len(header.shapes)}
    if as_json:
        print(json.dumps(values, indent=1))
        return
    lines = list(_lines(values))
    width = min(28, max(len(key) for key, _ in lines))  # some figures are named by a whole sentence
    for key, value in lines:
        print(f"{key:{width}}  {value}")


def _lines(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """One line for every value, what lies deeper named by its path: "config.base", "data.0.pack"."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(part, dict) for part in value)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _lines(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value)


@app.command(
    "verify", help="Load every weights file and compare it with its checksum. Exit status 5 if one is damaged."
)
def verify(as_json: Json = False) -> None:
    from engine.store import models

    verdicts = models.verify()
    errors = [verdict.error for verdict in verdicts if verdict.error is not None]
    if as_json:
        rows = [
            {"name": v.name, "path": str(v.path), "listed": v.listed, "error": v.error and v.error.to_dict()}
            for v in verdicts
        ]
        print(json.dumps(rows, indent=1))
    else:
        for v in verdicts:
            print(f"{v.name}: {'sound' if v.error is None else f'{v.error.sentence} ({v.error.code})'}")
            if v.error is not None:
                print(f"  {v.error.remedy}")
        if not verdicts:
            print("There are no weights.")
    if errors:
        raise typer.Exit(errors[0].exit_status)


@app.command("add", help="Check a weights file and copy it to your own models, where every task finds it.")
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE.safetensors")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace one of the same name.")] = False,
) -> None:
    from engine import disk, paths
    from engine.store import weights

    if not os.path.isfile(file):
        what = "is no file" if os.path.exists(file) else "is not there"
        raise WeightsMissing(f"{file} {what}.", "Check the path: give one .safetensors file.")
    weights.load(file)
    folder = paths.models_folder()
    target = folder / file.name
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} exists.", "Allow it with --overwrite.", path=str(target))
    try:
        paths.make_private(folder)
    except OSError as error:
        raise NotWritable(f"{folder} cannot be made: {error.strerror}.", "Choose a folder: PINCEL_MODELS.") from error
    disk.whole(target, lambda part: shutil.copyfile(file, part))
    print(target)
