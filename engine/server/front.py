"""The doors that clients knock at: the ROUTER sockets, the sessions, and who may say what."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket
import stat
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zmq

from engine import __version__
from engine.client.connection import mismatch
from engine.client.errors import (
    EngineStart,
    InternalError,
    MessageMalformed,
    MessageTooLarge,
    NotLoopback,
    PincelError,
    PortTaken,
    WrongKey,
)
from engine.client.protocol import (
    FROM_CLIENT,
    HEADER_MAX,
    UNKNOWN,
    VERSION,
    Message,
    Numbering,
    error_field,
    unpack,
)
from engine.server.jobs import Session

if TYPE_CHECKING:
    from engine.remote.listener import Listener

# Sessions without jobs are forgotten beyond this number, the longest silent first; such a client says hello again.
SESSIONS_MAX = 1000
# So many refusals of one connection are logged, and where it has no session answered; so many connections are counted.
REFUSALS_MAX, COUNTED_MAX = 100, 2000
# So many messages may wait for a client that does not read, beyond what the kernels hold: ten minutes of a running job. Then
# it counts as gone. Without a limit, one that asks and never listens would fill the memory.
UNREAD_MAX = 10_000
# After the end, answers that are still on their way have this long to leave.
LINGER_MS = 300

# What another machine may not ask of an engine.
HOME_ALONE = ("free", "stop")
AT_HOME = "Run the command on the machine on which the engine runs."

log = logging.getLogger("pincel.front")


@dataclass(eq=False)
class Door:
    """A socket that clients come in by, and the key that signs there. remote: it leads to other machines."""

    socket: zmq.Socket[Any]
    key: bytes
    remote: bool = False


# Where a session's messages go: a door, and what ZeroMQ calls the connection there.
Address = tuple[Door, bytes]


def loopback(host: str) -> str:
    """The IPv4 loopback address that the host names. Raises NotLoopback for anything that others can reach."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or address.version != 4 or not address.is_loopback:
        raise NotLoopback(f"{host} is not 127.0.0.1: others could reach the engine there.", host=host)
    return str(address)


class Front:
    """The sockets to the clients. key: 32 bytes, signs every message of this machine's; max_bytes: of one message.

    host and port (0: any free one) or ipc, a path, say where; remote: HOST:PORT of a second door, for machines that are
    paired, or None. Raises NotLoopback, PortTaken, EngineStart, OptionError.
    """

    def __init__(
        self,
        context: zmq.Context[Any],
        key: bytes,
        max_bytes: int,
        host: str,
        port: int,
        ipc: str | None,
        remote: str | None = None,
    ) -> None:
        self.max_bytes = max_bytes
        self.sessions: dict[Address, Session] = {}
        self.seen = time.monotonic()  # of the last message with the right key
        self._lost: list[Session] = []
        self._refusals: OrderedDict[Address, int] = OrderedDict()
        self.path = _free_path(ipc) if ipc else None
        address = f"ipc://{self.path}" if self.path else f"tcp://{loopback(host)}:{port or '*'}"
        self.doors: list[Door] = []
        self.listener: Listener | None = None
        if remote is not None:
            from engine.remote.listener import Listener

            self.listener = Listener(context, remote, _router(context, max_bytes))
            self.doors.append(Door(self.listener.socket, self.listener.key, remote=True))
        router = _router(context, max_bytes)
        _bind(router, address, port)
        self.doors.insert(0, Door(router, key))
        self.endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)
        if self.path is not None:
            self.path.chmod(0o600)

    @property
    def sockets(self) -> list[zmq.Socket[Any]]:
        """What to wait for before receive()."""
        asked = [self.listener.asked] if self.listener is not None else []
        return [door.socket for door in self.doors] + asked

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    # ---- hearing -----------------------------------------------------------------------------------------------

    def receive(self, most: int = 100) -> Iterator[tuple[Session, Message]]:
        """The messages that arrived, at most so many, each from an open session; a hello opens one and comes too.

        Whatever else arrives is answered with an error here.
        """
        if self.listener is not None:
            self.listener.answer()
        for door in self.doors:
            yield from self._receive(door, most)

    def _receive(self, door: Door, most: int) -> Iterator[tuple[Session, Message]]:
        for _ in range(most):
            try:
                name, *parts = door.socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            address = door, name.bytes
            session = self.sessions.get(address)
            try:
                message = unpack(door.key, parts, FROM_CLIENT, self.max_bytes)
                if message.id == UNKNOWN:
                    raise MessageMalformed(f"The id {UNKNOWN} is the engine's, for what it cannot attribute.")
                if message.type == "hello":
                    session = self._open(address, message)
                elif session is None:
                    raise _answering(message, WrongKey("The message belongs to a session that is not open."))
                else:
                    session.numbering.accept(message)
                if door.remote and message.type in HOME_ALONE:
                    raise _answering(message, WrongKey("Only the engine's own machine may do that.", AT_HOME))
            except PincelError as error:
                self.refuse(address, error)
                continue
            self.seen = session.seen = time.monotonic()
            yield session, message

    def _open(self, address: Address, message: Message) -> Session:
        spoken = message.header["protocol"]
        if spoken != VERSION:
            raise _answering(message, mismatch(spoken, VERSION, __version__))
        if address in self.sessions:
            self.lose(self.sessions[address])
        if len(self.sessions) >= SESSIONS_MAX:
            idle = [session for session in self.sessions.values() if not session.jobs]
            for session in sorted(idle, key=lambda session: session.seen)[:1]:
                del self.sessions[session.address]
        program = str(message.header["client"].get("name", ""))[:80]
        session = Session(address, Numbering(address[0].key, f"s-{secrets.token_hex(16)}"), program)
        self.sessions[address] = session
        log.info("%s opened a session", program or "a client")
        return session

    def lose(self, session: Session) -> None:
        """End a session; lost() reports it once."""
        if not session.gone:
            session.gone = True
            if self.sessions.get(session.address) is session:
                del self.sessions[session.address]
            self._lost.append(session)

    def lost(self) -> list[Session]:
        """The sessions that ended since the last call, their jobs still in them."""
        lost, self._lost = self._lost, []
        return lost

    # ---- telling -----------------------------------------------------------------------------------------------

    def tell(
        self, session: Session, type: str, id: str, parts: Sequence[Any] = (), buffers: Any = None, **fields: Any
    ) -> None:
        """Send a message in a session; a client that is gone loses the session."""
        if session.gone:
            return
        header = dict(fields, type=type, id=id)
        if buffers is not None:
            header["buffers"] = buffers
        try:
            sealed = session.numbering.seal(header, parts)
        except (MessageTooLarge, ValueError) as error:
            log.exception("a %s cannot be sent", type)
            sealed = session.numbering.seal(
                {"type": "error", "id": id, "error": error_field(InternalError(f"The answer cannot be sent: {error}"))}
            )
        if not self._send(session.address, sealed):
            log.info("%s is gone", session.program or "a client")
            self.lose(session)

    def refuse(self, address: Address, error: PincelError) -> None:
        """Answer a message with an error, in the address's session where it has one and the message could be read.

        An open job has one end only: an error about another message under its id goes out under "-".
        """
        session = self.sessions.get(address)
        count = self._count(address)
        if session is None and count > REFUSALS_MAX:
            return
        if count <= REFUSALS_MAX:
            log.info("refused: %s", error.sentence)
        id = error.request
        if session is not None and id != UNKNOWN and not isinstance(error, WrongKey):
            self.tell(session, "error", UNKNOWN if id in session.jobs else id, error=error_field(error))
            return
        if session is not None and id in session.jobs:
            id = UNKNOWN
        header = {"type": "error", "id": id, "error": error_field(error)}
        self._send(address, Numbering(address[0].key).seal(header))

    def _count(self, address: Address) -> int:
        """How many messages of a connection were refused, this one included."""
        count = self._refusals.pop(address, 0) + 1
        self._refusals[address] = count
        if len(self._refusals) > COUNTED_MAX:
            self._refusals.popitem(last=False)
        return count

    def _send(self, address: Address, parts: Sequence[Any]) -> bool:
        door, name = address
        try:
            door.socket.send_multipart([name, *parts], zmq.NOBLOCK, copy=False)
        except zmq.ZMQError as error:
            if error.errno in (zmq.EHOSTUNREACH, zmq.EAGAIN):
                return False
            raise
        return True


