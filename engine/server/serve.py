"""serve(): one engine for this user, in this process, until it is stopped. `pincel serve` and `python -m engine.server`."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from engine import __version__, paths
from engine.client.errors import EngineStart
from engine.server import instance
from engine.server.broker import Broker
from engine.server.front import loopback
from engine.server.log import FILE, logging_to
from engine.server.settings import Settings


def serve(settings: Settings, log: Path | None = None, say: Callable[[str], None] = print) -> int:
    """Run the engine until Ctrl-C, SIGTERM, a client's `stop` or its idle exit; 0 then, and 0 when another one runs that
    will do as well.

    log: the log file, by default engine.log in the user's log folder. say: gets the few sentences for the user.
    Call it in the main thread. Raises EngineStart, NotLoopback, PortTaken, EngineNotAnswering.
    """
    with instance.alone() as first:
        if not first:
            other = instance.running()
            _check_suffices(settings, other.pid, other.endpoint)
            say(f"Pincel's engine already runs (process {other.pid}, {other.endpoint}); it will be used.")
            return 0
        with logging_to(log or paths.log_folder() / FILE):
            broker = Broker(settings)
            with (
                _signals(broker) as wake,
                contextlib.closing(broker),
                instance.published(broker.endpoint, broker.key, __version__) as keep,
            ):
                logging.getLogger("pincel").info("engine %s at %s", __version__, broker.endpoint)
                if broker.front.listener is not None:
                    say(f"Machines that are paired may use it at {broker.front.listener.endpoint}.")
                say(f"Pincel's engine {__version__} listens at {broker.endpoint}. `pincel stop` or Ctrl-C ends it.")
                broker.run(wake, keep)
    say("The engine ended.")
    return 0


def _check_suffices(settings: Settings, pid: int, endpoint: str) -> None:
    """Raises EngineStart where something is asked for that the engine that runs there is not known to have.

    Without this `pincel serve --remote` would seem to have opened a door. NotLoopback comes first: a stop would not help.
    """
    usual, asked = Settings(), []
    if settings.ipc is not None:
        asked += ["--ipc"] * (endpoint != f"ipc://{Path(settings.ipc).expanduser().absolute()}")
    else:
        host, port = endpoint.removeprefix("tcp://").rpartition(":")[::2]
        asked += ["--host"] * (settings.host != usual.host and loopback(settings.host) != host)
        asked += ["--port"] * (settings.port not in (0, int(port) if port.isdecimal() else 0))
    for name in ("remote", "devices", "keep_alive", "idle_exit", "max_bytes"):
        if getattr(settings, name) != getattr(usual, name):
            asked.append("--device" if name == "devices" else "--" + name.replace("_", "-"))
    if asked:
        raise EngineStart(
            f"Pincel's engine already runs (process {pid}, {endpoint}), and cannot take over {', '.join(asked)}.",
            "Run `pincel stop`, then this command again; or leave the options away to use the engine that runs.",
            pid=pid,
            options=asked,
        )


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
