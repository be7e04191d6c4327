"""Records of jobs that were never done."""

from __future__ import annotations

from engine import forecast
from engine.client import options
from engine.forecast import Size

MEGAPIXEL = Size(1000, 1000, 3)


def values(task, **given):
    return options.task(task).complete(given)


def note(task="colorize", network="yuv_cgan.photo", size=MEGAPIXEL, peak=400_000_000, scale=1, given=(), **seconds):
    forecast.note(task, network, "cpu", size, values(task, **dict(given)), seconds, peak, scale)
