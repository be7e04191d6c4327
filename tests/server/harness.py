"""Real engine processes for tests, and a small client of pyzmq that can also misbehave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import zmq

from engine.client import connection, protocol
from engine.client.pixels import Pixels
from engine.server import log

ROOT = Path(__file__).resolve().parents[2]
FAKE_ENGINE = ROOT / "tests/fakes/engine_with_fake_task.py"
PATIENCE = 30.0  # seconds after which a test gives up: for hangs, no measure of speed


def until(condition, what="it"):
    """The first true value that condition() gives."""
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {PATIENCE} s"
        time.sleep(0.01)


def alive(pid):
    return connection.process_alive(pid)


def picture(width=5, height=3, value=100, channels="RGB"):
    return Pixels(bytes([value]) * (width * height * len(channels)), width, height, channels, "u8")


class EngineProcess:
    """An engine in a folder of its own.

    real: without the fake task, as `python -m engine.server` runs it. trace: it lists its imports. program: the file that is
    run instead, with the settings as JSON. path: folders for its PYTHONPATH.
    """

    def __init__(self, folder, real=False, trace=False, wait=True, program=FAKE_ENGINE, path=(), **settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.environ = os.environ | {"PINCEL_RUNTIME_DIR": str(folder / "run"), "PINCEL_HOME": str(folder / "home")}
        command = ["-m", "engine.server"] if real else [str(program), json.dumps(settings)]
        if trace:
            command = ["-X", "importtime", *command]
        self.environ["PYTHONPATH"] = os.pathsep.join(map(str, [ROOT, *path]))
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.clients = []
        if wait:
            until(lambda: self.connection() or self.process.poll() is not None, "the engine's start")
            assert self.connection(), self.process.communicate()[1]

    def connection(self):
        found, _ = connection.find(self.environ)
        return found[0] if found and found[0].pid == self.process.pid else None

    def files(self):
        """What is left in the runtime folder beside the lock."""
        return sorted(p.name for p in (self.folder / "run").iterdir() if p.name != "engine.lock")

    def log(self):
        return (self.folder / "home/logs/engine.log").read_text()

    def faults(self):
        """The errors that the broker itself logged: those of workers are not its own."""
        lines = log.read(self.folder / "home/logs/engine.log")
        return [line for line in lines if line["level"] in ("ERROR", "CRITICAL") and line["part"] != "worker"]

    def client(self, hello=True):
        client = Client(self.connection())
        self.clients.append(client)
        if hello:
            client.hello()
        return client

    def finish(self, number=signal.SIGTERM):
        """End it with a signal (0: wait for its end), unless it ended by itself; its exit status and what it said."""
        if self.process.poll() is None and number:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=PATIENCE)
        for client in self.clients:
            client.close()
        return self.process.returncode, out, err


class Client:
    """One connection and at most one session. Messages are read with get(); what it sends can be bent."""

    def __init__(self, where):
        self.where = where
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(where.endpoint)
        self.out = protocol.Numbering(where.key)
        self.back = protocol.Numbering(where.key)
        self.requests, self.ended = 0, {}

    def close(self):
        self.context.destroy(linger=0)

    def hello(self, **fields):
        fields = {"protocol": 1, "nonce": "n", "client": {"name": "test", "version": "0"}} | fields
        self.raw(protocol.pack(self.where.key, {"type": "hello", "id": "hello", "session": "", "seq": 0} | fields))
        while True:
            answer = self.get()
            if answer.id == "hello":
                return answer

    def raw(self, parts):
        self.socket.send_multipart(parts)

    def send(self, type, buffers=None, id=None, **fields):
        self.requests += 1
        id = id or f"r{self.requests}"
        self.raw(self.out.pack(type, id, buffers, **fields))
        return id

    def submit(self, does="invert", source=None, id=None, **options):
        buffers = {"source": source or picture()}
        return self.send("submit", buffers, id, task="fake", options={"does": does} | options)

    def get(self, seconds=PATIENCE):
        """The next message, or None after that time."""
        if not self.socket.poll(int(seconds * 1000)):
            assert seconds < PATIENCE, "no answer"
            return None
        message = protocol.unpack(self.where.key, self.socket.recv_multipart(copy=False), protocol.FROM_ENGINE)
        if message.type == "welcome":
            self.out = protocol.Numbering(self.where.key, message.session)
            self.back = protocol.Numbering(self.where.key, message.session)
        if message.session:
            self.back.accept(message)
        return message

    def wait(self, id, *types):
        """The next message of these types for the id; all before it are passed over, but others' ends are kept."""
        while True:
            message = self.ended.pop(id, None) or self.get()
            if message.id == id and message.type in types:
                return message
            assert message.id != id or message.type not in protocol.FINAL, message.header
            if message.type in protocol.FINAL:
                self.ended[message.id] = message

    def end(self, id):
        """The end of a job."""
        return self.wait(id, *protocol.FINAL)

    def ask(self, type):
        """The answer to ping, list, status, free or stop."""
        id = self.send(type)
        while True:
            message = self.get()
            if message.id == id:
                return message
            if message.type in protocol.FINAL:
                self.ended[message.id] = message

    def workers(self, *states):
        return [w for w in self.ask("status").header["workers"] if not states or w["state"] in states]


def code(message):
    """The code of an error message."""
    assert message.type == "error", message.header
    return message.header["error"]["code"]
