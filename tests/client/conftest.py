from __future__ import annotations

import pytest

from tests.server.harness import EngineProcess


@pytest.fixture(scope="session")
def service(tmp_path_factory):
    """A real engine, as `python -m engine.server` runs it, with the tiny networks; tests leave it as they found it."""
    engine = EngineProcess(tmp_path_factory.mktemp("service"), real=True)
    yield engine
    engine.finish()
