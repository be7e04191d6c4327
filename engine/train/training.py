"""One training from its command line to its end: what was asked is checked, the run's folder laid out, the loop run."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from engine import paths
from engine.client.errors import (
    GeneratorUnknown,
    InputMissing,
    OptionError,
    OutOfMemory,
    OutputExists,
    PincelError,
    WeightsMissing,
)
from engine.store import models, weights
from engine.store.cache import quick_type
from engine.store.header import NUMBER_MAX, TAG, modest, read_header
from engine.train import kinds, trainables
from engine.train.arguments import OUT, anywhere, complete, given, located
from engine.train.data import PictureStore, fingerprint, pictures_in
from engine.train.live import Live
from engine.train.lock import Lock
from engine.train.loop import Loop
from engine.train.plan import Plan
from engine.train.publish import current_commit, helpers, publish, read_facts, sources
from engine.train.recipe import BaseRecipe
from engine.train.runs import RunFolder

Report = Callable[[str], None]


class Training:
    """What a training's values (those of engine.train.arguments) ask for, checked; run() does it.

    Raises OptionError, GeneratorUnknown, InputMissing, NothingToResume, OutputExists and the errors of weights files
    before anything is written.
    """

    def __init__(self, values: Mapping[str, Any], command: str, report: Report, live: Live | None = None) -> None:
        self.command, self.report, self.live = command, report, live
        self.before: dict[str, Any] = read_facts(Path(values.get("out", OUT))) if values.get("resume") else {}
        if self.before:
            values = merged(self.before, values)
        self.values = complete(dict(values))
        self.out = Path(self.values["out"])
        check_place(self.out, bool(self.before))
        self.found = found_module(self.values["generator"])
        self.values = anywhere(self.values, self.found.Recipe.OPTIONS)  # a resume may come from elsewhere
        check_publishing(self.values)
        if self.values["threads"]:
            torch.set_num_threads(self.values["threads"])
        self.device = usable(self.values["device"])
        torch.manual_seed(self.values["seed"])
        self.config, self.generator = self._build()
        start = self.found.Recipe.THESIS if self.values["thesis"] and not self.before else {}
        options = {**start, **self.before.get("options", {}), **self.values["set"]}
        try:
            self.recipe: BaseRecipe = self.found.Recipe(self.generator, options)
            self.recipe.phases()
        except ValueError as error:
            sentence = str(error).rstrip(".")
            remedy = "Correct --set NAME=VALUE, or the sizes given as --config NAME=VALUE."
            raise OptionError(f"{sentence[:1].upper()}{sentence[1:]}.", remedy) from error
        except OSError as error:
            raise InputMissing(f"{str(error).rstrip('.')}.", "Check the paths given to --set NAME=VALUE.") from error
        if self.before and not (self.out / "checkpoint.pt").exists():
            RunFolder(self.out, tensorboard=False, plots=False).load(torch.device("cpu"))  # says what is missing

    def _build(self) -> tuple[dict[str, Any], nn.Module]:
        chosen, source = self.values["config"], self.values["finetune"]
        if self.before:
            return self.before["config"], built(self.found, self.before["config"])
        check_sizes(self.found, chosen)
        if self.values["thesis"] and not hasattr(self.found, "THESIS"):
            raise OptionError(f"No thesis gives {self.values['generator']} its sizes.", "Leave --thesis away.")
        if not source:
            config = {**(self.found.THESIS if self.values["thesis"] else self.found.CONFIG), **chosen}
            return config, built(self.found, config)
        path = weights_called(source)
        header = read_header(path)
        if header.generator != self.values["generator"]:
            raise OptionError(f"{source} holds {header.generator}, not {self.values['generator']}.", "Name that one.")
        config = {**header.config, **chosen}
        generator = built(self.found, config)
        weights.adopt(generator, path)
        return config, generator

    def run(self) -> Loop:
        """Train to the end or to Ctrl-C; export and publish what is finished. Raises Diverged, OutOfMemory."""
        try:
            return self._run()
        except torch.OutOfMemoryError as error:
            raise OutOfMemory(f"The memory of {self.device} does not suffice.", "Give a smaller --batch.") from error

    def _run(self) -> Loop:
        values = self.values
        if self.out.is_dir():  # said before pictures are read, which takes a while
            Lock(self.out).close()
        store = self._store(values["data"], self.recipe.crop)
        heldout = self._store(values["heldout"], self.recipe.least) if values["heldout"] else None
        self.report(f"{len(store)} pictures to train on ({store.place()}), {len(store.skipped)} left out")
        if heldout and heldout.skipped:
            self.report(f"{len(heldout)} pictures to measure with, {len(heldout.skipped)} left out")
        plan = Plan(
            steps=values["steps"], minutes=values["minutes"], batch=values["batch"], seed=values["seed"],
            device=values["device"], ema=values["ema"], clip=values["clip"], warmup=values["warmup"],
            bf16=not values["no_bf16"] and has_bf16(self.device), compile=values["compile"],
            log_every=values["log_every"], sample_every=values["sample_every"], score_every=values["score_every"],
        )  # fmt: skip
        lock = self._room()
        try:
            return self._trained(store, heldout, plan)
        finally:
            lock.close()

    def _trained(self, store: PictureStore, heldout: PictureStore | None, plan: Plan) -> Loop:
        folder = RunFolder(self.out)
        loop = Loop(self.recipe, store, folder, plan, heldout, self.report, self.live)
        if self.before:
            loop.resume()
        self._describe(folder, plan, store, loop.step)
        for notice in folder.notices:
            self.report(notice)
        self.report(f"{sum(p.numel() for p in self.generator.parameters())} parameters; {self.config}")
        try:
            loop.run()
        finally:
            folder.close()
        if not loop.stopped:
            self._finish()
        return loop

    def _store(self, folders: list[str], side: int) -> PictureStore:
        files = [path for folder in folders for path in pictures_in(*located(folder))]
        return PictureStore(files, side, self.device)

    def _room(self) -> Lock:
        """The run's folder, locked. A run that is already called so gets the next free number behind its name: nothing is
        lost or mixed. Raises TrainingError where a training is running there.
        """
        lock = Lock(self.out)
        if self.before or not (self.out / "run.json").exists():
            return lock
        number = 1
        while (aside := self.out.with_name(f"{self.out.name}.{number}")).exists():
            number += 1
        lock.move(aside)
        self.report(f"The run that was in {self.out} is now in {aside}.")
        return Lock(self.out)

    def _describe(self, folder: RunFolder, plan: Plan, store: PictureStore, step: int) -> None:
        data = fingerprint(store.files)
        if self.before and self.before["data"] != data:
            self.report("These are not the pictures that this training saw before.")
        facts = {
            "generator": self.values["generator"],
            "config": self.config,
            "options": self.recipe.options,
            "plan": asdict(plan),
            "pictures": len(store),
            "folders": ", ".join(located(folder)[0].name for folder in self.values["data"]),
            "data": data,
            "helpers": self.before.get("helpers", [*helpers(self.recipe.options), *self._beginnings()]),
            "commit": self.before.get("commit", current_commit()),
            "command": self.before.get("command", self.command),
            "resumed": self.before.get("resumed", []),
            "arguments": self.values,
        }
        if self.before:
            facts["resumed"] = [*facts["resumed"], {"step": step, "commit": current_commit(), "command": self.command}]
        folder.describe(facts)

    def _beginnings(self) -> list[dict[str, str]]:
        """The weights that it begins with, as a header names them: what those learned from is in this training's, too."""
        source = self.values["finetune"]
        return sources([weights_called(source)]) if source else []

    def _finish(self) -> None:
        values, packs = self.values, [Path(p) for p in self.values["pack"]]
        if hasattr(self.found, "export"):  # a helper of trainings: no weights that a task could use
            self.report(f"Written: {self.found.export(self.out, sources(packs))}")
        elif values["publish"]:
            target = paths.make_private(paths.models_folder())
            path = publish(self.out, target, values["tag"], values["licence"], packs, title=values["title"])
            self.report(f"Published: {path}")


