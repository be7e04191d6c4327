"""The contract of a generator: a card (what it does, as data), the networks, and a recipe (how it is trained).

One file in this folder is one generator. It defines, at module level:

    CARD = Card(...)            what the engine needs to know, as data: nothing branches on a generator's name
    class Generator(nn.Module)  built as Generator(**config); forward takes one tensor [N, C, H, W] a port of the card
    class Discriminator(...)    likewise, its inputs as its docstring says (None where the generator has none)
    class Recipe(BaseRecipe)    losses and phases, see engine/train/recipe.py (named there, so that running needs no trainer)
    CONFIG = {...}              default constructor arguments of Generator; a weights file's config overrides them
    THESIS = {...}              likewise, for the thesis' own net where the shipped one is a compact one; Recipe.THESIS
                                holds the options of its training

The module docstring's first line names the paper, the thesis section and where this file differs from them.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType

from engine.client.errors import GeneratorUnknown, InternalError
from engine.client.options import TASKS


@dataclass(frozen=True)
class Port:
    """One tensor that goes into or comes out of a generator: [N, channels, H, W], values in [low, high].

    vector: one vector a picture instead, [N, channels, 1, 1].
    """

    name: str  # "rgb", "y", "noise", "hints", "uv"
    channels: int
    low: float
    high: float
    meaning: str  # one plain sentence
    vector: bool = False


@dataclass(frozen=True)
class Card:
    """What a generator does and what it needs, as data."""

    name: str
    task: str  # a key of engine.client.options.TASKS
    title: str
    paper: str
    thesis: str
    inputs: tuple[Port, ...]  # in the order of Generator.forward's arguments
    output: Port
    scale: int = 1  # output pixels per input pixel, along each side
    multiple: int = 1  # input sides must be a multiple of this (the task pads and crops)
    # Exactly one of the two below is set. A tiled generator sees the picture in tiles at its own size, each with
    # Generator.halo() pixels of context (the receptive field), so that tiles equal the whole. A generator with a
    # working size sees the whole picture, its shortest side resized to that many pixels. A generator whose task has no
    # source has neither: it takes vectors [N, channels, 1, 1] and says by Generator.size how large its pictures are.
    # A network that its config makes deeper or larger than the card says names its own `multiple` and `working_size`
    # as attributes; they count then.
    tiled: bool = False
    working_size: int | None = None
    # The tags of two weights, the faithful and the realistic, whose parameters the task may mix (Wang 2018, ESRGAN).
    mixed: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        ways = int(self.tiled) + (self.working_size is not None)
        if ways != int(self.task not in TASKS or TASKS[self.task].source):
            raise InternalError(
                f"the card of {self.name} is tiled or has a working size, just where its task has a source"
            )
        for field in ("name", "task", "title", "paper", "thesis"):
            if not getattr(self, field):
                raise InternalError(f"a generator's card lacks its {field}")


def names() -> list[str]:
    """The generators that exist: the modules beside this one."""
    import engine.generators as package

    return sorted(m.name for m in pkgutil.iter_modules(package.__path__) if m.name != "base")


def module(name: str) -> ModuleType:
    """The module of one generator, checked to be complete. Raises GeneratorUnknown or InternalError."""
    if name not in names():
        raise GeneratorUnknown(f"there is no generator called {name!r}", known=names())
    found = importlib.import_module(f"engine.generators.{name}")
    for part in ("CARD", "CONFIG", "Generator"):
        if not hasattr(found, part):
            raise InternalError(f"the generator file {name}.py lacks {part}")
    if found.CARD.name != name:
        raise InternalError(f"the card in {name}.py is called {found.CARD.name!r}")
    return found


def card(name: str) -> Card:
    """The card of one generator."""
    result: Card = module(name).CARD
    return result
