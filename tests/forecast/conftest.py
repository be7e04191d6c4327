from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path / "home"))
