"""The broker in this process, stepped by hand: what would take hours or a rare moment with a real one."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import paths
from engine.client.protocol import FROM_ENGINE, HEADER_MAX, Message, Numbering, unpack
from engine.server.broker import TEXT_MAX, Broker, installed
from engine.server.jobs import Job, Session
from engine.server.settings import Settings
from engine.server.supervisor import Worker
from engine.store import models
from engine.store.header import Header, read_header

IDLE_EXIT = 60.0


@pytest.fixture
def broker():
    made = Broker(Settings(idle_exit=IDLE_EXIT))
    yield made
    made.close()


def open_job(broker, **options):
    """A job of a session that is open, not in the queue."""
    session = Session((broker.front.doors[0], b"test"), Numbering(bytes(32), "s-test"), "test")
    broker.front.sessions[session.address] = session
    session.jobs["r1"] = Job(session, "r1", "1", "upscale", options, [], [])
    return session.jobs["r1"]


def test_the_time_until_the_idle_exit_begins_at_the_end_of_the_last_work(broker):
    job = open_job(broker)
    broker.front.seen -= 3600  # a client that waits for its result sends nothing
    broker._step()
    assert not broker.stopping
    broker.dispatcher.end(job, None)
    broker._step()
    assert not broker.stopping
    broker.dispatcher.ended -= IDLE_EXIT
    broker._step()
    assert broker.stopping


@pytest.mark.parametrize("state", ["idle", "starting"])
def test_a_job_that_no_worker_can_be_told_of_ends_and_the_worker_stays_free(broker, monkeypatch, state):
    told = []
    monkeypatch.setattr(broker.front, "tell", lambda session, type, id, *parts, **fields: told.append((type, fields)))
    process = SimpleNamespace(pid=1, poll=lambda: None, kill=lambda: None, wait=lambda: 0, stdin=SimpleNamespace())
    process.stdin.close = lambda: None
    worker = Worker(process, Numbering(bytes(32), "worker-test"), "cpu", state)
    broker.supervisor.workers.append(worker)
    broker.dispatcher.queue.push(open_job(broker, generator="x" * HEADER_MAX))
    broker._step()
    if state == "starting":  # it gets the job when it reports
        broker.dispatcher._from_worker(worker, Message({"type": "ready", "id": "-", "session": "", "seq": 1}, []))
    assert (worker.state, worker.job) == ("idle", None) and not broker.dispatcher.busy()
    assert [fields["error"]["code"] for type, fields in told if type == "error"] == ["engine.too-large"]


def weights(name, title="Title", licence="MIT", chosen=()):
    generator, tag = name.split(".")
    header = Header(generator, tag, "upscale", title, "thesis", licence, {}, [])
    return models.Entry(Path(name), header, "0" * 64, 1000, chosen)


def test_no_weights_file_can_make_a_welcome_too_long(broker, monkeypatch):
    """In JSON's ASCII a character may take 12 bytes."""
    loud = [weights(f"srgan.a{n:03}", "\U0001f600" * 70_000, "x" * 70_000) for n in range(300)]
    monkeypatch.setattr(models, "available", lambda: [*loud, weights("swift.x4", chosen=("any",))])
    sent = []
    monkeypatch.setattr(broker.front, "_send", lambda address, parts: sent.append(parts) or True)
    session = open_job(broker).owner
    header = {"type": "hello", "id": "h", "session": "", "seq": 0, "nonce": "\u00e9" * 1000}
    broker._from_client(session, Message(header, []))
    welcome = unpack(bytes(32), sent[0], FROM_ENGINE)
    assert welcome.type == "welcome", welcome.header
    listed = welcome.header["models"]
    assert len(listed) > 2 and listed[-1]["name"] == "swift.x4", "what auto takes is always there, and the order stays"
    assert all(len(model["title"]) == TEXT_MAX == len(model["licence"]) for model in listed[:-1])


def test_many_weights_are_listed_while_they_fit(monkeypatch):
    monkeypatch.setattr(models, "available", lambda: [weights(f"srgan.a{n:03}") for n in range(1000)])
    assert 100 < len(installed()) < 1000


def test_what_the_shipped_weights_say_is_never_cut():
    headers = [read_header(path) for path in paths.shipped("weights").glob("*.safetensors")]
    assert headers and max(len(text) for header in headers for text in (header.title, header.licence)) <= TEXT_MAX
