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
from engine.tasks.preview import box, cropped

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

    options: checked against the task's declaration and completed with its defaults; a preview is given to the task as
    its box of whole pixels, or None, and the task may leave out all work outside of it. extras: "hints" and "mask" where the
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
    module = import_module(f"engine.tasks.{task}")
    part = box(values, source, getattr(module, "middle", None))
    if "preview" in values:
        values["preview"] = part
    pictures = (source,) if declaration.source else ()
    try:
        result: TaskResult = module.run(*pictures, values, models, reporter or Reporter(), **given)
    except (MemoryError, RuntimeError) as error:
        from engine.tasks import convert

        if not convert.out_of_memory(error):
            raise
        raise OutOfMemory("There is not enough memory for this job.") from error
    if part is not None and source is not None:
        result.pictures = [cropped(picture, source, part) for picture in result.pictures]
        result.info["preview"] = list(part)
    return result
