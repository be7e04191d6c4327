"""The wire under fuzz: a real broker among hostile messages and connections, which answers, forgets and leaks nothing.

PINCEL_FUZZ_SEED=n repeats a run; PINCEL_FUZZ_MESSAGES=n makes the long one longer.
"""

from __future__ import annotations

import os
import secrets

import pytest
import zmq

from engine.client import protocol
from tests.server.harness import EngineProcess
from tests.trust.fuzzer import Fuzzer

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="memory and handles are read from /proc")


def fuzz(folder, say, messages: int, seed: int, crowd: int) -> None:
    seed = int(os.environ.get("PINCEL_FUZZ_SEED", seed))
    print(f"PINCEL_FUZZ_SEED={seed}")  # shown with a failure
    engine = EngineProcess(folder, max_bytes=1_000_000, keep_alive=1000.0)
    fuzzer = None
    try:
        fuzzer = Fuzzer(engine, seed)
        fuzzer.gather(crowd)
        fuzzer.run(messages)
        fuzzer.disperse()
        say(fuzzer.verdict())
    finally:
        if fuzzer is not None:
            fuzzer.close()
        status, _, err = engine.finish()
    assert (status, err) == (0, "")
    assert engine.faults() == []


def test_a_few_thousand_hostile_messages(tmp_path, say):
    fuzz(tmp_path, say, messages=2000, seed=1, crowd=40)


@pytest.mark.slow
def test_two_hundred_thousand_hostile_messages_and_500_connections(tmp_path, say):
    messages = int(os.environ.get("PINCEL_FUZZ_MESSAGES", 200_000))
    fuzz(tmp_path, say, messages=messages, seed=secrets.randbits(32), crowd=500)


@pytest.mark.slow
def test_who_asks_and_never_listens_costs_little(tmp_path):
    """Answers that nobody reads are not kept for ever: neither a stranger's nor a session's."""
    engine = EngineProcess(tmp_path, max_bytes=1_000_000)
    try:
        fuzzer = Fuzzer(engine, 0)
        key, head = fuzzer.where.key, {"type": "ping", "session": "", "seq": 0}
        deaf, session = engine.client(hello=False), engine.client()
        for client in (deaf, session):
            client.socket.setsockopt(zmq.SNDHWM, 0)
        for n in range(30_000):
            deaf.raw([b"PINCEL/1", b"0" * 64, b"{}"] if n % 2 else protocol.seal(key, head | {"id": f"d{n}"}))
            session.send("ping")
            if n % 1000 == 0:
                assert fuzzer.witness.ask("ping").type == "pong"
        fuzzer.verdict()
        assert len(engine.log()) < 200_000
    finally:
        fuzzer.close()
        engine.finish()
