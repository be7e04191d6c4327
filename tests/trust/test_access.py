"""Who is not let in: strangers with a wrong key, other users, browsers, recordings, other machines. (Paired: tests/remote.)"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from engine.client import connection, protocol
from engine.client.errors import EngineNotRunning, NotLoopback
from engine.client.session import Session
from engine.server.front import loopback
from tests.server.harness import ROOT, Client, code, picture, until
from tests.trust import strangers

# What a web page can make a browser send to a port of the same machine, by fetch, a form, or a name that the page's own
# server points at 127.0.0.1 after it was loaded ("DNS rebinding": the Host is the attacker's, the address ours).
HOSTS = ("127.0.0.1", "localhost", "evil.example", "a" * 300 + ".evil.example", "127.0.0.1.evil.example", "[::1]", "")


@pytest.fixture
def engine(start):
    engine = start()
    yield engine
    assert engine.faults() == []


def alive(engine):
    client = engine.client()
    assert client.end(client.submit()).type == "result"
    return True


def sessions(engine):
    return engine.log().count("opened a session")


def test_a_wrong_key(engine):
    """Each kind of message, signed with another key: no answer but the refusal, and nothing happens."""
    where = engine.connection()
    for key in (bytes(32), os.urandom(32), b"", where.key[:31], where.key[::-1]):
        stranger = Client(where)
        for kind in protocol.FROM_CLIENT:
            header = {"type": kind, "id": "x", "session": "", "seq": 0, "protocol": 1, "nonce": "n", "client": {}}
            stranger.raw(protocol.seal(key, header))
            answer = json.loads(stranger.socket.recv_multipart()[2])
            assert (answer["type"], answer["error"]["code"], answer["id"]) == ("error", "engine.wrong-key", "-")
        stranger.close()
    assert sessions(engine) == 0 and alive(engine)


def test_another_users_key(engine, start):
    """Two users, an engine each: the key of the one opens nothing at the other."""
    other = start("other").connection()
    mine, other.endpoint = engine.connection(), engine.connection().endpoint
    assert other.key != mine.key
    stranger = Client(other)
    hello = {"type": "hello", "id": "h", "session": "", "seq": 0, "protocol": 1, "nonce": "n", "client": {}}
    stranger.raw(protocol.pack(other.key, hello))
    assert b"engine.wrong-key" in stranger.socket.recv_multipart()[2]
    stranger.close()
    assert sessions(engine) == 0


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs root, to own a file as somebody else")
def test_another_users_connection_file_is_not_followed(tmp_path, engine):
    """Somebody who may write into the folder cannot lure a client to an engine of theirs."""
    where = engine.connection()
    path = connection.write_connection(str(tmp_path / "lure"), where.endpoint, where.key, "0.1.0", where.pid)
    os.chown(path, 12345, 12345)
    environ = {"PINCEL_RUNTIME_DIR": str(tmp_path / "lure")}
    assert connection.find(environ) == ([], {str(tmp_path / "lure"): "it belongs to another user"})
    with pytest.raises(EngineNotRunning):
        Session.connect("x", "1", environ=environ)


REQUESTS = [
    ("GET", "/", {}),
    ("GET", "/engine.json", {"Origin": "http://evil.example"}),
    ("POST", "/submit", {"Content-Type": "text/plain"}),
    ("POST", "/stop", {"Content-Type": "application/x-www-form-urlencoded"}),
    ("OPTIONS", "/", {"Origin": "http://evil.example", "Access-Control-Request-Private-Network": "true"}),
    ("GET", "/", {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}),
]


def test_what_browsers_send(engine):
    """Every request with every Host, a message in its body: no answer that a page could read, and nothing happens."""
    hello = {"type": "hello", "id": "h", "session": "", "seq": 0, "protocol": 1, "nonce": "n", "client": {}}
    body = strangers.GREETING + strangers.READY + strangers.message(protocol.pack(bytes(32), hello))
    browsers = []
    for host in HOSTS:
        for method, path, headers in REQUESTS:
            given = {"Host": host, "Content-Length": len(body), **headers}
            head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
            browsers.append(strangers.opened(engine.connection().endpoint))
            browsers[-1].sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
    assert alive(engine) and sessions(engine) == 1, "the session of the one who asked whether it is alive"
    for browser in browsers:
        browser.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            # ZeroMQ's greeting and refusals in frames, which no browser takes for an answer.
            seen = browser.recv(10_000)
            assert seen[:1] in (b"", b"\xff") and b"HTTP" not in seen and b"welcome" not in seen
            assert len(seen) <= 64 or any(b"engine." + why in seen for why in (b"malformed", b"protocol", b"wrong-key"))
        browser.close()
    assert alive(engine)


def test_a_browsers_own_words_for_it(engine):
    port = int(engine.connection().endpoint.rpartition(":")[2])
    browser = http.client.HTTPConnection("127.0.0.1", port, timeout=0.5)
    with contextlib.closing(browser), pytest.raises((http.client.HTTPException, OSError)):
        browser.request("GET", "/", headers={"Host": "evil.example"})
        browser.getresponse()
    assert sessions(engine) == 0 and alive(engine)


def record(endpoint, listener, seen):
    """A relay that writes down what the client sends."""
    here, _ = listener.accept()
    there = strangers.opened(endpoint)

    def carry(one, other, kept):
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                kept += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    back = threading.Thread(target=carry, args=(there, here, bytearray()), daemon=True)
    back.start()
    carry(here, there, seen)
    back.join(30)
    here.close()
    there.close()


def test_a_recorded_conversation_cannot_be_played_again(engine, tmp_path):
    """All that a client sent, sent again: its hello opens a session of its own, whose name the recording does not know."""
    where, seen = engine.connection(), bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = threading.Thread(target=record, args=(where.endpoint, listener, seen), daemon=True)
        relay.start()
        endpoint = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        connection.write_connection(str(tmp_path / "via"), endpoint, where.key, "0.1.0", where.pid)
        with Session.connect("victim", "1", environ={"PINCEL_RUNTIME_DIR": str(tmp_path / "via")}) as session:
            assert session.submit("fake", {}, {"source": picture()}).wait()
        relay.join(30)
    assert b'"submit"' in seen
    client = engine.client()
    pid = until(lambda: [w["pid"] for w in client.workers("idle")], "the worker's rest")
    client.ask("free")
    with strangers.shaken(where.endpoint) as robber:
        robber.sendall(seen[66 + seen[65] :])  # what follows the handshake
        heard = b""
        while heard.count(b'"type":"error"') < 1:
            more = robber.recv(65536)
            assert more, heard
            heard += more
    assert b"engine.wrong-key" in heard and b'"queued"' not in heard and b'"result"' not in heard
    assert client.workers() == [], "no worker was started for it"
    assert pid and alive(engine)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "192.168.1.5", "10.0.0.1", "::", "::ffff:127.0.0.1", "*", "example.org", ""]
)
def test_a_bind_that_others_could_reach(host):
    with pytest.raises(NotLoopback):
        loopback(host)


def test_the_command_refuses_it_too(tmp_path):
    environ = os.environ | {"PINCEL_RUNTIME_DIR": str(tmp_path / "run"), "PINCEL_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "engine", "serve", "--host", "0.0.0.0"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 6 and "engine.not-loopback" in done.stderr
    assert not list((tmp_path / "run").glob("*.json"))


def listening(pid):
    """The TCP addresses at which a process listens, as Linux has them: ["127.0.0.1", ...]."""
    inodes = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(file).removeprefix("socket:[").rstrip("]"))
    found = []
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                words = [packed[n : n + 4][::-1] for n in range(0, len(packed), 4)]
                found.append(socket.inet_ntop(family, b"".join(words)))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_running_engine_listens_on_loopback_alone(engine):
    client = engine.client()
    assert client.end(client.submit()).type == "result"
    processes = [engine.process.pid, *(worker["pid"] for worker in client.workers())]
    found = [address for pid in processes for address in listening(pid)]
    assert len(found) >= 2 and set(found) == {"127.0.0.1"}, "the clients' door and the workers'"


def test_a_session_of_somebody_else_cannot_be_used(engine):
    """Even with the right key: a session belongs to its connection."""
    victim, robber = engine.client(), engine.client()
    job = victim.submit("sleep", steps=50, seconds=0.02)
    robber.out.session, robber.out.sent = victim.out.session, 10_000
    for kind, fields in (("cancel", {"job": job}), ("ping", {}), ("stop", {})):
        robber.send(kind, **fields)
        assert code(robber.get()) == "engine.wrong-key"
    assert victim.end(job).type == "result"
