from __future__ import annotations

import pytest

from tests.server.harness import EngineProcess
from tests.trust.faults import FaultyEngine


@pytest.fixture
def start(tmp_path):
    """start(**settings): an engine with the fake task; start.faulty(fake=True, **settings): one that can fail. Ended here."""
    engines = []

    def start(folder="engine", **settings):
        engines.append(EngineProcess(tmp_path / folder, **settings))
        return engines[-1]

    def faulty(folder="engine", fake=True, **settings):
        engines.append(FaultyEngine(tmp_path / folder, fake, **settings))
        return engines[-1]

    start.faulty = faulty
    yield start
    for engine in engines:
        engine.finish()
