"""The contract between the training loop and a generator: what a recipe must say, and nothing about how the loop runs.

A generator file may import this module, fidelity.py and likeness.py beside it, no other of engine.train; they hold no loop,
no files and no clock.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from engine.client.errors import OptionError
from engine.train import kinds

if TYPE_CHECKING:
    from engine.train.data import PictureStore

Batch = dict[str, Tensor]
Update = Callable[[str, Tensor], bool]
"""update(net, loss): backward, clip, check and step the optimizer of that net; the loop gives it to Recipe.step. False where
the step was left out: what else learns from that loss must not learn then."""


@dataclass(frozen=True)
class Phase:
    """A stretch of the training: its share of the whole length, and the options that it changes."""

    name: str
    share: float = 1.0


@dataclass(frozen=True)
class Moment:
    """Where the training stands when a step is made."""

    phase: Phase
    step: int  # steps made before this one, over all phases
    progress: float  # 0..1 through the whole training
    phase_progress: float  # 0..1 through the phase


def shared(names: Sequence[str], shares: Sequence[float]) -> tuple[Phase, ...]:
    """A phase for each of the names that has a share of the training. Raises ValueError where there is none."""
    if len(shares) != len(names) or not sum(shares) > 0 or min(shares) < 0:
        said = f"one for each of {', '.join(names)}, none below 0 and not all of them 0"
        raise ValueError(f"shares must be {len(names)} numbers, {said}, not {list(shares)}")
    return tuple(Phase(name, share) for name, share in zip(names, shares, strict=True) if share > 0)


class BaseRecipe(ABC):
    """How one generator is trained. Subclass it as `Recipe` in the generator's file.

    generator: the net that is published. options: values for the names in OPTIONS, which declares each option with
    its default (the command line sets them with --set name=value).
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {}
    THESIS: ClassVar[Mapping[str, Any]] = {}  # the options by which it is the thesis' own training: `--thesis`
    PHASES: ClassVar[tuple[Phase, ...]] = (Phase("train"),)
    SCORE: ClassVar[str] = (
        ""  # the figure of score() that tells the better of two trainings: the highest, "-NAME" the lowest
    )
    entered: int = 0  # the step at which the net last grew, where it grows
    crop: int = 256  # side in pixels of the crops that batch() cuts: smaller pictures are left out of the store
    least: int = 1  # shortest side in pixels of a held-out picture that score() can measure

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        self.check(options or {})
        self.options: dict[str, Any] = {**self.OPTIONS, **(options or {})}
        self.generator = generator

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Whether the recipe has such options, and their values are of the kinds of its own. Raises OptionError."""
        for name, value in options.items():
            if name not in cls.OPTIONS:
                known = ", ".join(sorted(cls.OPTIONS)) or "none"
                raise OptionError(f"This recipe has no option {name}; it has: {known}.", "Correct --set NAME=VALUE.")
            known_values = [own[name] for own in (cls.OPTIONS, cls.THESIS) if name in own]
            kinds.check("The recipe's option", "--set", name, value, known_values)

    def phases(self) -> tuple[Phase, ...]:
        """The phases in their order; their shares are taken relative to the sum."""
        return self.PHASES

    def nets(self) -> dict[str, nn.Module]:
        """Every net that is trained, "generator" among them; the loop moves them, keeps them and clips their gradients."""
        return {"generator": self.generator}

    @abstractmethod
    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        """One optimizer a net for the phase, at its peak rate. The loop scales every group's rate by its schedule."""

    @abstractmethod
    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """`size` examples made from the store, on its device. All randomness comes from rng (a CPU generator)."""

    def shown(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """The fixed examples that sheet() gets; to be overridden where batches differ from phase to phase."""
        return self.batch(store, size, rng)

    @abstractmethod
    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        """One training step: compute losses and call update(net, loss) once or more. Runs under the loop's autocast.

        Returns the scalars to log, detached, without moving them off the device; the loop logs their means. Those named
        "confusion/TRUTH_VERDICT" (real_real, real_fake, fake_real, fake_fake) are counts of the discriminator's
        verdicts on this batch: the loop adds them up and draws the confusion matrix.
        """

    @abstractmethod
    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """One picture for each example of a fixed batch: [N, 3, H, W] in [0, 1], a paired net's input, result and truth
        side by side in W. The loop asks for 25 and lays them out in five columns.
        """

    def state(self) -> dict[str, Any]:
        """What the recipe itself must keep over a resume, as tensors, numbers, texts, lists and dicts. What follows from
        the Moment, or stands in a net's buffers, needs no keeping.
        """
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:  # noqa: B027
        """Take up what state() gave; called before the first step of a resumed training."""

    def finish(self, network: nn.Module, batches: Iterable[Batch]) -> None:  # noqa: B027
        """Put right, in place and by training pictures, what is wrong with a network that is to be published."""

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        """Held-out figures of the EMA generator, for the log. SCORE names the one that a sweep chooses by, else the first."""
        return {}
