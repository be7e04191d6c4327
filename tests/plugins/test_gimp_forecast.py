"""The line in GIMP's dialog that says what a job would take, with the widgets stood in for and the engine's answers given."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from unittest.mock import MagicMock

import pytest

from engine import client
from engine.client import errors, options
from engine.client.controls import controls
from engine.client.session import Question
from tests.house.tree import ROOT


@pytest.fixture
def dialog(monkeypatch):
    """The plug-in's dialog.py, its client the engine's own."""
    for name in ("gi", "gi.repository"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    monkeypatch.setitem(sys.modules, "pincel_client", client)
    for part in ("controls", "errors", "foretell", "session"):
        monkeypatch.setitem(sys.modules, f"pincel_client.{part}", importlib.import_module(f"engine.client.{part}"))
    spec = importlib.util.spec_from_file_location("dialog_of_gimp", ROOT / "plugin_gimp/pincel/dialog.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Config:
    """A procedure's config: the task's defaults."""

    def __init__(self, task):
        self.values = {c.name.replace("_", "-"): c.default for c in controls(task)}
        self.look = None

    def get_property(self, name):
        return self.values[name]

    def connect(self, signal, function):
        assert signal == "notify"
        self.look = function
        return 1

    def disconnect(self, signal):
        self.look = None


class Session:
    lost, closed = False, False

    def __init__(self):
        self.asked = []

    def ask(self, type, **fields):
        self.asked.append(fields)
        question = Question(type)
        question.take({"type": type, "seconds": 40.0 * len(self.asked), "bytes": 1.2e9, "phases": {}, "jobs": 1})
        return question

    def step(self, timeout):
        pass

    def close(self):
        self.closed = True


def test_the_line_follows_the_options(dialog, monkeypatch):
    session, task = Session(), options.TASKS["upscale"]
    monkeypatch.setattr(dialog.Session, "connect", lambda *given, **how: session)
    config = Config(task)
    with dialog._Forecast(config, task, (300, 200)) as line:
        line.label.set_text.assert_called_with("About 40 s, 1.2 GB")
        assert (session.asked[0]["width"], session.asked[0]["height"]) == (300, 200)
        config.values["scale"] = 2.0
        config.look(config, None)
        assert session.asked[1]["options"]["scale"] == 2.0
        line.label.set_text.assert_called_with("About 80 s, 1.2 GB")
        line.label.set_visible.assert_called_with(True)
    assert session.closed and config.look is None


def test_without_an_engine_there_is_no_line(dialog, monkeypatch):
    def none(*given, **how):
        raise errors.EngineNotRunning("No engine is running.")

    monkeypatch.setattr(dialog.Session, "connect", none)
    task = options.TASKS["generate"]
    with dialog._Forecast(Config(task), task, (0, 0)) as line:
        line.label.set_text.assert_not_called()
