"""A client's way to an engine on another machine: pyzmq and CURVE in the place of the client's own Dealer."""

from __future__ import annotations

import time
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from engine.client.connection import Connection
from engine.client.errors import EngineNotAnswering, EngineNotRunning, OptionError, PincelError, WrongKey
from engine.client.protocol import VERSION
from engine.remote import pairs
from engine.remote.listener import GONE_MS

_EVENTS = (
    zmq.EVENT_CLOSED
    | zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class Paired(Connection):
    """An engine on another machine, by the name under which `pincel pair engine` knows it. Raises OptionError, EngineError."""

    def __init__(self, name: str) -> None:
        known = pairs.load()
        if known is None or name not in known.engines:
            names = ", ".join(sorted(known.engines)) if known and known.engines else "none yet"
            raise OptionError(f"No engine called {name!r} was paired; there are: {names}.", "See `pincel pair --help`.")
        one = known.engines[name]
        self._keys = (one["key"].encode(), known.public.encode(), known.secret.encode())
        endpoint, key = pairs.endpoint(one["address"]), pairs.signing_key(one["key"])
        super().__init__(endpoint, key, 0, VERSION, "", None, "", "")

    def dial(self, max_bytes: int) -> CurveDealer:
        return CurveDealer(self.endpoint, *self._keys, max_bytes)


class CurveDealer:
    """What engine.client.zmtp.Dealer is, for a peer that proves by CURVE that it has the secret of the key `server`.

    error: why the connection ended (EngineNotRunning, WrongKey, EngineNotAnswering), or None. It is not made anew.
    """

    def __init__(self, endpoint: str, server: bytes, public: bytes, secret: bytes, max_bytes: int) -> None:
        self.endpoint, self.error, self.ready = endpoint, None, False
        self.context: zmq.Context[Any] = zmq.Context()
        self.socket: zmq.Socket[Any] = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey, self.socket.curve_publickey, self.socket.curve_secretkey = server, public, secret
        self.socket.setsockopt(zmq.SNDHWM, 0)
        self.socket.setsockopt(zmq.MAXMSGSIZE, max_bytes)
        self.socket.setsockopt(zmq.IPV6, 1)
        # The kernels watch whether the other machine is there; ZMTP's heartbeats would wait behind a large picture.
        self.socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
        self.socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
        self.socket.setsockopt(zmq.TCP_MAXRT, GONE_MS)
        self.monitor = self.socket.get_monitor_socket(_EVENTS)
        self.poller = zmq.Poller()
        self.poller.register(self.socket, zmq.POLLIN)
        self.poller.register(self.monitor, zmq.POLLIN)
        try:
            self.socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise EngineNotRunning(f"The address {endpoint} cannot be used: {error.strerror}.") from None

    error: PincelError | None

    @property
    def moved(self) -> float:
        """What changes while data may be moving. libzmq does not tell how much of a message came, so this is so as long as
        the connection is there."""
        return time.monotonic() if self.error is None else 0.0

    def send(self, parts: Any) -> None:
        """Queue a multipart message of bytes-like parts."""
        self._raise()
        self.socket.send_multipart(parts, copy=False)

    def recv(self, timeout: float = 0.0) -> list[Any] | None:
        """The next message, or None when the timeout (seconds) passes before it is whole."""
        self._raise()
        end = time.monotonic() + timeout
        while True:
            ready = dict(self.poller.poll(max(0, round(1000 * (end - time.monotonic())))))
            if self.socket in ready:  # what came before the connection ended still counts
                return [frame.buffer for frame in self.socket.recv_multipart(copy=False)]
            if self.monitor in ready:
                self._heard(recv_monitor_message(self.monitor)["event"])
                self._raise()
            if time.monotonic() >= end:
                return None

    def close(self) -> None:
        if self.error is None:
            self.error = EngineNotAnswering("The connection to the engine was closed.")
        if not self.context.closed:
            self.socket.disable_monitor()
            self.monitor.close(0)
            self.context.destroy(linger=0)

    def _heard(self, event: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.ready = True
        elif self.ready:
            self._fail(
                EngineNotAnswering("The engine closed the connection.", "Look at the engine on its own machine.")
            )
        elif event == zmq.EVENT_CLOSED:
            remedy = (
                "Run `pincel serve --remote ADDRESS` on that machine, and see that its firewall lets the port through."
            )
            self._fail(EngineNotRunning(f"Nothing answers at {self.endpoint}.", remedy))
        else:
            sentence = f"The engine at {self.endpoint} does not let this machine in, or is not the one that was paired."
            self._fail(WrongKey(sentence, "Compare the keys: run `pincel pair` on both machines."))

    def _fail(self, error: PincelError) -> None:
        self.error = error
        self.close()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error
