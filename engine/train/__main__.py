"""`python -m engine.train GENERATOR --data DIR --minutes 90`: train a generator from folders of pictures."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from engine.store import weights
from engine.store.header import read_header
from engine.train import trainables
from engine.train.data import PictureStore, fingerprint, pictures_in
from engine.train.loop import Loop, Plan
from engine.train.publish import current_commit, setting
from engine.train.runs import RunFolder


def _files(folders: Sequence[str]) -> list[Path]:
    """The pictures of folders, each given as DIR or DIR:PATTERN."""
    files: list[Path] = []
    for folder in folders:
        path, _, pattern = folder.partition(":") if not Path(folder).exists() else (folder, "", "")
        files += pictures_in(path, pattern or "*")
    return files


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="python -m engine.train", description=__doc__)
    add = result.add_argument
    add("generator", choices=trainables.names())
    add(
        "--data",
        action="append",
        required=True,
        metavar="DIR[:PATTERN]",
        help="folder of pictures; repeatable, one given twice counts twice",
    )
    add(
        "--heldout",
        action="append",
        default=[],
        metavar="DIR[:PATTERN]",
        help="pictures to measure with, never trained on",
    )
    add("--out", default="runs/latest", help="the run's folder")
    add("--minutes", type=float, help="length of the training by the clock")
    add("--steps", type=int, help="length of the training in steps")
    add("--batch", type=int, default=16)
    add("--seed", type=int, default=0)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=int, help="CPU threads of torch")
    add("--ema", type=float, default=0.999)
    add("--clip", type=float, default=1.0)
    add("--score-every", type=int, default=0, metavar="STEPS")
    add("--compile", action="store_true", help="compile the generator: slow to start, then faster")
    add("--no-bf16", action="store_true")
    add("--config", action="append", default=[], type=setting, metavar="NAME=VALUE", help="a size of the generator")
    add("--set", action="append", default=[], type=setting, metavar="NAME=VALUE", help="an option of the recipe")
    add("--resume", action="store_true", help="go on from the run folder's checkpoint")
    add("--finetune", metavar="FILE", help="start from weights; --config may ask for more blocks")
    return result


def main(argv: Sequence[str] | None = None) -> None:
    args = parser().parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    found = trainables.module(args.generator)
    torch.manual_seed(args.seed)
    chosen = dict(args.config)
    if args.finetune:
        source = Path(args.finetune)
        header = read_header(source)
        if header.generator != args.generator:
            raise SystemExit(f"{source} holds {header.generator}: give that name.")
        config = {**header.config, **chosen}
        generator = found.Generator(**config)
        weights.adopt(generator, source)
    else:
        config = {**found.CONFIG, **chosen}
        generator = found.Generator(**config)
    recipe = found.Recipe(generator, dict(args.set))
    store = PictureStore(_files(args.data), recipe.crop, args.device)
    heldout = PictureStore(_files(args.heldout), 1, args.device) if args.heldout else None
    print(f"{len(store)} pictures to train on, {len(store.skipped)} left out (smaller than {recipe.crop} or damaged)")
    plan = Plan(
        steps=args.steps, minutes=args.minutes, batch=args.batch, seed=args.seed, device=args.device, ema=args.ema,
        bf16=not args.no_bf16, clip=args.clip, compile=args.compile, score_every=args.score_every,
    )  # fmt: skip
    folder = RunFolder(args.out)
    folder.describe(
        {
            "generator": args.generator,
            "config": config,
            "options": recipe.options,
            "plan": asdict(plan),
            "pictures": len(store),
            "data": fingerprint(store.files),
            "commit": current_commit(),
            "command": shlex.join(["python", "-m", "engine.train", *(argv if argv is not None else sys.argv[1:])]),
        }
    )
    loop = Loop(recipe, store, folder, plan, heldout)
    if args.resume:
        loop.resume()
    print(f"{sum(p.numel() for p in generator.parameters())} parameters; {config}")
    loop.run()
    folder.close()
    if hasattr(found, "export"):
        print(found.export(folder.path))


if __name__ == "__main__":
    main()
