"""The broker in this process, stepped by hand: what would take hours or a rare moment with a real one."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.client.protocol import HEADER_MAX, Message, Numbering
from engine.server.broker import Broker
from engine.server.jobs import Job, Session
from engine.server.settings import Settings
from engine.server.supervisor import Worker

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
