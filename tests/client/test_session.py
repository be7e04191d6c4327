"""The session and its jobs against the real broker, with a task whose steps the tests control, and against fakes of a
broker that breaks its promises."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
import zmq

from engine.client import connecting, connection, job, protocol
from engine.client.connecting import Connecting
from engine.client.errors import (
    Cancelled,
    EngineError,
    EngineNotAnswering,
    EngineNotRunning,
    FrameInvalid,
    InputError,
    MessageTooLarge,
    OptionError,
    ProtocolMismatch,
    Stopping,
    TaskUnknown,
    TooLarge,
    WrongKey,
)
from engine.client.pixels import Pixels
from engine.client.session import Session
from tests.server.harness import EngineProcess, until

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A real engine that the tests of this file leave as they found it."""
    engine = EngineProcess(tmp_path_factory.mktemp("engine"), max_bytes=1_000_000)
    yield engine
    engine.finish()


@pytest.fixture
def session(engine):
    with Session.connect("test", "0", environ=engine.environ) as session:
        yield session


def picture(width=4, height=2):
    return Pixels(bytes(range(width * height * 3)), width, height, "RGB", "u8")


def forever(session):
    """A job that ends only when it is stopped."""
    return session.submit("fake", {"does": "sleep", "steps": 100000, "seconds": 0.01}, {"source": picture()})


def works(job):
    return job.step(0.05) or (job.progress is not None and job.progress.step > 1)


def test_questions(session):
    assert session.ping() >= 0
    assert {task["name"] for task in session.tasks} >= {"colorize", "upscale"}
    assert session.list_models() == session.models
    assert {"queue", "workers", "keep_alive", "uptime"} == set(session.status())
    assert session.limits["max_bytes"] == 1_000_000
    assert session.engine_version and isinstance(session.devices, list)


def test_a_job(session):
    seen = []
    job = session.submit("fake", {"steps": 20}, {"source": picture()})
    [result] = job.wait(seen.append)
    assert bytes(result.data) == bytes(255 - n for n in range(24))
    assert (result.width, result.height, result.channels) == (4, 2, "RGB")
    assert (job.state, job.done, job.error, job.attempt) == ("result", True, None, 1)
    assert "seconds" in job.info
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and all(f < 1 for f in fractions[:-1])
    assert job.step(0.0) and job.wait() == job.result


def test_many_jobs_at_once_each_get_their_own(session):
    jobs = [session.submit("fake", {}, {"source": picture(n + 1, 1)}) for n in range(5)]
    until(lambda: all(job.step(0.05) for job in jobs))
    assert [job.result[0].width for job in jobs] == [1, 2, 3, 4, 5]


def test_cancel(session):
    running, waiting = forever(session), forever(session)
    until(lambda: works(running))
    assert waiting.state in ("sent", "queued")
    for stopped in (waiting, running):
        stopped.cancel()
        stopped.cancel()
        until(lambda stopped=stopped: stopped.step(0.05))
        assert (stopped.state, type(stopped.error), stopped.result) == ("cancelled", Cancelled, None)
        with pytest.raises(Cancelled):
            stopped.wait()
    assert session.status()["queue"] == []


def test_ctrl_c_while_waiting_cancels_the_job(session):
    job = forever(session)

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.wait(interrupt)
    until(lambda: job.step(0.05))
    assert job.state == "cancelled"


def test_errors_of_the_task_arrive_as_their_classes(session):
    for options, error in (
        ({"does": "input-error"}, InputError),
        ({"does": "nonsense"}, OptionError),
        ({"colour": 1}, OptionError),
    ):
        job = session.submit("fake", options, {"source": picture()})
        with pytest.raises(error) as caught:
            job.wait()
        assert type(caught.value) is error and caught.value.sentence and caught.value.remedy
        assert (job.state, job.result) == ("error", None)
    with pytest.raises(TaskUnknown):
        session.submit("paint", {}, {"source": picture()}).wait()
    with pytest.raises(TooLarge):
        session.submit("fake", {}, {"source": Pixels(bytes(50000), 50000, 1, "GRAY", "u8")}).wait()


def test_what_cannot_be_sent_is_refused_at_once(session):
    with pytest.raises(MessageTooLarge):
        session.submit("fake", {}, {"source": Pixels(bytes(1_000_000), 1000, 1000, "GRAY", "u8")})
    for options in ({"x": float("nan")}, {"x": {1}}, {"x": b"bytes"}):
        with pytest.raises(OptionError):
            session.submit("fake", options, {"source": picture()})
    assert session.ping() >= 0


