"""Starts, watches and ends the worker processes: one a device, made on demand, ended when idle for too long.

A worker is ended by a kill: it has nothing to save, and only the end of a process gives all its memory back. A worker
whose engine is gone ends by itself (see worker.py).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from engine import __version__
from engine.client.protocol import KEY_BYTES, Numbering
from engine.server.jobs import Job

COMMAND = (sys.executable, "-m", "engine.server.worker")
# So long may a worker take from its start to its first word, on a slow disk and under load.
START_SECONDS = 60.0
# So long may a worker go on with a job that was cancelled: the step it is in, e.g. one tile. Then it is replaced.
WIND_DOWN_SECONDS = 2.0

log = logging.getLogger("pincel.supervisor")


@dataclass(eq=False)
class Worker:
    """A worker process. state: "starting" (not yet heard of), "idle", "busy" or "ending" (killed, not yet gone)."""

    process: subprocess.Popen[bytes]
    numbering: Numbering
    device: str
    state: str = "starting"
    job: Job | None = None
    since: float = field(default_factory=time.monotonic)  # of the state
    deadline: float | None = None  # then it is killed
    ran: set[tuple[str, str]] = field(default_factory=set)  # tasks and generators of the jobs that it finished

    @property
    def address(self) -> bytes:
        return self.numbering.session.encode()

    def enter(self, state: str) -> None:
        self.state, self.since = state, time.monotonic()

    def to_dict(self) -> dict[str, Any]:
        """The worker as `state` shows it."""
        return {
            "pid": self.process.pid,
            "device": self.device,
            "state": self.state,
            "job": self.job.id if self.job and not self.job.over else None,
            "memory": self.memory(),
        }

    def memory(self) -> int | None:
        """Resident bytes; None where the system does not say."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        except (OSError, ValueError, AttributeError):
            return None


class Supervisor:
    """The workers. devices: one worker each, "auto" for what the first worker finds.

    endpoint: where workers report; key: what they sign with. keep_alive: seconds until an idle worker is ended.
    """

    def __init__(
        self,
        endpoint: str,
        key: bytes,
        devices: Sequence[str] = ("auto",),
        keep_alive: float = 300.0,
        max_bytes: int = 0,
        command: Sequence[str] = COMMAND,
    ) -> None:
        assert len(key) == KEY_BYTES
        self.endpoint, self.key, self.keep_alive, self.max_bytes = endpoint, key, keep_alive, max_bytes
        self.command = list(command)
        self.devices = list(devices)
        self.workers: list[Worker] = []

    def take(self) -> Worker | None:
        """A worker that has no job: an idle one, or a new one where a device has none. Raises OSError."""
        for worker in self.workers:
            if worker.job is None and worker.state in ("idle", "starting"):
                return worker
        taken = [worker.device for worker in self.workers]
        free = next((device for device in self.devices if device not in taken), None)
        return self._start(free) if free is not None else None

    def by_address(self, address: bytes) -> Worker | None:
        return next((worker for worker in self.workers if worker.address == address), None)

    def found(self, worker: Worker, device: str, devices: Sequence[str]) -> None:
        """A worker says what "auto" means here: its own device, and all that the machine has."""
        if worker.device == "auto":
            self.devices = [device, *(other for other in devices if other != device)]
            worker.device = device

    def known_devices(self) -> list[str]:
        return [device for device in self.devices if device != "auto"]

    def kill(self, worker: Worker) -> None:
        """End a worker now; reap() reports it once it is gone."""
        worker.enter("ending")
        worker.process.kill()

    def free(self) -> list[Worker]:
        """End the workers that have nothing to do; the list of them."""
        idle = [worker for worker in self.workers if worker.state == "idle" and worker.job is None]
        for worker in idle:
            self.kill(worker)
        return idle

    def reap(self) -> list[Worker]:
        """Kill what is overdue or idle for too long, and give back the workers that are gone, in whatever way."""
        now = time.monotonic()
        for worker in self.workers:
            if worker.state == "idle" and worker.job is None and now - worker.since >= self.keep_alive:
                log.info("worker %d was idle for %g s and is ended", worker.process.pid, self.keep_alive)
                self.kill(worker)
            elif worker.state == "starting" and now - worker.since > START_SECONDS:
                log.error("worker %d did not report within %g s", worker.process.pid, START_SECONDS)
                self.kill(worker)
            elif worker.deadline is not None and now >= worker.deadline and worker.state != "ending":
                log.info("worker %d went on with a cancelled job and is ended", worker.process.pid)
                self.kill(worker)
        gone = [worker for worker in self.workers if worker.process.poll() is not None]
        for worker in gone:
            log.info("worker %d is gone (status %s)", worker.process.pid, worker.process.returncode)
            self._forget(worker)
        return gone

    def unsettled(self) -> bool:
        """Whether a worker is anything but idle."""
        return any(worker.state != "idle" for worker in self.workers)

    def close(self) -> None:
        """End all workers and wait until they are gone."""
        for worker in self.workers:
            worker.process.kill()
        for worker in list(self.workers):
            worker.process.wait()
            self._forget(worker)

    def _start(self, device: str) -> Worker:
        environment = dict(os.environ)
        # The worker runs this very engine, from wherever it was imported, and nothing that lies in the current folder.
        here = str(Path(__file__).resolve().parents[2])
        inherited = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join([here, inherited] if inherited else [here])
        environment["PYTHONSAFEPATH"] = "1"
        process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C in the engine's terminal is the engine's affair
        )
        name = f"worker-{secrets.token_hex(16)}"
        worker = Worker(process, Numbering(self.key, name), device)
        self.workers.append(worker)
        config = {
            "version": __version__,
            "endpoint": self.endpoint,
            "key": self.key.hex(),
            "session": name,
            "device": device,
            "max_bytes": self.max_bytes,
        }
        assert process.stdin is not None and process.stdout is not None
        # Its standard input stays open: where it ends, the engine has ended, and the worker goes too.
        with contextlib.suppress(BrokenPipeError):  # it died at once; reap() will find it
            process.stdin.write(json.dumps(config).encode() + b"\n")
            process.stdin.flush()
        threading.Thread(target=_log_output, args=(process.stdout, process.pid), daemon=True).start()
        log.info("worker %d started for %s", process.pid, device)
        return worker

    def _forget(self, worker: Worker) -> None:
        self.workers.remove(worker)
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()


def _log_output(stream: IO[bytes], pid: int) -> None:
    """What a worker says, a crash's last words too, goes into the engine's log: one writer, so it can be rotated."""
    with stream:
        for line in stream:
            text = line.decode("utf-8", "replace").rstrip()
            level, _, rest = text.partition(" ")  # as the worker's own logging begins its lines
            if level not in ("WARNING", "ERROR", "CRITICAL"):
                level, rest = "INFO", text
            log.log(getattr(logging, level), "%s", rest, extra={"worker": pid})
