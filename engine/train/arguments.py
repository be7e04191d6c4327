"""What `pincel train` (`python -m engine.train`, the same) can be told; declared here and nowhere else."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch

from engine.client.errors import OptionError, PincelError
from engine.train import trainables

_DESCRIPTION = """Train a generator from folders of pictures. Ctrl-C saves and ends; --resume goes on. The run's folder holds
checkpoint, sample sheets, curves, stats.jsonl and TensorBoard's events."""
_EXAMPLES = """examples:
  %(prog)s srgan --data photos/train --heldout photos/heldout --minutes 90 --out runs/first
  %(prog)s --resume --out runs/first --minutes 180          goes on, up to three hours in all
  %(prog)s srgan --data faces --steps 5000 --finetune srgan.psnr.safetensors --config blocks=20
  %(prog)s srgan --data photos --heldout more --minutes 5 --sweep set.lr=0.01,0.02 --sweep config.channels=32,48
  %(prog)s srgan --data photos --minutes 90 --publish --tag mine --licence "CC BY 4.0, my own photographs"
"""


OUT = "runs/latest"


def status_of(main: Callable[[], None]) -> int:
    """Run a module's main() as a command: its errors are sentences on stderr; the exit status."""
    try:
        main()
    except PincelError as error:
        print(f"{error.sentence} ({error.code})\n  {error.remedy}", file=sys.stderr)
        return error.exit_status
    return 0


def setting(text: str) -> tuple[str, Any]:
    """name=value, the value as JSON if it is JSON and as text otherwise."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, plain(value)


def plain(text: str) -> Any:
    """The value that a text stands for: JSON if it is JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class Parser(argparse.ArgumentParser):
    """Its errors are OptionError, like those of every other command."""

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:]
        raise OptionError(f"{sentence.rstrip('.')}.", f"See `{self.prog} --help`.")


def _seed(text: str) -> int:
    seed = int(text)
    if not -(2**63) <= seed < 2**63:
        raise argparse.ArgumentTypeError(f"{text} does not fit into 64 bits")
    return seed


_seed.__name__ = "whole number"  # argparse names it in its message


def _above(kind: type, least: float, including: bool = False) -> Any:
    def number(text: str) -> Any:
        value = kind(text)
        if not (value >= least if including else value > least):
            raise argparse.ArgumentTypeError(f"{text} is not {'at least' if including else 'more than'} {least:g}")
        return value

    number.__name__ = "whole number" if kind is int else "number"  # argparse names it in its message
    return number


_count, _positive, _share = _above(int, 0), _above(float, 0), _above(float, 0, including=True)


