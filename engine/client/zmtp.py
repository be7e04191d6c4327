"""A ZeroMQ DEALER in the standard library: ZMTP 3.1 (RFC 23 and 37), NULL mechanism, TCP and Unix sockets.

Never blocks: step(timeout) moves what can be moved, send() only queues, and a half-sent or half-read message is kept
until the next step. So a timer of an editor's window can drive it with a timeout of 0. One peer, one thread.
"""

import errno
import mmap
import os
import select
import socket
import struct
import time
from collections import deque

from .errors import EngineNotAnswering, EngineNotRunning, MessageTooLarge

_MORE, _LONG, _COMMAND = 1, 2, 4
_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)
_PEERS = (b"ROUTER", b"REP", b"DEALER")  # what a DEALER may talk to
_COMMAND_MAX = 64 * 1024
_CHUNK = 1024 * 1024
# With a timeout of 0 a step still moves data for so many seconds while it flows: 48 MB pass in a few timer ticks.
_SLICE = 0.01


class Dealer:
    """A connection to `endpoint` ("tcp://host:port", "ipc:///path"), begun at once and completed by step().

    max_bytes: the largest message that is accepted; more is refused before memory is taken for it.
    ready: the handshake is done. waiting: bytes that are still to be sent. moved: bytes of messages that were sent
    or read so far. error: why the connection ended (EngineNotRunning, EngineNotAnswering, MessageTooLarge), or None.
    """

    def __init__(self, endpoint, max_bytes=2**32):
        self.endpoint, self.max_bytes = endpoint, max_bytes
        self.ready, self.error, self.moved = False, None, 0
        self._connected = self._connecting = self._greeted = False
        self._out = deque([memoryview(_GREETING)])  # what is being sent: one message or command, never split by another
        self._commands, self._messages, self._bulk = deque(), deque(), False
        self._head = bytearray()  # what came in and is not yet understood
        self._body, self._got, self._flags = None, 0, 0  # the frame that is being read
        self._parts, self._size, self._inbox = [], 0, deque()
        try:
            self._family, self._address = _resolve(endpoint)
            self.sock = self._socket()
        except (OSError, ValueError, AttributeError) as error:
            raise EngineNotRunning("The address %s cannot be used: %s." % (endpoint, error)) from None
        self.step()

    # ---- the caller's side ---------------------------------------------------------------------------------------

    def send(self, parts):
        """Queue a multipart message of bytes-like parts, which must not change until they are sent."""
        self._raise()
        views = [memoryview(part).cast("B") for part in parts]
        frames = []
        for i, view in enumerate(views):
            frames.extend(_frame(view, _MORE if i + 1 < len(views) else 0))
        self._messages.append(frames)
        self._start_next()

    def recv(self, timeout=0.0):
        """The next message as a list of bytes-likes, or None when the timeout (seconds) passes before it is whole."""
        end, left = time.monotonic() + timeout, 1.0
        while not self._inbox and left > 0:
            self._raise()
            left = end - time.monotonic()
            self.step(max(0.0, left))
        if self._inbox:
            return self._inbox.popleft()
        self._raise()
        return None

    def step(self, timeout=0.0):
        """Move data for at most `timeout` seconds (and 10 ms) until a message is whole; errors end up in `error`."""
        begin = time.monotonic()
        end = begin + timeout
        try:
            while self.error is None:
                moved = self._connect() and (self._read() | self._write())
                now = time.monotonic()
                if self.error or self._inbox or now >= (max(end, begin + _SLICE) if moved else end):
                    return
                if not moved and not (self._wait(end - now) and self._connected):
                    time.sleep(min(0.001, end - now))  # an unconnected socket may be "writable" at once
        except OSError as error:
            cls = EngineNotAnswering if self._connected else EngineNotRunning
            self._fail(cls("The connection to %s broke: %s." % (self.endpoint, error.strerror or error)))

    @property
    def waiting(self):
        return sum(view.nbytes for frames in (*self._messages, self._out) for view in frames)

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        if self.error is None:
            self.error = EngineNotAnswering("The connection to the engine was closed.")
        self.sock.close()

    # ---- connecting ----------------------------------------------------------------------------------------------

    def _socket(self):
        sock = socket.socket(self._family, socket.SOCK_STREAM)
        sock.setblocking(False)
        if self._family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _connect(self):
        """True once the socket is connected."""
        if self._connected:
            return True
        if self._connecting:
            if not self._wait(0.0):
                return False
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        else:
            code = self.sock.connect_ex(self._address)
            if code == errno.EAGAIN and self._family != socket.AF_INET:
                return False  # a Unix socket whose queue is full: the next step tries again
            self._connecting = code in (errno.EINPROGRESS, errno.EWOULDBLOCK)
        if code in (0, errno.EISCONN):
            self._connected = True
        elif not self._connecting or code not in (errno.EINPROGRESS, errno.EWOULDBLOCK):
            self._fail(EngineNotRunning("Nothing answers at %s: %s." % (self.endpoint, os.strerror(code))))
        return self._connected

    def _greet(self):
        """Check the peer's greeting and answer with READY. True once it came."""
        if self._head[:1] not in (b"", b"\xff") or (len(self._head) >= 10 and not self._head[9] & 1):
            self._fail(EngineNotAnswering("What listens at %s is not ZeroMQ." % self.endpoint))
        elif len(self._head) >= 64:
            greeting = bytes(self._head[:64])
            del self._head[:64]
            if greeting[10] < 3 or greeting[12:32].rstrip(b"\0") != b"NULL":
                self._fail(EngineNotAnswering("What listens at %s is another kind of ZeroMQ." % self.endpoint))
                return False
            self._greeted = True
            body = b"\x05READY" + _property(b"Socket-Type", b"DEALER") + _property(b"Identity", b"")
            self._commands.append(_frame(memoryview(body), _COMMAND))
            self._start_next()
        return self._greeted

    # ---- writing -------------------------------------------------------------------------------------------------

    def _start_next(self):
        """Take up the next command, or after the handshake the next message, once the one before is sent."""
        if not self._out:
            self._bulk = not self._commands
            if self._commands:
                self._out.extend(self._commands.popleft())
            elif self.ready and self._messages:
                self._out.extend(self._messages.popleft())

    def _write(self):
        """Send what the socket takes; whether it took something."""
        if not self._out:
            return False
        try:
            count = self.sock.send(self._out[0][:_CHUNK])
        except (BlockingIOError, InterruptedError):
            return False
        self.moved += count if self._bulk else 0
        if count == self._out[0].nbytes:
            self._out.popleft()
            self._start_next()
        else:
            self._out[0] = self._out[0][count:]
        return True

    # ---- reading -------------------------------------------------------------------------------------------------

    def _read(self):
        """Take what the socket has; whether there was something."""
        try:
            if self._body is not None:
                count = self.sock.recv_into(memoryview(self._body)[self._got : self._got + _CHUNK])
                self._advance(count)
            else:
                data = self.sock.recv(64 * 1024)
                count = len(data)
                self._head += data
        except (BlockingIOError, InterruptedError):
            return False
        if count == 0:
            self._fail(EngineNotAnswering("The engine closed the connection."))
            return False
        while self.error is None and (self._greeted or self._greet()) and self._next_frame():
            pass
        return True

    def _next_frame(self):
        """Read on in the current frame, or begin the next one; whether a frame became whole."""
        if self._body is None and not self._begin_frame():
            return False
        if self._head and self._got < len(self._body):
            piece = self._head[: len(self._body) - self._got]
            self._body[self._got : self._got + len(piece)] = piece
            del self._head[: len(piece)]
            self._advance(len(piece))
        if self._got < len(self._body):
            return False
        body, self._body = self._body, None
        if self._flags & _COMMAND:
            self._command(bytes(body))
            return True
        self._parts.append(body)
        if not self._flags & _MORE:
            self._inbox.append(self._parts)
            self._parts, self._size = [], 0
        return True

    def _advance(self, count):
        self._got += count
        self.moved += 0 if self._flags & _COMMAND else count

    def _begin_frame(self):
        """Read a frame's flags and length and make room for it; whether they were there and allowed."""
        if not self._head:
            return False
        flags = self._head[0]
        start = 9 if flags & _LONG else 2
        if len(self._head) < start:
            return False
        size = struct.unpack_from(">Q", self._head, 1)[0] if flags & _LONG else self._head[1]
        command = flags & _COMMAND
        if flags > 7 or (command and (flags & _MORE or size > _COMMAND_MAX)) or not (command or self.ready):
            self._fail(EngineNotAnswering("The engine sent what is not ZMTP 3."))
            return False
        if not command:
            self._size += size + 64  # even a message of endless empty frames reaches the limit
            if self._size > self.max_bytes:
                sentence = "The engine sends a message of more than %d bytes." % self.max_bytes
                self._fail(MessageTooLarge(sentence, "Work on a smaller picture.", limit=self.max_bytes))
                return False
        del self._head[:start]
        try:
            # A mapping's zeros come page by page; a bytearray of 48 MB would hold an editor's window for 20 ms.
            body = memoryview(mmap.mmap(-1, size)) if size > _CHUNK else bytearray(size)
            self._flags, self._got, self._body = flags, 0, body
        except (MemoryError, OverflowError, OSError, ValueError):
            sentence = "There is no memory for a message of %d bytes." % size
            self._fail(MessageTooLarge(sentence, "Close other programs, or work on a smaller picture."))
            return False
        return True

    def _command(self, body):
        name, rest = body[1 : 1 + body[0]] if body else b"", body[1 + body[0] :] if body else b""
        if name == b"PING" and self.ready:  # 2 bytes of time to live, then a context of up to 16 that comes back
            self._commands.append(_frame(memoryview(b"\x04PONG" + rest[2:18]), _COMMAND))
            self._start_next()
        elif name == b"READY" and not self.ready:
            if _properties(rest).get(b"socket-type") not in _PEERS:
                self._fail(EngineNotAnswering("What listens at %s is no Pincel engine." % self.endpoint))
            self.ready = True
            self._start_next()
        elif name == b"ERROR" or not self.ready:
            self._fail(EngineNotAnswering("The engine refused the connection: %.100s." % ascii(rest[1:])))

    # ---- waiting and failing -------------------------------------------------------------------------------------

    def _wait(self, timeout):
        """Whether the socket can be read or, where something is to be sent, written within `timeout` seconds."""
        write = bool(self._out) or not self._connected
        if hasattr(select, "poll"):  # select() cannot watch descriptors above 1023, which an editor may well have
            poll = select.poll()
            poll.register(self.sock, select.POLLIN | (select.POLLOUT if write else 0))
            return bool(poll.poll(max(0.0, timeout) * 1000))
        return any(select.select([self.sock], [self.sock] if write else [], [self.sock], max(0.0, timeout)))

    def _fail(self, error):
        if self.error is None:
            self.error = error
            self.sock.close()

    def _raise(self):
        if self.error is not None:
            raise self.error


def _resolve(endpoint):
    """(address family, address) for socket.connect. Raises OSError, ValueError or AttributeError."""
    scheme, _, rest = endpoint.partition("://")
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        return found[0], found[4]
    if scheme == "ipc" and rest:
        return socket.AF_UNIX, "\0" + rest[1:] if rest.startswith("@") else rest
    raise ValueError("it is neither tcp:// nor ipc://")


def _frame(body, flags):
    """A frame as memoryviews: flags and length, then the body; small ones in one piece."""
    size = body.nbytes
    head = struct.pack(">BB", flags, size) if size < 256 else struct.pack(">BQ", flags | _LONG, size)
    if size < 4096:
        return [memoryview(head + bytes(body))]
    return [memoryview(head), body]


def _property(name, value):
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def _properties(data):
    """A READY command's metadata as {name in lower case: value}; what does not parse is left out."""
    found = {}
    while data:
        start = 1 + data[0]
        if len(data) < start + 4:
            break
        end = start + 4 + struct.unpack_from(">I", data, start)[0]
        found[data[1:start].lower()] = data[start + 4 : end]
        data = data[end:]
    return found
