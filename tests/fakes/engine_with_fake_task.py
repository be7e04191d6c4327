"""An engine with one more task, `fake`, whose steps tests can control. Everything else in it is real.

Run as a program: with a JSON object of Settings' fields it is the engine, with "worker" one of its workers. The task
exists only in processes that run this file: the engine itself has no door for it.
"""

from __future__ import annotations

import json
import sys
import time

from engine.client import options
from engine.client.errors import InputError
from engine.client.options import Option, Task

DOES = ("invert", "sleep", "input-error", "fault", "memory", "chatter")
FAKE = Task(
    "fake",
    "Fake",
    "For tests.",
    (
        Option("does", "choice", "invert", "Does", "What happens in each step.", choices=DOES),
        Option("steps", "int", 1, "Steps", "How many steps.", 1, 100000),
        Option("seconds", "float", 0.0, "Seconds", "How long a step takes.", 0.0, 100.0),
    ),
    extras=("mask",),
)


def run(source, values, models, reporter, mask=None):
    """255 - source after the steps, or what the option `does` says."""
    from engine.tasks.base import Picture, TaskResult

    if values["does"] == "input-error":
        raise InputError("The fake task likes no picture.")
    if values["does"] == "fault":
        raise ZeroDivisionError("a fault of the fake task")
    if values["does"] == "memory":
        raise MemoryError
    if values["does"] == "chatter":
        print("the fake task was here", source.array.ravel().tolist(), bytes(source.array), flush=True)
    reporter.plan = {"steps": 1}
    with reporter.phase("steps", values["steps"]) as done:
        for step in range(values["steps"]):
            time.sleep(values["seconds"])
            done(step + 1)
    return TaskResult([Picture(255 - source.array)], {"seconds": reporter.seconds, "seeds": [], "notices": []})


def serve(settings):
    """Be the broker with these settings, to the process's end."""
    from engine.client.errors import PincelError
    from engine.server import serve as server
    from engine.server.settings import Settings

    try:
        sys.exit(server.serve(Settings(**settings)))
    except PincelError as error:
        print(error.code, error.sentence, file=sys.stderr)
        sys.exit(error.exit_status)


def main(argument):
    options.TASKS["fake"] = FAKE
    sys.modules["engine.tasks.fake"] = sys.modules[__name__]
    if argument == "worker":
        from engine.server import worker

        worker.Worker._cache = lambda self: None  # the fake task needs no network, so no torch: seconds less a worker
        worker.main()
    else:
        serve({"worker_command": (sys.executable, __file__, "worker")} | json.loads(argument))


if __name__ == "__main__":
    main(sys.argv[1])
