"""An engine whose workers and clocks fail where a test says. Everything else in it is real, the task `fake` beside the rest.

PINCEL_FAULTS names a file with the next fault in words; a worker takes it when a job comes to it:

    ready | run | phase NAME STEP | result | sent   it kills itself then: before it reports, when a job came, at that
                                                    report of progress, before the result, after it
    memory MB                                       from this job on it may have so much more memory and no more

Settings may hold "clock": "wall", where time.time() jumps by years at each call, or "leap", where time.monotonic() leaps by
an hour each time that the file PINCEL_FAULTS.leap appears.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.fakes import engine_with_fake_task as fake

FILE = Path(os.environ["PINCEL_FAULTS"])


def taken() -> str:
    """The next fault, which then is no more."""
    try:
        said = FILE.read_text()
        FILE.unlink()
        return said
    except FileNotFoundError:
        return ""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def faulty_worker() -> None:
    from engine.server import worker

    fault = [taken() if FILE.exists() and FILE.read_text() == "ready" else ""]
    if fault[0] == "ready":
        die()
    send, work, cache = worker.Worker._send, worker.Worker._work, worker.Worker._cache
    told = worker._Teller.__call__

    def telling(self, progress):
        told(self, progress)  # which leaves out what comes too soon after the last
        if fault[0] == f"phase {progress.phase} {progress.step}":
            die()

    def sending(self, header, parts=()):
        if fault[0] == header["type"] == "result":
            die()
        send(self, header, parts)
        if header["type"] == "progress" and fault[0] == f"phase start {header['step']}":
            die()

    def working(self, message):
        fault[0] = taken()
        if fault[0] == "run":
            die()
        if fault[0].startswith("memory"):
            limit(int(fault[0].split()[1]))
        work(self, message)
        if fault[0] == "sent":
            time.sleep(0.2)  # the other thread sends it
            die()

    def caching(self):
        return None if os.environ.get("PINCEL_FAULTS_FAKE") else cache(self)

    worker.Worker._send, worker.Worker._work, worker.Worker._cache = sending, working, caching
    worker._Teller.__call__ = telling
    worker.main()


def limit(megabytes: int) -> None:
    import resource

    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 10**6, resource.RLIM_INFINITY))


def bend_clock(how: str) -> None:
    """Before anything else has looked at it."""
    real, leaps, dice = time.monotonic, [0.0], random.Random(0)
    if how == "wall":
        truth = time.time
        time.time = lambda: truth() + dice.uniform(-5e8, 5e8)
        return
    flag = Path(f"{FILE}.leap")

    def leaping():
        if flag.exists():
            flag.unlink(missing_ok=True)
            leaps[0] += 3600.0
        return real() + leaps[0]

    time.monotonic = leaping


def main(argument: str) -> None:
    fake.options.TASKS["fake"] = fake.FAKE
    sys.modules["engine.tasks.fake"] = fake
    if argument.startswith("worker"):
        how = argument.partition(" ")[2]
        if how:
            bend_clock(how)
        faulty_worker()
        return
    given = json.loads(argument)
    how = given.pop("clock", "")
    if how:
        bend_clock(how)
    given["worker_command"] = (sys.executable, __file__, f"worker {how}".strip())
    fake.serve(given)


if __name__ == "__main__":
    main(sys.argv[1])
