"""serve(): one engine for this user, in this process, until it is stopped. `pincel serve` and `python -m engine.server`."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from engine import __version__, paths
from engine.client.connection import candidates
from engine.client.errors import EngineStart
from engine.client.protocol import MAX_BYTES
from engine.server import instance
from engine.server.broker import Broker
from engine.server.settings import Settings
from engine.server.supervisor import COMMAND

LOG = "engine.log"
LOG_BYTES, LOG_KEPT = 1_000_000, 3
# A Unix socket's path may not be longer anywhere.
SOCKET_PATH_MAX = 100


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ipc: bool = False,
    device: str = "auto",
    keep_alive: float = 300.0,
    idle_exit: float = 0.0,
    max_bytes: int = MAX_BYTES,
    log: Path | None = None,
    say: Callable[[str], None] = print,
    worker_command: Sequence[str] = COMMAND,
) -> int:
    """Run the engine until Ctrl-C, SIGTERM, a client's `stop` or its idle exit; 0 then, and 0 when another one runs.

    ipc: listen at a Unix socket beside the connection file instead of host and port (0: any free one). device: "auto",
    or names with commas between, a worker each. keep_alive: seconds until an idle worker is ended; idle_exit: seconds
    until an idle engine ends, 0: never. max_bytes: of one message. log: the log file, by default engine.log in the user's
    log folder. say: gets the few sentences for the user. worker_command: what a worker process runs.

    Raises EngineStart, NotLoopback, PortTaken, EngineNotAnswering.
    """
    with instance.alone() as first:
        if not first:
            other = instance.running()
            say(f"Pincel's engine already runs (process {other.pid}, {other.endpoint}); it will be used.")
            return 0
        settings = Settings(
            host=host,
            port=port,
            ipc=_socket_path() if ipc else None,
            devices=[name.strip() for name in device.split(",")],
            keep_alive=keep_alive,
            idle_exit=idle_exit,
            max_bytes=max_bytes,
            worker_command=tuple(worker_command),
        )
        with _log(log or paths.log_folder() / LOG):
            broker = Broker(settings)
            with (
                _signals(broker) as wake,
                contextlib.closing(broker),
                instance.published(broker.endpoint, broker.key, __version__),
            ):
                logging.getLogger("pincel").info("engine %s at %s", __version__, broker.endpoint)
                say(f"Pincel's engine {__version__} listens at {broker.endpoint}. `pincel stop` or Ctrl-C ends it.")
                broker.run(wake)
        if settings.ipc:
            Path(settings.ipc).unlink(missing_ok=True)
    say("The engine ended.")
    return 0


def _socket_path() -> str:
    path = os.path.join(candidates()[0], "engine.sock")
    if sys.platform == "win32" or len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise EngineStart("A Unix socket cannot be made here.", "Leave --ipc away.", path=path)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    return path


@contextlib.contextmanager
def _log(path: Path) -> Iterator[None]:
    """The log, rotated; on standard error where its folder cannot be written."""
    handler: logging.Handler
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_KEPT, encoding="utf-8")
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("pincel")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.info("the engine ended")
        logger.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _signals(broker: Broker) -> Iterator[socket.socket]:
    """While open, SIGINT, SIGTERM and SIGHUP end the broker's loop.

    Yields a socket that can be read after each of these and after the end of a worker process.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        broker.stop()

    def wake(number: int, frame: FrameType | None) -> None:
        """That there is a handler makes Python write to the wake-up descriptor."""

    wanted = {"SIGINT": stop, "SIGTERM": stop, "SIGHUP": stop, "SIGCHLD": wake}
    numbers = {getattr(signal, name): handler for name, handler in wanted.items() if hasattr(signal, name)}
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.setblocking(False)
        writer.setblocking(False)
        outer = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
        try:
            yield reader
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(outer)