def test_a_lost_engine_fails_its_jobs_and_nothing_is_sent_again(tmp_path):
    engine = EngineProcess(tmp_path)
    session = Session.connect("test", "0", environ=engine.environ)
    first, second = forever(session), forever(session)
    until(lambda: works(first))
    workers = [worker["pid"] for worker in session.status()["workers"]]
    engine.process.send_signal(signal.SIGKILL)
    for lost in (first, second):
        until(lambda lost=lost: lost.step(0.05))
        assert (lost.state, type(lost.error)) == ("error", EngineNotAnswering)
        assert lost.error.remedy
    with pytest.raises(EngineNotRunning):
        session.ping()
    engine.finish()
    again = EngineProcess(tmp_path)
    assert session.ping() >= 0  # the session is made anew, the jobs are not
    assert session.status()["queue"] == []
    assert first.state == second.state == "error"
    until(lambda: not any(connection.process_alive(pid) for pid in workers))
    session.close()
    again.finish()


def test_stopping_and_freeing(tmp_path):
    engine = EngineProcess(tmp_path)
    session = Session.connect("test", "0", environ=engine.environ)
    session.submit("fake", {}, {"source": picture()}).wait()
    session.free()
    assert session.status()["workers"] == []
    open_job = forever(session)
    with Session.connect("another", "0", environ=engine.environ) as other:
        other.stop()
    until(lambda: open_job.step(0.05))
    assert type(open_job.error) is Stopping
    session.close()
    assert engine.finish(0)[0] == 0


def test_a_closed_session_cancels_its_jobs(engine):
    session = Session.connect("test", "0", environ=engine.environ)
    job = forever(session)
    until(lambda: works(job))
    session.close()
    assert job.state == "cancelled"
    with pytest.raises(EngineNotAnswering):
        session.ping()
    with Session.connect("test", "0", environ=engine.environ) as other:
        until(lambda: all(w["job"] is None for w in other.status()["workers"]))


def test_an_engine_that_hangs(engine, tmp_path, monkeypatch):
    hanging = EngineProcess(tmp_path)
    session = Session.connect("test", "0", environ=hanging.environ)
    open_job = forever(session)
    until(lambda: works(open_job))
    hanging.process.send_signal(signal.SIGSTOP)
    try:
        monkeypatch.setattr(job, "SILENCE", 0.5)
        until(lambda: open_job.step(0.05))
        assert (open_job.state, type(open_job.error)) == ("error", EngineNotAnswering)
        monkeypatch.setattr("engine.client.session.ANSWER_SECONDS", 0.2)
        with pytest.raises(EngineNotAnswering):
            session._ask("ping", 0.2)
        monkeypatch.setattr(connecting, "HELLO_SECONDS", 0.2)
        with pytest.raises(EngineNotAnswering):
            Session.connect("test", "0", environ=hanging.environ)
    finally:
        hanging.process.send_signal(signal.SIGCONT)
    session.close()
    hanging.finish()


def test_a_busy_host_does_not_count_as_a_silent_engine(session, monkeypatch):
    job_ = forever(session)
    until(lambda: works(job_))
    monkeypatch.setattr(job, "SILENCE", 5.0)
    session._stepped -= 3600  # an hour in which the host did not step
    assert not job_.step(0.05)
    job_.cancel()
    until(lambda: job_.step(0.05))
    assert job_.state == "cancelled"


def test_no_engine(tmp_path):
    with pytest.raises(EngineNotRunning) as caught:
        Session.connect("test", "0", environ={**os.environ, "PINCEL_RUNTIME_DIR": str(tmp_path)})
    assert caught.value.detail["reasons"] == {str(tmp_path): "there is none"}


# ---- engines that are none, or that break their promises ------------------------------------------------------------


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
        job = session.submit("colorize", {}, {"source": picture()})
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
        session.submit("colorize", {}, {"source": picture()}).wait()


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
        job = session.submit("colorize", {}, {"source": picture()})
        until(lambda: job.step(0.05))
        assert isinstance(job.error, EngineError)
        assert session.step(0.0) is None  # the next question would connect anew


def test_connecting_never_blocks(engine):
    connecting = Connecting(("krita", "0"), environ=engine.environ)
    link = until(lambda: connecting.step(0.0))
    with Session(link) as session:
        assert session.ping() >= 0
