"""The session and its jobs against the real broker, with a task whose steps the tests control."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from engine.client import connecting, connection, job
from engine.client.connecting import Connecting
from engine.client.errors import (
    Cancelled,
    EngineNotAnswering,
    EngineNotRunning,
    InputError,
    MessageTooLarge,
    OptionError,
    Stopping,
    TaskUnknown,
    TooLarge,
)
from engine.client.options import TASKS
from engine.client.pixels import Pixels
from engine.client.session import Session
from engine.tasks.base import Picture, Reporter
from engine.transport import Service
from tests.fakes.engine_with_fake_task import FAKE
from tests.server.harness import EngineProcess, until


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


def test_a_wait_that_is_cancelled_ends_with_the_job(session):
    job, asked = forever(session), []
    with pytest.raises(Cancelled):
        job.wait(cancelled=lambda: asked.append(job.state) or "running" in asked)
    assert job.state == "cancelled" and "running" in asked


@pytest.mark.parametrize("where", ["on_progress", "cancelled"])
def test_ctrl_c_in_the_python_door_cancels_the_job(session, where, monkeypatch):
    monkeypatch.setitem(TASKS, "fake", FAKE)

    def interrupt(*progress):
        raise KeyboardInterrupt

    source = Picture(np.zeros((2, 4, 3), np.uint8))
    given = {"does": "sleep", "steps": 100000, "seconds": 0.01}
    with pytest.raises(KeyboardInterrupt):
        Service(session).run("fake", source, given, {}, Reporter(**{where: interrupt}))
    until(lambda: not any(worker["job"] for worker in session.status()["workers"]), "the job's end")
    assert session.status()["queue"] == []


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
    engine.process.wait()  # its listening socket may be the last that the system closes
    engine.finish()
    with pytest.raises(EngineNotRunning):
        session.ping()
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
    until(lambda: works(open_job))
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


def test_connecting_never_blocks(engine):
    connecting = Connecting(("krita", "0"), environ=engine.environ)
    link = until(lambda: connecting.step(0.0))
    with Session(link) as session:
        assert session.ping() >= 0
