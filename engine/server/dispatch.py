"""The life of a job inside the engine: queued, given to a worker, told about, ended exactly once."""

from __future__ import annotations

import contextlib
import itertools
import logging
import secrets
import time
from typing import Any

import zmq

from engine.client.catalogue import from_dict
from engine.client.errors import Cancelled, EngineStart, PincelError, WorkerLost
from engine.client.protocol import KEY_BYTES, Message, error_field, unpack
from engine.server.front import Front
from engine.server.inside import FROM_WORKER, UPDATED
from engine.server.jobs import ATTEMPTS, Job, Session
from engine.server.queue import FairQueue
from engine.server.settings import Settings
from engine.server.supervisor import WIND_DOWN_SECONDS, Supervisor, Worker

# A job's owner hears of it at least this often: PROTOCOL.md says 0.5 s, the loop takes its own time.
TELL_SECONDS = 0.4

log = logging.getLogger("pincel.dispatch")


class Dispatcher:
    """Holds the queue and the workers; `back` is the socket to them. All answers go out through `front`."""

    def __init__(self, context: zmq.Context[Any], front: Front, settings: Settings) -> None:
        self.front, self.max_bytes = front, settings.max_bytes
        self.queue: FairQueue[Job] = FairQueue(settings.queue, settings.queue_per_client, 2 * settings.max_bytes)
        self.back = context.socket(zmq.ROUTER)
        self.back.linger = 0
        self.back.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.back.setsockopt(zmq.MAXMSGSIZE, settings.max_bytes)
        self.back.setsockopt(zmq.SNDHWM, 0)
        self.back.bind("tcp://127.0.0.1:*")
        self.supervisor = Supervisor(
            self.back.getsockopt_string(zmq.LAST_ENDPOINT),
            secrets.token_bytes(KEY_BYTES),
            settings.devices,
            settings.keep_alive,
            settings.max_bytes,
            settings.worker_command,
        )
        self._numbers = itertools.count(1)
        self.outdated = False  # a worker found newer files than the engine's own
        self.ended = time.monotonic()  # when the last job did, or the engine began

    def add(self, session: Session, message: Message, options: dict[str, Any], buffers: list[dict[str, Any]]) -> None:
        """Take a checked submit: its options, complete, and what its parts are, without what we do not know.

        Raises QueueFull.
        """
        job = Job(
            owner=session,
            id=message.id,
            number=str(next(self._numbers)),
            task=message.header["task"],
            options=options,
            buffers=buffers,
            parts=message.parts,
        )
        self.queue.push(job)
        session.jobs[job.id] = job
        self._tell_progress(job)
        self._dispatch()

    def end(self, job: Job, error: PincelError | None) -> None:
        """End a job that has no result: with an error, as cancelled, or silently (None) when nobody listens."""
        if job.over:
            return
        self._close(job)
        if isinstance(error, Cancelled):
            self.front.tell(job.owner, "cancelled", job.id)
        elif error is not None:
            self.front.tell(job.owner, "error", job.id, error=error_field(error))
        self.queue.remove(job)
        for worker in self.supervisor.workers:
            if worker.job is not job:
                continue
            if worker.state == "busy":
                # The owner has its answer; the worker may finish its step, else it is replaced.
                self._say(worker, "cancel", job.number)
                worker.deadline = time.monotonic() + WIND_DOWN_SECONDS
            else:
                worker.job = None

    def tend(self) -> None:
        """What is due: workers that died, clients that went, jobs that wait, owners that must hear something."""
        for worker in self.supervisor.reap():
            self._worker_lost(worker)
        self.drop_lost()
        self._dispatch()
        now = time.monotonic()
        for session in list(self.front.sessions.values()):
            for job in list(session.jobs.values()):
                if now - job.told >= TELL_SECONDS:
                    self._tell_progress(job)

    def drop_lost(self) -> None:
        """End the jobs of the sessions that ended."""
        for session in self.front.lost():
            for job in list(session.jobs.values()):
                log.info("job %s is dropped: its client is gone", job.number)
                self.end(job, None)

    def where(self, task: str, options: dict[str, Any]) -> tuple[str | None, bool]:
        """The device that a job would run on, if one is known yet; and whether its network would have to be loaded first."""
        devices = self.supervisor.known_devices()
        kind = _kind(task, options)
        return devices[0] if devices else None, not any(kind in worker.ran for worker in self.supervisor.workers)

    def busy(self) -> bool:
        """Whether any job is open or a worker is between two states."""
        return any(session.jobs for session in self.front.sessions.values()) or self.supervisor.unsettled()

    def close(self, error: PincelError) -> None:
        """End every job with the error and every worker."""
        for session in list(self.front.sessions.values()):
            for job in list(session.jobs.values()):
                self.end(job, error)
        self.supervisor.close()
        self.back.close()

    # ---- workers -----------------------------------------------------------------------------------------------

    def hear(self, most: int = 100) -> None:
        """Take what workers sent, at most so many messages."""
        for _ in range(most):
            try:
                address, *parts = self.back.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            worker = self.supervisor.by_address(address.bytes)
            if worker is None:
                continue
            try:
                message = unpack(self.supervisor.key, parts, FROM_WORKER, self.max_bytes)
                worker.numbering.accept(message)
                self._from_worker(worker, message)
            except PincelError:
                log.exception("a message from worker %d is not understood", worker.process.pid)
                self.supervisor.kill(worker)

    def _from_worker(self, worker: Worker, message: Message) -> None:
        if worker.state == "ending":
            return
        header, job = message.header, worker.job
        if message.type == "ready":
            worker.enter("idle")
            if job is not None:
                self._run(worker, job)
        elif message.type == "device":
            self.supervisor.found(worker, header["device"], header["devices"])
        elif job is None or job.number != message.id:
            log.warning("worker %d speaks of job %s, which it does not have", worker.process.pid, message.id)
        elif message.type == "progress":
            job.advance(header)
            if not job.over:
                self._tell_progress(job)
        else:
            worker.job = worker.deadline = None
            worker.enter("idle")
            if message.type == "result":
                worker.ran.add(_kind(job.task, job.options))
            self._finished(job, message)
            self._dispatch()

    def _finished(self, job: Job, message: Message) -> None:
        if job.over:
            return
        if message.type == "result":
            self._close(job)
            header = message.header
            self.front.tell(job.owner, "result", job.id, message.parts, buffers=header["buffers"], info=header["info"])
        elif message.type == "error":
            self.end(job, from_dict(message.header["error"]))
        else:
            self.end(job, Cancelled())

    def _worker_lost(self, worker: Worker) -> None:
        job = worker.job
        if job is None or job.over:
            return
        status = worker.process.returncode
        if status == UPDATED:
            log.info("Pincel was updated: the engine of before ends")
            self.outdated = True
        elif job.attempt < ATTEMPTS:
            log.warning("worker %d died (status %s) on job %s: once more", worker.process.pid, status, job.number)
            self.queue.push_front(job)
        else:
            log.error("worker %d died (status %s) on job %s: given up", worker.process.pid, status, job.number)
            self.end(job, WorkerLost(f"The worker process died on this job (status {status}).", status=status))

    def _dispatch(self) -> None:
        """Give waiting jobs to workers that have none."""
        while len(self.queue):
            try:
                worker = self.supervisor.take()
            except OSError as error:
                log.exception("no worker can be started")
                sentence = f"The engine cannot start a worker process: {error.strerror or error}."
                self.end(self.queue.pop(), EngineStart(sentence))
                continue
            if worker is None:
                return
            job = worker.job = self.queue.pop()
            job.attempt += 1
            self.front.tell(job.owner, "started", job.id, device=worker.device, attempt=job.attempt)
            self._tell_progress(job)
            if worker.state == "idle":
                self._run(worker, job)

    def _run(self, worker: Worker, job: Job) -> None:
        """Let an idle worker begin. A job that no message can hold ends with that error, and the worker stays idle."""
        try:
            self._say(worker, "run", job.number, job.parts, task=job.task, options=job.options, buffers=job.buffers)
        except PincelError as error:
            log.error("job %s cannot be given to a worker: %s", job.number, error.sentence)
            worker.job = None
            self.end(job, error)
            return
        worker.enter("busy")

    def _say(self, worker: Worker, type: str, id: str, parts: Any = (), **fields: Any) -> None:
        sealed = worker.numbering.seal(dict(fields, type=type, id=id), parts)
        # A worker that is not there any more is found by reap().
        with contextlib.suppress(zmq.ZMQError):
            self.back.send_multipart([worker.address, *sealed], zmq.NOBLOCK, copy=False)

    # ---- owners ------------------------------------------------------------------------------------------------

    def _close(self, job: Job) -> None:
        job.over = True
        self.ended = time.monotonic()
        job.owner.jobs.pop(job.id, None)

    def _tell_progress(self, job: Job) -> None:
        """The job's place in the queue, or how far its work is."""
        job.told = time.monotonic()
        waiting = list(self.queue)
        if job in waiting and not job.attempt:
            self.front.tell(job.owner, "queued", job.id, position=waiting.index(job))
        else:
            self.front.tell(job.owner, "progress", job.id, **job.progress)


def _kind(task: str, options: dict[str, Any]) -> tuple[str, str]:
    """What decides which network is loaded."""
    return task, str(options.get("generator", "auto"))
