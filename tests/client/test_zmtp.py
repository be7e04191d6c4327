"""The standard library's DEALER against libzmq's ROUTER, and against peers that misbehave."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from random import Random

import pytest
import zmq

from engine.client import zmtp
from engine.client.errors import EngineNotAnswering, EngineNotRunning, MessageTooLarge
from engine.client.zmtp import Dealer

PATIENCE = 20.0


def ready(kind):
    """A peer's READY command."""
    body = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    return bytes([4, len(body)]) + body


@pytest.fixture(params=["tcp", "ipc"])
def router(request, tmp_path):
    """A bound ROUTER of libzmq that sends PINGs."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as socket:
        socket.linger = 0
        socket.heartbeat_ivl, socket.heartbeat_timeout = 100, 20000
        socket.router_mandatory = True
        socket.bind("tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{tmp_path}/z")
        yield socket


@pytest.fixture
def dealer(router):
    with contextlib.closing(Dealer(router.getsockopt_string(zmq.LAST_ENDPOINT))) as dealer:
        yield dealer


def pump(dealer, condition):
    """Step without waiting, as an editor's timer does, until the condition holds; the number of steps."""
    deadline, steps = time.monotonic() + PATIENCE, 0
    while not condition():
        assert time.monotonic() < deadline
        dealer.step(0.0)
        steps += 1
        time.sleep(0.0002)
    return steps


def arrives(router, dealer):
    """What the router received, while the dealer is pumped."""
    pump(dealer, lambda: router.poll(0))
    return router.recv_multipart()


def test_messages_of_all_shapes(router, dealer):
    shapes = [[b""], [b"", b"", b""], [b"x" * 255, b"y" * 256], [b"a"] * 500, [bytes(65535), bytes(65536), b"end"]]
    for parts in shapes:
        dealer.send([bytearray(parts[0]), *map(memoryview, parts[1:])])
        address, *came = arrives(router, dealer)
        assert came == parts
        router.send_multipart([address, *came])
        assert dealer.recv(PATIENCE) == parts


def test_many_messages_keep_their_order(router, dealer):
    for n in range(300):
        dealer.send([b"%d" % n, bytes(n)])
    address = None
    for n in range(300):
        address, *parts = arrives(router, dealer)
        assert parts == [b"%d" % n, bytes(n)]
    for n in range(300):
        router.send_multipart([address, b"%d" % n])
    assert [dealer.recv(PATIENCE) for _ in range(300)] == [[b"%d" % n] for n in range(300)]


def test_large_frames_in_small_steps(router, dealer, monkeypatch):
    monkeypatch.setattr(zmtp, "_SLICE", 0.0)  # one piece a step: within 10 ms a quick machine moves all of it
    large = os.urandom(1 << 20) * 48
    dealer.send([b"head", large])
    assert dealer.waiting >= len(large) - (1 << 20)  # send() only queues
    address, head, came = arrives(router, dealer)
    assert (head, came == large) == (b"head", True)
    pump(dealer, lambda: not dealer.waiting)  # on a busy machine the router has asked for a sign of life meanwhile
    router.send_multipart([address, came, b"tail"])
    assert dealer.recv(0.0) is None  # it does not wait for the rest
    got = []
    steps = pump(dealer, lambda: got.append(dealer.recv(0.0)) or got[-1])
    assert steps > 1
    assert got[-1] == [large, b"tail"]
    assert dealer.moved >= 2 * len(large)


def test_recv_gives_up_in_the_middle_of_a_message_and_goes_on():
    with Peer() as peer:
        dealer = peer.shake_hands()
        peer.sock.sendall(b"\x01\x03abc" + b"\x00\x05de")
        assert dealer.recv(0.01) is None
        peer.sock.sendall(b"fg")
        assert dealer.recv(0.01) is None
        peer.sock.sendall(b"h" + b"\x00\x01z")
        assert dealer.recv(PATIENCE) == [b"abc", b"defgh"]
        assert dealer.recv(PATIENCE) == [b"z"]
        assert dealer.recv(0.0) is None
        dealer.close()


