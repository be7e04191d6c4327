"""The broker: hears clients and workers, and never computes. One thread, one loop; it answers at once at any time.

    client ══ Front (ROUTER) ══ Broker ── Dispatcher: FairQueue, Supervisor ══ back (ROUTER) ══ worker process

Nothing here may import torch or numpy, nor block: what takes time is done by workers.
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import zmq

from engine import __version__, forecast
from engine.client import options
from engine.client.errors import Cancelled, InternalError, MessageMalformed, OptionError, PincelError, Stopping
from engine.client.pixels import SIDE_MAX
from engine.client.protocol import BUFFERS_MAX, HEADER_MAX, KEY_BYTES, UNKNOWN, VERSION, Message
from engine.server.dispatch import Dispatcher
from engine.server.front import Front
from engine.server.jobs import Session
from engine.server.settings import Settings
from engine.server.supervisor import Worker

POLL_BUSY_MS, POLL_IDLE_MS = 100, 1000
KEEP_SECONDS = 1.0
# What the list of weights may take of a header, in bytes; a welcome's rest needs about 8 KiB. And a text of it, in characters.
LIST_MAX, TEXT_MAX = HEADER_MAX * 3 // 4, 1000

log = logging.getLogger("pincel.broker")


class Broker:
    """Binds on creation (endpoint and key are then known), serves in run(). Raises the errors of Front."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.key = settings, secrets.token_bytes(KEY_BYTES)
        self.started = time.monotonic()
        self.stopping = False
        self.ending = Stopping("The engine was asked to stop.")  # what open jobs are told
        self._freeing: list[tuple[Session, str, list[Worker]]] = []
        self.context: zmq.Context[Any] = zmq.Context()
        try:
            where = settings.host, settings.port, settings.ipc, settings.remote
            self.front = Front(self.context, self.key, settings.max_bytes, *where)
        except BaseException:
            self.context.destroy(linger=0)
            raise
        self.dispatcher = Dispatcher(self.context, self.front, settings)
        self.supervisor = self.dispatcher.supervisor
        self.endpoint = self.front.endpoint
        self._handlers = {
            "hello": self._hello,
            "ping": self._ping,
            "list": self._list,
            "status": self._status,
            "forecast": self._forecast,
            "submit": self._submit,
            "cancel": self._cancel,
            "free": self._free,
            "stop": self._stop,
        }

    def stop(self) -> None:
        """End the loop soon; may be called from a signal handler."""
        self.stopping = True

    def run(self, wake: socket.socket, keep: Callable[[], None] = lambda: None) -> None:
        """Serve until a client says stop, stop() is called or the engine was idle for as long as the settings say.

        wake: becomes readable when something outside of the sockets happened; that ends the loop's wait. keep: is called
        every KEEP_SECONDS.
        """
        poller = zmq.Poller()
        for source in (*self.front.sockets, self.dispatcher.back, wake):
            poller.register(source, zmq.POLLIN)
        kept = time.monotonic()
        while not self.stopping:
            busy = self.dispatcher.busy() or self._freeing
            if wake.fileno() in dict(poller.poll(POLL_BUSY_MS if busy else POLL_IDLE_MS)):
                wake.recv(4096)
            self._step()
            if time.monotonic() - kept >= KEEP_SECONDS:
                kept = time.monotonic()
                keep()

    def _step(self) -> None:
        for session, message in self.front.receive():
            self._from_client(session, message)
        self.dispatcher.hear()
        self.dispatcher.tend()
        self._tell_freed()
        if self.dispatcher.outdated:
            self.ending = Stopping(
                "Pincel was updated while its engine ran.", "Try again: that starts the new version."
            )
            self.stopping = True
        idle_exit = self.settings.idle_exit
        # A client that waits for a long job sends nothing meanwhile: the work counts as much as the messages.
        idle = time.monotonic() - max(self.front.seen, self.dispatcher.ended)
        if idle_exit and not self.dispatcher.busy() and idle >= idle_exit:
            log.info("idle for %g s: the engine ends", idle_exit)
            self.stopping = True

    def close(self) -> None:
        """End the jobs, the workers and the sockets; answers under way have Front's linger to leave."""
        self.dispatcher.close(self.ending)
        self.front.close()
        self.context.term()

    # ---- what clients ask ----------------------------------------------------------------------------------------

    def _from_client(self, session: Session, message: Message) -> None:
        try:
            self._handlers[message.type](session, message)
        except PincelError as error:
            if error.request == UNKNOWN:
                error.request = message.id
            self.front.refuse(session.address, error)
        except Exception:
            log.exception("a %s message failed", message.type)
            fault = InternalError(f"The engine failed on a {message.type} message; its log says more.")
            fault.request = message.id
            self.front.refuse(session.address, fault)

    def _hello(self, session: Session, message: Message) -> None:
        self.dispatcher.drop_lost()  # of the session that this connection had before, if any
        settings = self.settings
        self.front.tell(
            session,
            "welcome",
            message.id,
            nonce=message.header["nonce"],
            protocol=VERSION,
            version=__version__,
            tasks=[task.to_dict() for task in options.TASKS.values()],
            models=installed(),
            limits={
                "max_bytes": settings.max_bytes,
                "side_max": SIDE_MAX,
                "buffers": BUFFERS_MAX,
                "queue": settings.queue_per_client,
            },
            devices=self.supervisor.known_devices(),
        )

    def _ping(self, session: Session, message: Message) -> None:
        self.front.tell(session, "pong", message.id)

    def _list(self, session: Session, message: Message) -> None:
        self.front.tell(session, "models", message.id, models=installed())

    def _status(self, session: Session, message: Message) -> None:
        self.front.tell(
            session,
            "state",
            message.id,
            queue=[{"job": job.id, "task": job.task} for job in self.dispatcher.queue],
            workers=[worker.to_dict() for worker in self.supervisor.workers],
            keep_alive=self.settings.keep_alive,
            uptime=time.monotonic() - self.started,
        )

    def _forecast(self, session: Session, message: Message) -> None:
        header = message.header
        size = forecast.Size(*(min(max(0, header[name]), SIDE_MAX) for name in ("width", "height", "pixel")))
        device, cold = self.dispatcher.where(header["task"], header["options"])
        found = forecast.predict(header["task"], size, header["options"], device, cold)
        nothing: dict[str, Any] = {"seconds": None, "bytes": None, "phases": {}, "jobs": 0}
        self.front.tell(session, "forecast", message.id, **(nothing if found is None else asdict(found)))

    def _submit(self, session: Session, message: Message) -> None:
        if message.id in session.jobs:
            raise MessageMalformed("A job of this id is open already.", id=message.id)
        task = options.task(message.header["task"])
        values = task.complete(message.header["options"])
        pictures = message.pictures()
        names = pictures.keys()
        if task.source and "source" not in names:
            raise MessageMalformed("A submit needs a buffer called source.")
        for name in names - {*task.extras, *(("source",) if task.source else ())}:
            raise task.own(OptionError(f"{task.name} takes no {name}.", option=name))
        # Described anew: a client's unknown fields may be too long for a header when they are written once more.
        self.dispatcher.add(session, message, values, [pixels.header(name) for name, pixels in pictures.items()])

    def _cancel(self, session: Session, message: Message) -> None:
        job = session.jobs.get(message.header["job"])
        if job is not None:
            self.dispatcher.end(job, Cancelled())

    def _free(self, session: Session, message: Message) -> None:
        self._freeing.append((session, message.id, self.supervisor.free()))

    def _tell_freed(self) -> None:
        """Answer `free` once the workers are gone and their memory is back."""
        for waiting in list(self._freeing):
            session, id, workers = waiting
            if not any(worker in self.supervisor.workers for worker in workers):
                self._freeing.remove(waiting)
                self.front.tell(session, "freed", id)

    def _stop(self, session: Session, message: Message) -> None:
        log.info("%s asked the engine to stop", session.program or "a client")
        self.front.tell(session, "stopping", message.id)
        self.stopping = True


def installed() -> list[dict[str, Any]]:
    """The weights that there are, as PROTOCOL.md lists them; read anew each time, so that new files are seen.

    The list must fit in a header, and neither a broken folder nor a file that says too much of itself may make the engine
    unreachable: texts beyond TEXT_MAX are cut, and of more than LIST_MAX those that "auto" takes are listed first.
    """
    from engine.store import models

    names = ("name", "task", "title", "default", "for", "licence", "sha256", "bytes")
    try:
        found = [entry.to_dict() for entry in models.available()]
    except PincelError:
        log.exception("the weights cannot be listed")
        return []
    entries = [{name: entry[name] for name in names} for entry in found]
    for entry in entries:
        entry |= {name: _cut(entry[name]) for name in ("title", "licence")}
    left, listed = LIST_MAX, []
    for entry in sorted(entries, key=lambda entry: not entry["default"]):
        size = len(json.dumps(entry))
        if size <= left:
            left -= size
            listed.append(entry["name"])
    return [entry for entry in entries if entry["name"] in listed]


def _cut(text: str) -> str:
    return text if len(text) <= TEXT_MAX else text[: TEXT_MAX - 1] + "\u2026"
