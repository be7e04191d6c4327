"""An engine with one more task, `echo`, that gives its picture back: what the service itself costs.

The task exists only in the processes that run this file, as the engine and, with "worker" as argument, as its worker.
"""

from __future__ import annotations

import sys
from typing import Any

from engine.client import options
from engine.client.options import Task

COMMAND = (sys.executable, "-m", "engine.bench.echo")
ECHO = Task("echo", "Echo", "Gives the picture back.", ())


def run(source: Any, values: Any, models: Any, reporter: Any) -> Any:
    """The task: source as it came, in one phase."""
    from engine.tasks.base import TaskResult

    reporter.plan = {"echo": 1}
    with reporter.phase("echo"):
        return TaskResult([source], {"seconds": reporter.seconds, "seeds": [], "notices": []})


def declare() -> None:
    """Let this process know the task."""
    options.TASKS[ECHO.name] = ECHO
    sys.modules["engine.tasks.echo"] = sys.modules[__name__]


def withdraw() -> None:
    """Let this process forget it: it is no task of Pincel's."""
    options.TASKS.pop(ECHO.name, None)


def main() -> None:
    declare()
    if sys.argv[1:] == ["worker"]:
        from engine.server import worker

        worker.main()
    else:
        from engine.memory import with_large_pages
        from engine.server.serve import serve
        from engine.server.settings import Settings

        with_large_pages()
        raise SystemExit(serve(Settings(worker_command=(*COMMAND, "worker"))))


if __name__ == "__main__":
    main()