def parser(prog: str = "python -m engine.train", suppress: bool = False) -> argparse.ArgumentParser:
    """The command line. suppress: what is not given does not appear in the result at all."""
    result = Parser(
        prog=prog,
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS if suppress else None,
        allow_abbrev=False,
    )

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if suppress else value

    result.add_argument("generator", nargs="?", metavar="GENERATOR", help=", ".join(trainables.names()))
    add = result.add_argument_group("pictures").add_argument
    what = "folder of pictures; repeatable, one given twice counts twice"
    add("--data", action="append", default=default([]), metavar="DIR[:PATTERN]", help=what)
    what = "pictures to measure with, never trained on"
    add("--heldout", action="append", default=default([]), metavar="DIR[:PATTERN]", help=what)
    group = result.add_argument_group("length, the one or the other, counted from the very beginning")
    group.add_argument("--minutes", type=_positive, help="by the clock")
    group.add_argument("--steps", type=_count, help="in steps")
    add = result.add_argument_group("training").add_argument
    add("--config", action="append", default=default([]), type=setting, metavar="NAME=VALUE", help="generator's size")
    add("--set", action="append", default=default([]), type=setting, metavar="NAME=VALUE", help="recipe's option")
    what = "the thesis' own sizes and recipe instead of the compact ones; --config and --set still count"
    add("--thesis", action="store_true", default=default(False), help=what)
    add("--batch", type=_count, default=default(16), help="examples a step (16)")
    add("--seed", type=_seed, default=default(0), help="of all randomness (0)")
    add("--ema", type=_share, default=default(0.999), help="decay of the averaged generator (0.999)")
    add("--clip", type=_share, default=default(1.0), help="largest gradient norm; 0 leaves gradients alone (1)")
    add(
        "--warmup",
        type=_above(int, 0, True),
        default=default(100),
        help="steps to the full rate (100; at most 3 %% of a phase)",
    )
    add("--device", default=default("cuda" if torch.cuda.is_available() else "cpu"), help="cpu, cuda, cuda:1, mps")
    add("--threads", type=_count, help="CPU threads")
    add("--compile", action="store_true", default=default(False), help="slow to start, then faster")
    add("--no-bf16", action="store_true", default=default(False), help="full precision throughout")
    add = result.add_argument_group("the run's folder").add_argument
    what = f"what it is called ({OUT}); one that is there already gets a number"
    add("--out", default=default(OUT), metavar="DIR", help=what)
    add("--log-every", type=_count, default=default(50), metavar="STEPS", help="between lines of the log (50)")
    what = "between sample sheets; else every five minutes"
    add("--sample-every", type=_above(int, 0, True), default=default(0), metavar="STEPS", help=what)
    what = "between held-out figures; else at the end alone"
    add("--score-every", type=_above(int, 0, True), default=default(0), metavar="STEPS", help=what)
    add = result.add_argument_group("where to begin").add_argument
    what = "go on from the checkpoint in --out, with what was given then and anything given now"
    add("--resume", action="store_true", default=default(False), help=what)
    add("--finetune", metavar="FILE|NAME", help="start from weights; --config may ask for more blocks or channels")
    add = result.add_argument_group("many trainings").add_argument
    what = "set.NAME, config.NAME or an option above without its dashes; repeat it for a grid"
    add("--sweep", action="append", default=default([]), metavar="NAME=A,B,...", help=what)
    what = "the held-out figure that tells the best one; -NAME: the lowest is best"
    add("--by", metavar="NAME", help=what)
    add = result.add_argument_group("publishing").add_argument
    what = "when it is finished, put the weights into your own models, where every task finds them"
    add("--publish", action="store_true", default=default(False), help=what)
    add("--tag", default=default("mine"), help="the file is called GENERATOR.TAG.safetensors (mine)")
    what = "of the weights, with what the pictures' licences ask"
    add("--licence", default=default("not stated"), help=what)
    add("--title", default=default(""), help="for lists; else the generator's")
    what = "archive that the pictures came from; repeatable"
    add("--pack", action="append", default=default([]), metavar="FILE", help=what)
    what = "replace published weights of the same name"
    add("--overwrite", action="store_true", default=default(False), help=what)
    return result


def given(argv: Sequence[str], prog: str = "python -m engine.train") -> dict[str, Any]:
    """What a command line says, and no defaults. Raises OptionError."""
    values = vars(parser(prog, suppress=True).parse_args(argv))
    return values | {name: dict(values[name]) for name in ("config", "set") if name in values}


def complete(values: dict[str, Any]) -> dict[str, Any]:
    """The values with every default. Raises OptionError where they cannot be meant."""
    defaults = vars(parser().parse_args([]))
    full = defaults | {"config": {}, "set": {}} | values
    if not full["generator"]:
        raise OptionError("No generator is named.", f"Name one of {', '.join(trainables.names())}.")
    if not full["data"]:
        raise OptionError("No pictures are named.", "Give folders of pictures: --data DIR.")
    if (full["steps"] is None) == (full["minutes"] is None):
        raise OptionError("The training needs one length.", "Give either --minutes or --steps.")
    return full


def anywhere(values: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The same values with every path named so that it is found from anywhere: folders, archives, files given to --set.

    options: the recipe's, with their defaults; those whose default is "" take a file's path.
    """
    result = dict(values)
    for name in ("data", "heldout"):
        result[name] = [absolute(folder) for folder in values[name]]
    result["pack"] = [str(Path(pack).expanduser().absolute()) for pack in values["pack"]]
    files = {k: v for k, v in values["set"].items() if v and isinstance(v, str) and options.get(k) == ""}
    result["set"] = {**values["set"], **{k: str(Path(v).expanduser().absolute()) for k, v in files.items()}}
    return result


def located(folder: str) -> tuple[Path, str]:
    """A folder given as DIR or DIR:PATTERN, as absolute path and pattern. Raises OptionError where that cannot be one."""
    path, _, pattern = folder.rpartition(":") if not Path(folder).exists() and ":" in folder else (folder, "", "")
    parts = Path(pattern).parts
    if Path(pattern).anchor or ".." in parts or any("**" in part and part != "**" for part in parts):
        raise OptionError(
            f"{pattern} is no pattern for the pictures in {path}.",
            "Write DIR:PATTERN, the pattern as of files below the folder, such as photos:flowers*.",
        )
    return Path(path).expanduser().absolute(), pattern or "*"


def absolute(folder: str) -> str:
    """The same folder, named so that it is found from anywhere."""
    path, pattern = located(folder)
    return str(path) if pattern == "*" else f"{path}:{pattern}"