def merged(facts: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What a resumed training is told: what its run was told, and on top what is said now. Raises OptionError."""
    before = dict(facts.get("arguments") or given(shlex.split(facts["command"])[3:]))
    before["generator"] = facts["generator"]
    if now.get("generator", facts["generator"]) != facts["generator"]:
        raise OptionError(f"This run trains {facts['generator']}.", "Leave the generator away, or name that one.")
    for name, value in now.get("config", {}).items():
        if facts["config"].get(name) != value:
            raise OptionError(
                f"A run keeps its sizes: {name} is {facts['config'].get(name)!r}.",
                "Leave --config away; or begin a new run (--finetune with this one's published weights, another --out).",
            )
    for name in ("finetune", "thesis"):
        if now.get(name):
            raise OptionError(
                f"A resumed run has begun: --{name} has no say any more.", f"Leave --{name} or --resume away."
            )
    if "steps" in now or "minutes" in now:
        before["steps"] = before["minutes"] = None
    both: dict[str, Any] = {"set": {**before.get("set", {}), **now.get("set", {})}, "finetune": None, "config": {}}
    both["out"] = now.get("out", OUT)  # the folder may have been moved
    return {**before, **now, **both}


def found_module(name: str) -> ModuleType:
    """The module of something that can be trained. Raises GeneratorUnknown."""
    if name not in trainables.names():
        known = trainables.names()
        raise GeneratorUnknown(f"There is no generator called {name!r}; there are: {', '.join(known)}.", known=known)
    return trainables.module(name)


def weights_called(source: str) -> Path:
    """The weights file of that path, else of that name among those that there are. Raises WeightsMissing."""
    if Path(source).exists():
        return Path(source)
    known = models.files()
    name = source.removesuffix(models.SUFFIX)
    if name not in known:
        raise WeightsMissing(
            f"{source} is neither a file nor the name of weights; there are: {', '.join(sorted(known)) or 'none'}.",
            "Give --finetune the path of a .safetensors file, or a name that `pincel models list` shows.",
        )
    return known[name]


def check_place(out: Path, resumed: bool) -> None:
    """Whether a run that is in the way could be moved aside. Raises OptionError where this process stands in its folder."""
    place = out.resolve()
    if not resumed and (out / "run.json").exists() and place in (Path.cwd(), *Path.cwd().parents):
        raise OptionError(
            f"The run in {out} cannot be moved aside: it holds the folder that you are in.",
            "Give another folder with --out, or go on with that run: --resume.",
        )


def check_publishing(values: Mapping[str, Any]) -> None:
    """Whether what is to be published can be, before it is trained. Raises OptionError, OutputExists, InputMissing."""
    if not values["publish"]:
        return
    if not hasattr(found_module(values["generator"]), "CARD"):
        raise OptionError(f"{values['generator']} is not published: no task runs it.", "Leave --publish away.")
    if not TAG.fullmatch(values["tag"]):
        raise OptionError(f"The tag {values['tag']!r} cannot be used.", "Use lower-case letters, digits, - and _.")
    if not values["licence"].strip():
        raise OptionError("The licence is empty.", "Say it with --licence, or leave --licence away.")
    before = read_facts(Path(values["out"]))["config"] if values["resume"] and not values["sweep"] else {}
    if not modest({**before, **values["config"]}):
        raise OptionError(
            f"Weights of these sizes are not published: a number is above {NUMBER_MAX}, or a list too long.",
            "Correct --config, or leave --publish away.",
        )
    target = paths.models_folder() / f"{values['generator']}.{values['tag']}{models.SUFFIX}"
    if target.exists() and not values["overwrite"]:
        raise OutputExists(f"{target} exists.", "Choose another --tag, or allow it with --overwrite.")
    sources([Path(p) for p in values["pack"]])


def check_sizes(found: ModuleType, chosen: Mapping[str, Any]) -> None:
    """Whether a generator has such sizes, of the kinds of those that are known to be good. Raises OptionError."""
    parameters = inspect.signature(found.Generator).parameters
    unknown = [name for name in chosen if name not in parameters]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise OptionError(
            f"This generator has no size called {unknown[0]}; it has: {', '.join(parameters)}.", "Correct --config."
        )
    for name, value in chosen.items():
        own = [parameters[name].default] if name in parameters else []
        known = [default for default in own if default is not inspect.Parameter.empty]
        known += [sizes[name] for sizes in (found.CONFIG, getattr(found, "THESIS", {})) if name in sizes]
        kinds.check("The size", "--config", name, value, known)


def built(found: ModuleType, config: Mapping[str, Any]) -> nn.Module:
    """The generator of a config. Raises OptionError where it refuses a value."""
    try:
        generator: nn.Module = found.Generator(**config)
    except PincelError:
        raise
    except (TypeError, ValueError, RuntimeError, ArithmeticError, IndexError) as error:
        raise OptionError(f"The generator refuses its sizes: {error}.", "Correct --config NAME=VALUE.") from error
    return generator


def has_bf16(device: torch.device) -> bool:
    """Whether a device multiplies in bfloat16 by itself; where it is emulated, a step takes up to fifteen times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return quick_type(device) is torch.bfloat16


def usable(name: str) -> torch.device:
    """The device of that name. Raises OptionError where there is none."""
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise OptionError(f"There is no device {name} here.", "Give --device cpu, or another that there is.") from error
    return device
