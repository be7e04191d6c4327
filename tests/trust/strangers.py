"""Connections that misbehave below the messages: bytes that are no ZMTP, lengths that lie, peers that stop in the middle."""

from __future__ import annotations

import contextlib
import random
import socket
import struct

from engine.client import protocol
from engine.client.pixels import Pixels

GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + b"NULL".ljust(20, b"\0") + bytes(32)


def address(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def prop(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + struct.pack(">I", len(value)) + value


def command(name: bytes, body: bytes) -> bytes:
    content = bytes([len(name)]) + name + body
    return struct.pack(">BB", 4, len(content)) + content if len(content) < 256 else long_frame(content, 4)


def long_frame(body: bytes, flags: int = 0, length: int | None = None) -> bytes:
    return struct.pack(">BQ", flags | 2, len(body) if length is None else length) + body


def message(parts) -> bytes:
    """A multipart message as ZMTP frames."""
    frames = []
    for n, part in enumerate(parts):
        more = n + 1 < len(parts)
        body = bytes(part)
        frames.append(bytes([more, len(body)]) + body if len(body) < 256 else long_frame(body, more))
    return b"".join(frames)


READY = command(b"READY", prop(b"Socket-Type", b"DEALER") + prop(b"Identity", b""))
HELLO = {
    "type": "hello",
    "id": "hello",
    "session": "",
    "seq": 0,
    "protocol": 1,
    "nonce": "n",
    "client": {"name": "raw"},
}


def hello(key: bytes) -> bytes:
    return message(protocol.pack(key, HELLO))


def opened(endpoint: str) -> socket.socket:
    sock = socket.create_connection(address(endpoint), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def shaken(endpoint: str) -> socket.socket:
    """A connection past its handshake: libzmq hangs up on messages that come before its own READY has left."""
    sock = opened(endpoint)
    sock.sendall(GREETING + READY)
    seen = b""
    while len(seen) < 66 or len(seen) < 66 + seen[65]:
        more = sock.recv(4096)
        assert more, "the broker hung up on a good handshake"
        seen += more
    return sock


def closed(sock: socket.socket, reset: bool = False) -> None:
    if reset:  # the peer's machine "crashed": no goodbye
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


# ---- what a stranger sends; each gives the bytes, and how many messages are begun in them -----------------------------
# The first kinds from the first byte on, the others behind a good handshake.


def no_zmtp(dice: random.Random, key: bytes):
    return dice.choice(
        [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n{",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + dice.randbytes(200),
            b"\x01\x00\x00\x00",
            b"\xff" + bytes(7) + b"\x01\x7f\x01\x05",
            b"\0" * 64,
            dice.randbytes(dice.randrange(1, 3000)),
            GREETING[: dice.randrange(1, 64)],
            GREETING[:12] + b"CURVE".ljust(20, b"\0") + bytes(32),
            GREETING[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32) + command(b"HELLO", b"\x01a\x01b"),
        ]
    ), 1


def bad_handshake(dice: random.Random, key: bytes):
    ready = dice.choice(
        [
            command(b"READY", prop(b"Socket-Type", dice.choice([b"PUB", b"ROUTER", b"PULL", b"", b"X" * 40]))),
            command(b"READY", b"\x0bSocket-Type" + struct.pack(">I", 2**31) + b"DEALER"),
            command(b"READY", b"\xff" * 30),
            command(b"READY", prop(b"Identity", b"\0" + b"x" * 300) + prop(b"Socket-Type", b"DEALER")),
            command(b"READY", b"".join(prop(b"X%d" % n, b"y" * 200) for n in range(90))),
            command(b"ERROR", b"\x05hello"),
            command(b"", b""),
            message([b"PINCEL/1", b"", b"{}"]),
            READY * 3,
            READY[: dice.randrange(1, len(READY))],
        ]
    )
    return GREETING + ready + message(protocol.pack(key, HELLO)), 2


def lying_frames(dice: random.Random, key: bytes):
    """Lengths that no message has; often the connection then stays open and says no more."""
    tail = dice.choice(
        [
            long_frame(b"abc", 0, 2**63 - 1),
            long_frame(b"abc", 0, 2**64 - 1),
            long_frame(b"abc", 1, 2**40),
            long_frame(b"PINCEL/1", 1, 900_000),
            long_frame(b"\x04PING", 4, 2**33),
            bytes([dice.choice((8, 16, 64, 128, 255)), 3]) + b"abc",
            command(b"PING", struct.pack(">H", dice.randrange(2**16)) + dice.randbytes(dice.choice((0, 16, 200)))),
            command(b"SUBSCRIBE", b"x") + command(b"PONG", b"y"),
            b"".join(bytes([1, 1]) + b"x" for _ in range(dice.choice((100, 5000)))),
            message([b"x"] * 3000),
            message([b""] * 50),
        ]
    )
    return (hello(key) if dice.randrange(2) else b"") + tail, 2


def cut_off(dice: random.Random, key: bytes):
    """A good client's bytes, ended anywhere."""
    picture = Pixels(dice.randbytes(3000), 40, 25, "RGB", "u8")
    numbering = protocol.Numbering(key, "s-none")
    submit = numbering.pack("submit", "s1", {"source": picture}, task="fake", options={})
    whole = hello(key) + message(submit) + message(numbering.pack("ping", "p1"))
    return whole[: dice.randrange(1, len(whole))], 3


def without_key(dice: random.Random, key: bytes):
    """Whole messages of somebody who cannot sign them."""
    wrong = dice.randbytes(32)
    numbering = protocol.Numbering(wrong, "s-guess")
    kinds = ["ping", "stop", "free", "list", "status"]
    said = [numbering.pack(dice.choice(kinds), f"m{n}") for n in range(dice.randrange(1, 40))]
    return b"".join(message(parts) for parts in [protocol.pack(wrong, HELLO), *said]), len(said) + 1


def changed_bytes(dice: random.Random, key: bytes):
    """A good client's bytes with some of them changed, lost or doubled."""
    whole = bytearray(hello(key) + message(protocol.Numbering(key, "s-none").pack("ping", "p1")) * 3)
    for _ in range(dice.choice((1, 2, 10))):
        place = dice.randrange(len(whole))
        case = dice.randrange(3)
        if case == 0:
            whole[place] ^= 1 << dice.randrange(8)
        elif case == 1:
            del whole[place : place + dice.randrange(1, 30)]
        else:
            whole[place:place] = whole[place : place + dice.randrange(1, 30)]
        if not whole:
            break
    return bytes(whole), 4


FROM_THE_START = (no_zmtp, bad_handshake)
ATTACKS = (*FROM_THE_START, lying_frames, cut_off, without_key, changed_bytes)


def attack(endpoint: str, key: bytes, dice: random.Random) -> tuple[str, int, socket.socket]:
    """One hostile connection, its bytes sent at once, in pieces or byte by byte: (kind, messages, the open socket)."""
    make = dice.choice(ATTACKS)
    data, count = make(dice, key)
    sock = opened(endpoint) if make in FROM_THE_START else shaken(endpoint)
    step = dice.choice((len(data), len(data), 700, 1)) if len(data) < 2000 else len(data)
    with contextlib.suppress(OSError):  # the broker may hang up in the middle, which is its right
        for start in range(0, len(data), step):
            sock.sendall(data[start : start + step])
    return make.__name__, count, sock


class SlowSender:
    """A good client that sends its hello a byte at a time, between other things: it must be welcomed in the end."""

    def __init__(self, endpoint: str, key: bytes) -> None:
        self.sock, self.rest = shaken(endpoint), hello(key)

    def step(self, count: int = 1) -> bool:
        """Whether all is sent."""
        self.sock.sendall(self.rest[:count])
        self.rest = self.rest[count:]
        return not self.rest

    def welcomed(self) -> bool:
        seen = b""
        while b'"type":"welcome"' not in seen:
            more = self.sock.recv(65536)
            if not more:
                return False
            seen += more
        return True