def test_a_timeout_is_no_longer_than_asked(router, dealer):
    waited = []

    def wait(timeout):
        waited.append(timeout)
        return False

    dealer.send([b"hello"])
    arrives(router, dealer)
    dealer._wait = wait
    assert dealer.recv(0.05) is None
    assert waited and max(waited) <= 0.05


def test_heartbeats_are_answered_while_it_listens(router, dealer):
    dealer.send([b"hello"])
    address = arrives(router, dealer)[0]
    moved = dealer.moved
    dealer.recv(0.5)  # several PINGs
    assert dealer.error is None
    assert dealer.moved == moved  # they are no sign of life of the engine's loop
    router.send_multipart([address, b"still there"])
    assert dealer.recv(PATIENCE) == [b"still there"]


def test_ping_gets_its_context_back_between_messages():
    with Peer() as peer:
        dealer = peer.shake_hands()
        dealer.send([bytes(8 << 20), b"end"])  # more than the socket's buffers take
        dealer.step(0.0)
        peer.sock.sendall(b"\x04\x0b\x04PING\x00\x64ctxt")
        received = bytearray()
        reader = threading.Thread(target=peer.read, args=(received, 9 + (8 << 20) + 2 + 3 + 2 + 9))
        reader.start()
        pump(dealer, lambda: not reader.is_alive())
        assert received.endswith(b"\x00\x03end" + b"\x04\x09\x04PONGctxt")
        dealer.close()


def test_too_large_is_refused_before_memory_is_taken(monkeypatch):
    taken = []
    monkeypatch.setattr(zmtp, "bytearray", lambda *a: taken.append(a) or bytearray(*a), raising=False)
    with Peer() as peer:
        dealer = peer.shake_hands(max_bytes=1000)
        del taken[:]
        peer.sock.sendall(b"\x02" + struct.pack(">Q", 1 << 60))
        with pytest.raises(MessageTooLarge):
            dealer.recv(PATIENCE)
        assert taken == []
        with pytest.raises(MessageTooLarge):
            dealer.send([b"after it"])


def test_the_limit_is_of_a_whole_message(router):
    dealer = Dealer(router.getsockopt_string(zmq.LAST_ENDPOINT), max_bytes=100_000)
    dealer.send([b"hello"])
    address = arrives(router, dealer)[0]
    router.send_multipart([address, bytes(40_000), bytes(40_000)])
    assert len(dealer.recv(PATIENCE)) == 2
    router.send_multipart([address, *[bytes(40_000)] * 3])
    with pytest.raises(MessageTooLarge):
        dealer.recv(PATIENCE)


def test_endless_empty_frames_reach_the_limit(router):
    dealer = Dealer(router.getsockopt_string(zmq.LAST_ENDPOINT), max_bytes=100_000)
    dealer.send([b"hello"])
    address = arrives(router, dealer)[0]
    router.send_multipart([address, *[b""] * 5000])
    with pytest.raises(MessageTooLarge):
        dealer.recv(PATIENCE)


def test_no_memory_is_an_error_with_a_code():
    with Peer() as peer:
        dealer = peer.shake_hands(max_bytes=1 << 63)
        peer.sock.sendall(b"\x02" + struct.pack(">Q", 1 << 62))
        with pytest.raises(MessageTooLarge):
            dealer.recv(PATIENCE)


def test_a_lost_engine(router, dealer):
    dealer.send([b"hello"])
    arrives(router, dealer)
    router.close()
    with pytest.raises(EngineNotAnswering):
        dealer.recv(PATIENCE)
    with pytest.raises(EngineNotAnswering):
        dealer.recv(0.0)


