"""A worker: one process, one device, one job at a time. `python -m engine.server.worker`, started by the supervisor.

The main thread computes. A second thread owns the socket to the broker, so that `cancel` is heard in the middle of a
job; the two pass messages through an inproc pair, pictures without a copy. A third waits for the end of standard input,
which comes when the engine ends in whatever way: then the worker ends at once, so none is ever left behind.

What it must know comes as one JSON line on standard input, not as arguments, which every user of the machine can read.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import zmq

from engine import __version__
from engine.client.errors import Cancelled, EngineStart, InternalError, MessageTooLarge, OutOfMemory, PincelError
from engine.client.protocol import HEADER_MAX, Message, Numbering, describe, error_field, unpack
from engine.server.inside import NO_JOB, TO_WORKER, UPDATED

if TYPE_CHECKING:
    from engine.store.cache import ModelCache
    from engine.tasks.base import Progress

# Progress is told no more often than this within a phase.
PROGRESS_SECONDS = 0.05
# Of a result's max_bytes these are not for pictures; `pincel serve` takes no limit below twice as much.
BESIDE = 2**17
# The exit status after a fault of the device that outlives the job: only a new process helps.
DEVICE_LOST = 70

log = logging.getLogger("worker")


def main() -> None:
    faulthandler.enable()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    _die_with_parent()
    config = json.loads(sys.stdin.buffer.readline())
    if config["version"] != __version__:
        sys.exit(UPDATED)
    threading.Thread(target=_end_with_engine, daemon=True).start()
    Worker(config).run()


def _die_with_parent() -> None:
    """On Linux the kernel kills this process with the engine, even while Python itself is held up in a long call."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the engine decides when its workers end
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def _end_with_engine() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)


