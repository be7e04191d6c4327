"""The command line beside a running engine: it uses it, says so, and cancels its jobs. (The bytes: tests/e2e.)"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from tests.cli.pictures import grey
from tests.server.harness import ROOT, EngineProcess, until


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = EngineProcess(tmp_path_factory.mktemp("engine"), real=True)
    yield engine
    engine.finish()


def start(engine, *arguments):
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=engine.environ, cwd=ROOT, text=True, start_new_session=True, **pipes)


def run(engine, *arguments):
    running = start(engine, *arguments)
    out, err = running.communicate(timeout=120)
    return running.returncode, out, err


def test_it_is_used_and_named(engine, tmp_path):
    source = grey(tmp_path / "a.png")
    status, out, err = run(engine, "colorize", source)
    assert (status, out) == (0, f"{tmp_path / 'a.colorized.png'}\n")
    assert "Using the running engine." in err


def test_status_and_doctor_see_it(engine):
    status, out, _ = run(engine, "status", "--json")
    assert status == 0
    state = json.loads(out)
    assert state["running"] is True and state["keep_alive"] > 0
    said = run(engine, "status")[1]
    assert said.startswith("The engine is running.") and f"keep_alive: {state['keep_alive']:.0f} s" in said
    said = json.loads(run(engine, "doctor", "--json")[1])
    assert said["engine"]["running"] is True and said["engine"]["log"]


def test_an_interrupt_cancels_the_engine_s_job(engine, tmp_path):
    source = grey(tmp_path / "large.png", 1500, 1200)
    running = start(engine, "upscale", source, "--json")
    for line in running.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["phase"] == "net":
            break
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130, err
    events = [json.loads(line) for line in out.splitlines()]
    assert [e["code"] for e in events if e["event"] == "error"] == ["cancelled"]
    assert [p.name for p in tmp_path.iterdir()] == ["large.png"]
    idle = until(lambda: all(w["job"] is None for w in json.loads(run(engine, "status", "--json")[1])["workers"]))
    assert idle, "the engine's worker is free again"


def test_stop(tmp_path_factory):
    engine = EngineProcess(tmp_path_factory.mktemp("stopped"), real=True)
    assert run(engine, "stop")[0] == 0
    assert engine.finish(number=0)[0] == 0
    assert run(engine, "status")[0] == 6
    assert run(engine, "colorize", ROOT / "README.md", "--engine", "service")[0] == 6
