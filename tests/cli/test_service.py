"""The command line beside a running engine: it uses it, says so, and cancels its jobs. (The bytes: tests/e2e.)"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest

from tests.cli.pictures import grey, pincel
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


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--remote", "127.0.0.1:4711"], "engine.start", "cannot take over --remote."),
        (["--device", "cpu", "--keep-alive", "5"], "engine.start", "cannot take over --device, --keep-alive."),
        (["--ipc", "a.sock"], "engine.start", "cannot take over --ipc."),
        (["--port", "1"], "engine.start", "cannot take over --port."),
        (["--host", "127.0.0.2"], "engine.start", "cannot take over --host."),
        (["--host", "0.0.0.0"], "engine.not-loopback", "0.0.0.0"),
    ],
)
def test_what_the_running_engine_cannot_take_over_is_refused(engine, options, code, said):
    status, out, err = run(engine, "serve", *options)
    assert (status, out) == (6, "") and code in err and said in err
    if code == "engine.start":
        assert f"(process {engine.process.pid}, " in err and "Run `pincel stop`, then this command again" in err


def test_serve_beside_an_engine_that_will_do(engine):
    port = engine.connection().endpoint.rpartition(":")[2]
    for options in ([], ["--host", "localhost", "--port", port]):
        status, out, _ = run(engine, "serve", *options)
        assert status == 0 and "it will be used" in out


@pytest.mark.slow
def test_doctor_says_what_the_engine_does_in_words(engine):
    said = run(engine, "doctor")[1]
    assert "  running: yes\n" in said and "    queue: none\n" in said
    assert "{" not in said and re.search(r"uptime: \d+ s\n", said)


@pytest.mark.parametrize("options", [[], ["--unit"]])
def test_a_device_that_cannot_be_is_refused_at_the_start(tmp_path, monkeypatch, capsys, options):
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", str(tmp_path))
    assert pincel("serve", "--device", "foo", *options) == 2
    said = capsys.readouterr()
    assert said.out == "" and "devices are called cpu, cuda, cuda:1, mps, openvino. (option.invalid)" in said.err


def test_a_limit_below_which_no_result_could_leave_is_refused(capsys):
    assert pincel("serve", "--max-bytes", str(2**18 - 1), "--unit") == 2
    assert "262144" in capsys.readouterr().err
    assert pincel("serve", "--max-bytes", str(2**18), "--unit") == 0
