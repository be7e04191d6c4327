"""The broker in this process, stepped by hand: what would take hours or a rare moment with a real one."""

from __future__ import annotations

import pytest

from engine.client.protocol import Numbering
from engine.server.broker import Broker
from engine.server.jobs import Job, Session
from engine.server.settings import Settings

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