def _router(context: zmq.Context[Any], max_bytes: int) -> zmq.Socket[Any]:
    socket = context.socket(zmq.ROUTER)
    socket.linger = LINGER_MS
    # Sending to a client that is gone is an error, which is how its jobs come to be dropped.
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    # libzmq cuts the connection before it allocates a larger part; the sum of the parts is checked in unpack.
    socket.setsockopt(zmq.MAXMSGSIZE, max(max_bytes, 2 * HEADER_MAX))
    # A peer whose machine vanished (behind a tunnel) is noticed by the kernels, not by ZMTP heartbeats: an editor
    # that is busy for a minute and leaves its socket alone is still there.
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.TCP_KEEPALIVE_IDLE, 10)
    socket.setsockopt(zmq.TCP_KEEPALIVE_INTVL, 5)
    socket.setsockopt(zmq.TCP_KEEPALIVE_CNT, 3)
    socket.setsockopt(zmq.SNDHWM, UNREAD_MAX)
    # ROUTER_HANDOVER stays off: a connection that cannot sign must not take over another one's answers.
    return socket


def _answering(message: Message, error: PincelError) -> PincelError:
    error.request = message.id
    return error


def _free_path(name: str) -> Path:
    """The absolute path, if a Unix socket may be made there: ZeroMQ itself would remove whatever stands in the way."""
    path = Path(name).expanduser().absolute()
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise EngineStart("The socket's path is taken by a file.", "Name another path.", path=str(path))
    except FileNotFoundError:
        return path
    with socket.socket(socket.AF_UNIX) as other:
        if other.connect_ex(str(path)) == 0:
            raise PortTaken("The socket is used by another program.", "Name another path.", path=str(path))
    return path


def _bind(listener: zmq.Socket[Any], address: str, port: int) -> None:
    try:
        listener.bind(address)
    except zmq.ZMQError as error:
        listener.close()
        if error.errno == zmq.EADDRINUSE:
            raise PortTaken(f"The port {port} is used by another program.", port=port) from None
        raise EngineStart(f"The engine cannot listen at {address}: {error.strerror}.", endpoint=address) from None
