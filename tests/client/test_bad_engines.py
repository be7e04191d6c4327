"""What a client makes of engines that are none, or that break the protocol's promises: always an error with a code."""

from __future__ import annotations

import json
import os
import threading

import pytest
import zmq

from engine.client import connection, protocol
from engine.client.errors import EngineError, EngineNotAnswering, FrameInvalid, ProtocolMismatch, WrongKey
from engine.client.pixels import Pixels
from engine.client.session import Session
from tests.server.harness import until

KEY = bytes(range(32))
SOURCE = Pixels(bytes(24), 4, 2, "RGB", "u8")


class FakeEngine(threading.Thread):
    """A ROUTER whose answers the test gives: answers(header) -> list of messages' parts."""

    def __init__(self, folder, answers, key=KEY, file_key=KEY):
        super().__init__(daemon=True)
        self.environ = {**os.environ, "PINCEL_RUNTIME_DIR": str(folder)}
        self.answers, self.key = answers, key
        self.numbering = protocol.Numbering(key, "s-1")
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.linger = 0
        self.socket.bind("tcp://127.0.0.1:*")
        connection.publish(self.socket.getsockopt_string(zmq.LAST_ENDPOINT), file_key, "0", self.environ)
        self.over = False

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.over = True
        self.join()
        self.context.destroy(linger=0)

    def run(self):
        while not self.over:
            if self.socket.poll(20):
                address, *parts = self.socket.recv_multipart()
                for answer in self.answers(self, json.loads(parts[2])):
                    self.socket.send_multipart([address, *answer])

    def welcome(self, header, **changes):
        fields = {
            "nonce": header["nonce"],
            "protocol": 1,
            "version": "0",
            "tasks": [],
            "models": [],
            "limits": {},
            "devices": [],
        }
        return self.numbering.pack("welcome", header["id"], **{**fields, **changes})


def polite(engine, header):
    """What an engine does that knows no job: it only says hello."""
    return [engine.welcome(header)] if header["type"] == "hello" else []


def test_an_answer_with_another_key(tmp_path):
    with FakeEngine(tmp_path, polite, key=bytes(32)) as engine, pytest.raises(WrongKey):
        Session.connect("test", "0", environ=engine.environ)


def test_an_answer_to_another_question(tmp_path):
    """Who recorded an earlier welcome and listens at the old port cannot play it again."""
    replay = lambda engine, header: [engine.welcome({**header, "nonce": "of yesterday"})]  # noqa: E731
    with FakeEngine(tmp_path, replay) as engine, pytest.raises(EngineNotAnswering):
        Session.connect("test", "0", environ=engine.environ)


def test_another_protocol(tmp_path):
    with FakeEngine(tmp_path, lambda engine, header: [[b"PINCEL/2", b"?"]]) as engine:
        with pytest.raises(ProtocolMismatch):
            Session.connect("test", "0", environ=engine.environ)
        path = tmp_path / connection.FILE
        path.write_text(path.read_text().replace('"protocol": 1', '"protocol": 2'))
        with pytest.raises(ProtocolMismatch):
            Session.connect("test", "0", environ=engine.environ)


def job_of(tmp_path, *answers):
    """A job whose submit was answered with these, each (type, fields) or (type, fields, pictures)."""

    def answer(engine, header):
        if header["type"] != "submit":
            return polite(engine, header)
        return [engine.numbering.pack(a[0], header["id"], *a[2:], **a[1]) for a in answers]

    with FakeEngine(tmp_path, answer) as engine, Session.connect("test", "0", environ=engine.environ) as session:
        job = session.submit("colorize", {}, {"source": SOURCE})
        until(lambda: job.step(0.05))
        return job


def progress(fraction):
    return "progress", {"phase": "net", "step": 1, "steps": 2, "fraction": fraction, "eta": None}


RESULT = ("result", {"info": {}}, {"result-0": Pixels(b"abc", 1, 1, "RGB", "u8")})


def test_progress_never_falls_and_one_end_is_final(tmp_path):
    job = job_of(tmp_path, progress(0.5), progress(0.2), progress(7), ("cancelled", {}), RESULT)
    assert job.progress.fraction == 0.999
    assert (job.state, job.result) == ("cancelled", None)


def test_a_result_without_pictures_is_no_success(tmp_path):
    job = job_of(tmp_path, ("result", {"info": {}}, {}))
    assert (job.state, type(job.error), job.result) == ("error", EngineError, None)


def test_a_result_that_lies_about_its_size(tmp_path):
    def answer(engine, header):
        if header["type"] != "submit":
            return polite(engine, header)
        entry = {**Pixels(b"abc", 1, 1, "RGB", "u8").header("result-0"), "width": 1000}
        return [engine.numbering.seal({"type": "result", "id": header["id"], "info": {}, "buffers": [entry]}, [b"abc"])]

    with (
        FakeEngine(tmp_path, answer) as engine,
        Session.connect("test", "0", environ=engine.environ) as session,
        pytest.raises(FrameInvalid),
    ):
        session.submit("colorize", {}, {"source": SOURCE}).wait()


@pytest.mark.parametrize(
    "garbage",
    [
        lambda engine: [b"?"],
        lambda engine: protocol.Numbering(bytes(32), "s-1").pack("pong", "r1"),
        lambda engine: protocol.Numbering(KEY, "s-2").pack("pong", "r1"),
        lambda engine: protocol.seal(KEY, {"type": "pong", "id": "r1", "session": "s-1", "seq": 1}),
        lambda engine: protocol.seal(
            KEY, {"type": "error", "id": "-", "session": "", "seq": 0, "error": {"code": "engine.malformed"}}
        ),
    ],
    ids=["no message", "another key", "another session", "played again", "refused"],
)
def test_what_is_no_answer_ends_the_connection_with_a_code(tmp_path, garbage):
    answer = lambda engine, header: polite(engine, header) or [garbage(engine)]  # noqa: E731
    with FakeEngine(tmp_path, answer) as engine, Session.connect("test", "0", environ=engine.environ) as session:
        job = session.submit("colorize", {}, {"source": SOURCE})
        until(lambda: job.step(0.05))
        assert isinstance(job.error, EngineError)
        assert session.step(0.0) is None  # the next question would connect anew
