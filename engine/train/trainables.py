"""What the loop can train: every generator, and networks that only help to train generators."""

from __future__ import annotations

from types import ModuleType

from engine.generators import base


def names() -> list[str]:
    """The generators' names and "features"."""
    return [*base.names(), "features"]


def module(name: str) -> ModuleType:
    """A module with CONFIG, Generator and Recipe. A helper has no CARD but export(run), called when its training ends."""
    if name == "features":
        from engine.train import features

        return features
    return base.module(name)
