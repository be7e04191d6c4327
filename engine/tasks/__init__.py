"""The tasks: pixels in, pixels out. run() is the one door, for the in-process engine and for the workers alike.

Importing this package imports no torch; the task modules do, when run() first needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.client import options as declared
from engine.client.errors import OptionError, OutOfMemory
from engine.tasks.base import Picture, Progress, Reporter, TaskResult

if TYPE_CHECKING:
    from engine.store.cache import ModelCache

__all__ = ["Picture", "Progress", "Reporter", "TaskResult", "run"]


def run(
    task: str,
    source: Picture | None,
    options: Mapping[str, Any],
    models: ModelCache,
    reporter: Reporter | None = None,
    **extras: Picture | None,
) -> TaskResult:
    """Run one task on one picture, or on none where the task has no source.

    options: checked against the task's declaration and completed with its defaults. extras: "hints" and "mask" where the
    task takes them. Raises the errors of engine.client.errors, and nothing else but faults of ours.
    """
    declaration = declared.task(task)
    values = declaration.complete(options)
    for name, extra in extras.items():
        if extra is not None and name not in declaration.extras:
            raise OptionError(f"{task} takes no {name}.", option=name)
    if (source is not None) != declaration.source:
        raise OptionError(f"{task} needs a source." if source is None else f"{task} takes no source.", option="source")
    given = {name: extra for name, extra in extras.items() if extra is not None}
    work = import_module(f"engine.tasks.{task}").run
    pictures = (source,) if declaration.source else ()
    try:
        result: TaskResult = work(*pictures, values, models, reporter or Reporter(), **given)
    except (MemoryError, RuntimeError) as error:
        from engine.tasks import convert

        if not convert.out_of_memory(error):
            raise
        raise OutOfMemory("There is not enough memory for this job.") from error
    return result
