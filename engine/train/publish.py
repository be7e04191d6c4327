"""From a run folder to a weights file, in 16 bits or fewer, with its whole story: `python -m engine.train.publish`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from engine import disk
from engine.client.errors import (
    InputMissing,
    NothingToResume,
    NotWritable,
    OptionError,
    OutputExists,
    TrainingError,
)
from engine.generators import base
from engine.nn.unet import tame
from engine.store import models, rounded, weights
from engine.store.header import TAG, Header, digest
from engine.train.arguments import Parser, setting, status_of
from engine.train.plots import read_lines
from engine.train.runs import RunFolder
from engine.train.settle import settle


def publish(
    run: Path,
    target: Path,
    tag: str,
    licence: str,
    packs: Sequence[Path],
    metrics: Mapping[str, Any] | None = None,
    title: str = "",
    config: Mapping[str, Any] | None = None,
    bits: int = 16,
    pictures: Sequence[Path] = (),
) -> Path:
    """Write target/<generator>.<tag>.safetensors from the run's checkpoint, read back before it appears; returns its path.

    packs: the archives that the training pictures came from; their names and SHA-256 go into the header, or else those of
    the pictures' folders, and with them the networks that helped. metrics: None takes the run's last held-out figures.
    config: arguments of the generator that were chosen after training (none that changes its tensors). bits: of the file's
    numbers, 32, 16, 8, or 6, 5, 4 or 3 (the larger tensors'). pictures: folders of training pictures by which weights are
    rounded with less error and batch norms measured anew. Raises NothingToResume, NotWritable, InputMissing,
    WeightsNotFinite, and OptionError for another config than the run's tensors have.
    """
    facts = read_facts(run)
    card = base.card(facts["generator"])
    state = RunFolder(run, tensorboard=False, plots=False).load(torch.device("cpu"))
    full = {**facts["config"], **(config or {})}
    try:
        network = base.module(card.name).Generator(**full)
        network.load_state_dict(state["ema"])
    except (TypeError, ValueError, RuntimeError) as error:
        if not config:
            raise
        reason = str(error).strip().splitlines()[-1].strip().rstrip(".")
        raise OptionError(f"The run's network cannot be of these sizes: {reason}.", "Correct --config.") from error
    if pictures:
        settle(network, bits, facts, state, pictures)
    tame(network)
    data = sources(packs) or [{"pack": facts.get("folders", "pictures"), "sha256": facts["data"]}]
    header = Header(
        generator=card.name,
        tag=tag,
        task=card.task,
        title=title or card.title,
        thesis=card.thesis,
        licence=licence,
        config=full,
        data=[*data, *facts.get("helpers", [])],
        steps=state["step"],
        metrics=finite(dict(last_figures(run) if metrics is None else metrics)),
        commit=facts.get("commit", ""),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=facts.get("command", ""),
    )
    path = target / f"{header.name}{models.SUFFIX}"
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".publishing-") as place:
            made = Path(place) / path.name
            weights.write(made, network, header, bits)
            weights.load(made)
            made.replace(path)
    except OSError as error:
        raise NotWritable(f"{path} cannot be written: {error.strerror}.") from error
    return path


def sources(packs: Sequence[Path]) -> list[dict[str, str]]:
    """Archives as a header names them. Raises InputMissing."""
    for pack in packs:
        if not pack.is_file():
            raise InputMissing(f"There is no archive {pack}.", "Check the files given to --pack.")
    return [{"pack": pack.name, "sha256": digest(pack)} for pack in packs]


def helpers(options: Mapping[str, Any]) -> list[dict[str, str]]:
    """The networks whose files a recipe's options name (feature networks, teachers), as a header names them."""
    files = [Path(value) for value in options.values() if isinstance(value, str) and value.endswith(models.SUFFIX)]
    return sources(files)


def read_facts(run: Path) -> dict[str, Any]:
    """A run's run.json. Raises NothingToResume, or TrainingError where it is damaged."""
    try:
        facts: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
        facts["generator"], facts["config"], facts["options"]
    except OSError:
        raise NothingToResume(f"There is no run in {run}: it has no run.json.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"The run's description {run / 'run.json'} is damaged.") from error
    return facts


def last_figures(run: Path) -> dict[str, float]:
    """The last value of every held-out figure of a run."""
    figures: dict[str, float] = {}
    for row in read_lines(run / "stats.jsonl"):
        figures |= {k.removeprefix("heldout/"): v for k, v in row.items() if k.startswith("heldout/")}
    return figures


def finite(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The figures without those that are NaN or infinite, which no JSON can say."""
    kept = {key: finite(value) if isinstance(value, Mapping) else value for key, value in figures.items()}
    return {key: value for key, value in kept.items() if not isinstance(value, float) or math.isfinite(value)}


def list_sums(folder: Path) -> None:
    """Write SHA256SUMS anew for the weights files of a folder."""
    lines = [f"{digest(path)}  {path.name}\n" for path in models.files_in(folder)]
    disk.whole(folder / "SHA256SUMS", lambda part: part.write_text("".join(lines), encoding="utf-8"))


def current_commit() -> str:
    """The commit of the source tree, with "+" where it has changes; "" outside a clone."""
    place = Path(__file__).resolve().parent
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=place, capture_output=True, text=True, check=True)
        changed = subprocess.run(["git", "status", "--porcelain", "engine"], cwd=place.parents[1], capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return commit.stdout.strip() + ("+" if changed.stdout.strip() else "")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command. Raises OptionError, OutputExists and what publish() raises."""
    parser = Parser(prog="python -m engine.train.publish", description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--tag", required=True, help="the file is called GENERATOR.TAG.safetensors")
    parser.add_argument("--licence", required=True, help="of the weights, with what their data's licences ask")
    parser.add_argument("--title", default="")
    parser.add_argument(
        "--pack", action="append", default=[], type=Path, help="archive of training pictures; repeatable"
    )
    parser.add_argument(
        "--config", action="append", default=[], type=setting, metavar="NAME=VALUE", help="chosen after training"
    )
    parser.add_argument("--metrics", type=Path, help="JSON file of held-out figures; else the run's last ones")
    parser.add_argument(
        "--bits", type=int, choices=(32, 16, 8, *rounded.FEW), default=16, help="of the file's numbers (16)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of weights; its SHA256SUMS is written anew")
    parser.add_argument(
        "--pictures", action="append", default=[], type=Path, metavar="DIR",
        help="training pictures by which weights of few bits are rounded and batch norms measured anew; repeatable",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="replace a file of the same name")
    args = parser.parse_args(argv)
    metrics = _figures(args.metrics) if args.metrics else None
    if not TAG.fullmatch(args.tag):
        raise OptionError(f"The tag {args.tag!r} cannot be used.", "Use lower-case letters, digits, - and _.")
    if not args.licence.strip():
        raise OptionError("The licence is empty.", "Say it with --licence.")
    if not (args.run / "checkpoint.pt").exists():
        raise NothingToResume(
            f"There is no trained run in {args.run}.", "Name a folder with run.json and checkpoint.pt."
        )
    target = args.out / f"{read_facts(args.run)['generator']}.{args.tag}{models.SUFFIX}"
    if target.exists() and not args.overwrite:
        raise OutputExists(f"{target} exists.", "Choose another --tag or --out, or allow it with --overwrite.")
    path = publish(
        args.run,
        args.out,
        args.tag,
        args.licence,
        args.pack,
        metrics,
        args.title,
        dict(args.config),
        args.bits,
        args.pictures,
    )
    print(path)
    list_sums(args.out)


def _figures(path: Path) -> dict[str, Any]:
    """The figures of a JSON file. Raises InputMissing, or OptionError where it holds none."""
    try:
        figures = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputMissing(f"{path} cannot be read: {error.strerror}.", "Check the path given to --metrics.") from error
    except ValueError:
        figures = None
    if not isinstance(figures, dict):
        raise OptionError(f"{path} holds no figures.", "Give --metrics a JSON object of names and numbers.")
    return figures


if __name__ == "__main__":
    sys.exit(status_of(main))
