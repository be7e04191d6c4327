"""tasks.run() that learns: it tells the reporter what earlier jobs took, and notes what this one took.

For jobs of users, in process and in workers; what measures or trains calls tasks.run() itself and leaves no records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from engine import forecast, tasks
from engine.client import options as declared
from engine.client.errors import PincelError
from engine.forecast import NOTHING, Size
from engine.tasks.base import Picture, Reporter, TaskResult

if TYPE_CHECKING:
    from engine.store.cache import ModelCache

# Sides of the pictures of a first measurement: large enough to say something, small enough to take about a second.
ENLARGED_SIDE, WHOLE_SIDE = 64, 256


def size_of(picture: Picture | None) -> Size:
    """The picture's size, as forecasts count it."""
    if picture is None:
        return NOTHING
    return Size(picture.width, picture.height, picture.array.shape[2] * picture.array.dtype.itemsize)


def run(
    task: str,
    source: Picture | None,
    options: Mapping[str, Any],
    models: ModelCache,
    reporter: Reporter,
    *,
    cold: bool = False,
    began: float = 0.0,
    **extras: Picture | None,
) -> TaskResult:
    """As tasks.run(). cold: whether the task's network is still to be loaded; began: seconds that starting the process took."""
    size = size_of(source)
    device = getattr(models, "device_name", "")
    expected = forecast.known(task, size, options, device, cold)
    if expected is not None:
        reporter.expected = expected.phases
    try:
        many = forecast.count(declared.task(task).complete(options))
    except PincelError:
        many = 1  # the task itself will say what is wrong
    reporter.rounds = dict.fromkeys(("net", "blend"), many)
    forecast.begin_peak()
    result = tasks.run(task, source, options, models, reporter, **extras)
    _note(task, size, options, models, result, cold, began)
    return result


def _note(
    task: str, size: Size, options: Mapping[str, Any], models: ModelCache, result: TaskResult, cold: bool, began: float
) -> None:
    network, device = result.info.get("generator"), result.info.get("device")
    if not network or not device or "preview" in result.info:
        return
    from engine.generators import base
    from engine.store import models as stored

    seconds = {phase: s for phase, s in result.info.get("seconds", {}).items() if cold or phase != "load"}
    if began:
        seconds["start"] = began
    values = declared.task(task).complete(options)
    # By the device that the network was chosen for: a GPU's job may end on the processor.
    wanted = stored.wishes(values, models.device.type)
    network = stored.resolve(task, values["generator"], wanted).name.removesuffix(stored.SUFFIX)
    scale = base.card(network.split(".")[0]).scale
    forecast.note(task, network, device, size, values, seconds, forecast.peak(), scale)


def first(task: str, options: Mapping[str, Any]) -> tuple[Picture | None, dict[str, Any]]:
    """A small job of the kind, by whose record the first forecast is made: its source, and its options."""
    declaration = declared.task(task)
    kept = {name: value for name, value in options.items() if name in ("generator", "realism", "quality", "content")}
    if not declaration.source:
        return None, kept
    side = ENLARGED_SIDE if any(option.name == "scale" for option in declaration.options) else WHOLE_SIDE
    ramp = np.linspace(0, 255, side, dtype=np.uint8)
    return Picture(np.repeat((ramp[:, None] // 2 + ramp // 2)[..., None], 3, axis=2)), kept
