"""The engine's door to other machines: a ROUTER that speaks CURVE and nothing else, and asks for each key that knocks.

libzmq asks who may come in by ZAP (ZeroMQ RFC 27), on a socket inside the process; the broker's loop answers there, so no
thread is needed, and the list of machines is read anew for each connection.
"""

from __future__ import annotations

import logging
from typing import Any

import zmq
from zmq.utils import z85

from engine.client.errors import EngineError, EngineStart, PortTaken
from engine.remote import pairs

DOMAIN = b"pincel"
# A machine that vanished in the middle of a transfer is given up after so long.
GONE_MS = 30_000

log = logging.getLogger("pincel.remote")


class Listener:
    """socket: a ROUTER, bound here; asked: where ZAP's questions come; key: what signs the messages here.

    address: HOST:PORT in digits. Raises EngineStart, where no machine was allowed yet too; PortTaken, NotLoopback, OptionError.
    """

    def __init__(self, context: zmq.Context[Any], address: str, socket: zmq.Socket[Any]) -> None:
        endpoint = pairs.endpoint(address, listen=True)
        known = pairs.load_or_make()
        if not known.clients:
            raise EngineStart(
                "No other machine may use this engine yet.", "Allow one first: `pincel pair allow NAME KEY`."
            )
        self.key = pairs.signing_key(known.public)
        self.asked: zmq.Socket[Any] = context.socket(zmq.REP)
        self.asked.linger = 0
        self.asked.bind("inproc://zeromq.zap.01")
        self.socket = socket
        socket.curve_server = 1
        socket.curve_secretkey = known.secret.encode()
        socket.curve_publickey = known.public.encode()
        socket.setsockopt(zmq.ZAP_DOMAIN, DOMAIN)
        socket.setsockopt(zmq.IPV6, "[" in endpoint)
        socket.setsockopt(zmq.TCP_MAXRT, GONE_MS)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            self.asked.close()
            if error.errno == zmq.EADDRINUSE:
                raise PortTaken(f"{address} is used by another program.", "Name another port.", port=address) from None
            raise EngineStart(f"The engine cannot listen at {address}: {error.strerror}.", endpoint=address) from None
        self.endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
        log.info("machines that are paired may come in at %s", self.endpoint)

    def answer(self) -> None:
        """Answer what libzmq asks: the machine's name for a key that is allowed, else no."""
        while True:
            try:
                version, request, domain, _address, _identity, mechanism, *keys = self.asked.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            except ValueError:  # not what RFC 27 says; nobody but libzmq can send here
                self.asked.send_multipart([b"1.0", b"", b"500", b"", b"", b""])
                continue
            name = None
            if (domain, mechanism, len(keys)) == (DOMAIN, b"CURVE", 1):
                name = self._known(z85.encode(keys[0]).decode())
            log.info("the machine %s comes in", name) if name else log.warning(
                "a machine that is not paired was refused"
            )
            verdict = [b"200", b"", name.encode()] if name else [b"400", b"not paired", b""]
            self.asked.send_multipart([version, request, *verdict, b""])

    @staticmethod
    def _known(key: str) -> str | None:
        try:
            known = pairs.load()
        except EngineError:
            log.exception("nobody is let in")
            return None
        return next((name for name, other in known.clients.items() if other == key), None) if known else None