class Worker:
    """config: version (the engine's), endpoint, key (hex), session, device ("auto" or a name), max_bytes (of a client's
    message, and of a result)."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.numbering = Numbering(bytes.fromhex(config["key"]), config["session"])
        self.device: str | None = None if config["device"] == "auto" else config["device"]
        self.models: ModelCache | None = None
        self.ran: set[tuple[str, str]] = set()  # tasks and generators of the jobs done, whose networks are loaded
        self.jobs: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self.current = NO_JOB
        self.cancelled = threading.Event()
        self.context: zmq.Context[Any] = zmq.Context()
        self.outbox = self.context.socket(zmq.PAIR)
        self.outbox.bind("inproc://outbox")

    def run(self) -> None:
        """Work until the process is ended."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._send({"type": "ready", "id": NO_JOB})
        while True:
            self._work(self.jobs.get())

    # ---- the thread that owns the socket ---------------------------------------------------------------------------

    def _listen(self) -> None:
        try:
            self._carry()
        except BaseException:
            log.exception("the connection to the engine failed")
            os._exit(1)

    def _carry(self) -> None:
        inbox = self.context.socket(zmq.PAIR)
        inbox.connect("inproc://outbox")
        broker = self.context.socket(zmq.DEALER)
        broker.setsockopt_string(zmq.IDENTITY, self.config["session"])
        # What the client sent may have max_bytes; the broker's header about it may be longer than the client's was.
        most = self.config["max_bytes"] + HEADER_MAX
        broker.setsockopt(zmq.MAXMSGSIZE, most)
        broker.connect(self.config["endpoint"])
        incoming = Numbering(self.numbering.key, self.numbering.session)
        poller = zmq.Poller()
        poller.register(inbox, zmq.POLLIN)
        poller.register(broker, zmq.POLLIN)
        while True:
            ready = dict(poller.poll())
            if inbox in ready:
                broker.send_multipart(inbox.recv_multipart(copy=False), copy=False)
            if broker in ready:
                parts = broker.recv_multipart(copy=False)
                message = unpack(incoming.key, parts, TO_WORKER, most)
                incoming.accept(message)
                if message.type == "run":
                    self.current = message.id
                    self.cancelled.clear()
                    self.jobs.put(message)
                elif message.id == self.current:
                    self.cancelled.set()

    # ---- the main thread -------------------------------------------------------------------------------------------

    def _send(self, header: dict[str, Any], parts: Any = ()) -> None:
        self.outbox.send_multipart(self.numbering.seal(header, parts), copy=False)

    def _work(self, message: Message) -> None:
        """One job, from its message to exactly one of result, error, cancelled."""
        try:
            header, parts = self._result(message)
            self._send(dict(header, type="result", id=message.id), parts)
            return
        except Cancelled:
            header = {"type": "cancelled"}
        except PincelError as error:
            header = {"type": "error", "error": error_field(error)}
        except Exception as error:
            if _device_is_lost(error):
                log.exception("the device failed in job %s", message.id)
                os._exit(DEVICE_LOST)
            if _out_of_memory(error):
                log.warning("out of memory in job %s: %s", message.id, error)
                fault: PincelError = OutOfMemory("There is not enough memory for this job.")
            else:
                log.exception("job %s failed", message.id)
                fault = InternalError(f"The work failed: {type(error).__name__}: {error}"[:500])
            header = {"type": "error", "error": error_field(fault)}
        self._send(dict(header, id=message.id))

    def _result(self, message: Message) -> tuple[dict[str, Any], list[Any]]:
        told = _Teller(self, message.id)
        told.phase("start")
        began = time.monotonic()
        from engine.tasks import frames, noted  # the first job pays for importing torch, and its owner is told so
        from engine.tasks.base import Reporter

        new = self.models is None
        models = self._cache()
        start = time.monotonic() - began if new else 0.0
        kind = (message.header["task"], str(message.header["options"].get("generator", "auto")))
        reporter = Reporter(on_progress=told, cancelled=self.cancelled.is_set)
        reporter.check()
        pixels = message.pictures()
        pictures = {name: frames.to_picture(p) for name, p in pixels.items()}
        source = pictures.pop("source", None)
        options, cold = message.header["options"], kind not in self.ran
        result = noted.run(kind[0], source, options, models, reporter, cold=cold, began=start, **pictures)
        self.ran.add(kind)
        reporter.check()
        made = {f"result-{n}": frames.to_pixels(p, pixels.get("source")) for n, p in enumerate(result.pictures)}
        size = sum(p.nbytes + len(p.icc) for p in made.values())
        if size + BESIDE > self.config["max_bytes"]:
            raise MessageTooLarge(f"The result has {size} bytes, too many for one message.", bytes=size)
        return describe({"info": result.info}, made)

    def _cache(self) -> ModelCache:
        """The models on this worker's device; the first call finds out which device that is."""
        if self.models is None:
            import torch

            from engine.store.cache import ModelCache

            try:
                models = ModelCache(device=self.device)
                torch.empty(1, device=models.device)
            except (RuntimeError, AssertionError) as error:  # the second: torch was built without that device
                if _out_of_memory(error):
                    raise
                sentence = f"The device {self.device or 'of this machine'} cannot be used: {error}"
                raise EngineStart(sentence[:500], "Start the engine with another --device, or without.") from None
            self.models, found = models, models.device_name
            devices = [found]
            if models.device.type == "cuda":
                devices = [f"cuda:{n}" for n in range(torch.cuda.device_count())]
                if models.device.index is None:
                    found = f"cuda:{torch.cuda.current_device()}"
            self._send({"type": "device", "id": NO_JOB, "device": found, "devices": devices})
        return self.models


class _Teller:
    """Sends progress to the broker, each phase's beginning at once, the rest no more often than PROGRESS_SECONDS."""

    def __init__(self, worker: Worker, job: str) -> None:
        self.worker, self.job = worker, job
        self.last, self.name = 0.0, ""

    def phase(self, name: str) -> None:
        self._send(name, 0, 1, 0.0, None)

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.phase != self.name or now - self.last >= PROGRESS_SECONDS:
            self._send(progress.phase, progress.step, progress.steps, progress.fraction, progress.eta)

    def _send(self, phase: str, step: int, steps: int, fraction: float, eta: float | None) -> None:
        self.last, self.name = time.monotonic(), phase
        fields = {"phase": phase, "step": step, "steps": steps, "fraction": fraction, "eta": eta}
        self.worker._send({"type": "progress", "id": self.job} | fields)


def _out_of_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from engine.tasks import convert

    return convert.out_of_memory(error)


def _device_is_lost(error: Exception) -> bool:
    """Whether a CUDA error other than want of memory came: every later call in this process would fail too."""
    return not _out_of_memory(error) and isinstance(error, RuntimeError) and "CUDA error" in str(error)


if __name__ == "__main__":
    main()
