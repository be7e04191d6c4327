from __future__ import annotations

import pytest

from tests.server.harness import EngineProcess


@pytest.fixture
def start(tmp_path):
    """start(**settings) gives an EngineProcess; all of them are ended with the test."""
    engines = []

    def start(folder="engine", **settings):
        engine = EngineProcess(tmp_path / folder, **settings)
        engines.append(engine)
        return engine

    yield start
    for engine in engines:
        engine.finish()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One engine for the tests of a file that leave it as they found it."""
    engine = EngineProcess(tmp_path_factory.mktemp("shared"), max_bytes=1_000_000)
    yield engine
    status, _, err = engine.finish()
    assert (status, err) == (0, "")
    assert engine.faults() == [], "a fault in the broker"


@pytest.fixture
def client(shared):
    """A fresh client of the shared engine, its session open."""
    client = shared.client()
    yield client
    client.close()