def test_a_message_that_came_before_the_loss_is_still_given():
    with Peer() as peer:
        dealer = peer.shake_hands()
        peer.sock.sendall(b"\x00\x04last")
        peer.sock.close()
        assert dealer.recv(PATIENCE) == [b"last"]
        with pytest.raises(EngineNotAnswering):
            dealer.recv(PATIENCE)


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" + bytes(8) + b"\x00" + bytes(54),
        b"\xff" + bytes(8) + b"\x7f\x01" + bytes(53),
        b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"PLAIN".ljust(20, b"\0") + bytes(32),
        zmtp._GREETING + b"\x00\x05hello",
        zmtp._GREETING + b"\x04\x06\x05ERROR",
        zmtp._GREETING + b"\x04\x06\x05READY",
        zmtp._GREETING + ready(b"PUB"),
        zmtp._GREETING + b"\x06" + struct.pack(">Q", 1 << 40),
        zmtp._GREETING + b"\x05\x05",
        zmtp._GREETING + b"\xf8\x05",
        zmtp._GREETING + b"\x04\x00",
    ],
    ids=range(12),
)
def test_peers_that_are_no_engine(said):
    with Peer() as peer:
        dealer = Dealer(peer.endpoint)
        peer.accept(dealer)
        peer.sock.sendall(said)
        with pytest.raises(EngineNotAnswering):
            dealer.recv(PATIENCE)


def test_messages_survive_any_cutting_into_packets():
    random = Random(1)
    messages = [[random.randbytes(random.choice([0, 1, 255, 256, 5000])) for _ in range(n % 3 + 1)] for n in range(30)]
    stream = b"".join(
        b"\x04\x07\x04PING\0\1" + b"".join(map(bytes, zmtp._frame(memoryview(part), n + 1 < len(parts))))
        for parts in messages
        for n, part in enumerate(parts)
    )
    with Peer() as peer:
        dealer = peer.shake_hands()
        came = []
        while stream:
            length = random.choice([1, 2, 9, 700, 6000])
            peer.sock.sendall(stream[:length])
            stream = stream[length:]
            came.append(dealer.recv(0.0))
        pump(dealer, lambda: came.append(dealer.recv(0.0)) or len([m for m in came if m]) == len(messages))
        assert [m for m in came if m] == messages
        dealer.close()


def test_random_bytes_give_only_errors_with_codes():
    random = Random(2)
    for _ in range(40):
        with Peer() as peer:
            dealer = peer.shake_hands(max_bytes=100_000)
            peer.sock.sendall(random.randbytes(random.randrange(1, 3000)))
            peer.sock.shutdown(socket.SHUT_WR)
            with pytest.raises((EngineNotAnswering, MessageTooLarge)):
                while True:
                    assert dealer.recv(PATIENCE)


def test_nobody_there(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for endpoint in (f"tcp://127.0.0.1:{port}", f"ipc://{tmp_path}/nobody", f"ipc://{tmp_path}/{'x' * 200}"):
        with pytest.raises(EngineNotRunning):
            Dealer(endpoint).recv(PATIENCE)
    for endpoint in ("tcp://127.0.0.1", "tcp://127.0.0.1:x", "udp://127.0.0.1:1", "ipc://", "", "tcp://:99999"):
        with pytest.raises(EngineNotRunning):
            Dealer(endpoint).recv(PATIENCE)


class Peer:
    """A TCP server that says what the test wants."""

    def __enter__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self.server.getsockname()[1]}"
        self.sock = None
        return self

    def __exit__(self, *exception):
        self.server.close()
        if self.sock is not None:
            self.sock.close()

    def accept(self, dealer):
        self.sock, _ = self.server.accept()
        self.sock.settimeout(PATIENCE)
        dealer.step(0.01)

    def read(self, into, count):
        while len(into) < count:
            into += self.sock.recv(min(1 << 16, count - len(into)))

    def shake_hands(self, **limits):
        dealer = Dealer(self.endpoint, **limits)
        self.accept(dealer)
        self.sock.sendall(zmtp._GREETING + ready(b"ROUTER"))
        pump(dealer, lambda: dealer.ready)
        received = bytearray()
        pump(dealer, lambda: not dealer.waiting)
        self.read(received, 64 + 2 + 41)
        assert received[:64] == zmtp._GREETING and b"DEALER" in received
        return dealer
