"""Engines as processes: one a user, quick to come, clean to go, nothing left behind."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys

import pytest

from engine.client import connection
from engine.client.errors import NotLoopback
from engine.server.front import loopback
from tests.server.harness import ROOT, EngineProcess, alive, until

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals and modes of POSIX")


def test_the_broker_never_loads_torch(tmp_path):
    """The program itself, with its real entry, greeted and asked for its list, then stopped by its client."""
    engine = EngineProcess(tmp_path, real=True, trace=True)
    client = engine.client()
    listed, stopped = client.ask("list"), client.ask("stop")
    status, out, err = engine.finish(0)
    assert listed.header["models"] and stopped.type == "stopping"
    assert status == 0 and "listens at tcp://127.0.0.1:" in out
    loaded = {line.rpartition("|")[2].strip() for line in err.splitlines()}
    assert "zmq" in loaded
    assert not loaded & {"torch", "numpy", "PIL", "safetensors", "typer", "rich"}


@needs_posix
def test_the_connection_file_is_the_users_alone_and_goes_with_the_engine(start):
    engine = start()
    path = engine.folder / "run/engine.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert engine.connection().key != start("other").connection().key
    engine.client().ask("stop")
    assert engine.finish(0)[0] == 0
    assert engine.files() == []


@needs_posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_the_middle_of_a_job_leaves_no_process_and_no_file(start, number):
    engine = start()
    client = engine.client()
    job = client.submit("sleep", steps=1, seconds=100.0)
    pid = until(lambda: [w["pid"] for w in client.workers("busy")], "a busy worker")[0]
    engine.process.send_signal(number)
    assert client.end(job).header["error"]["code"] == "engine.stopping"
    status, _, err = engine.finish(0)
    assert (status, err) == (0, "")
    assert not alive(pid) and engine.files() == []


def test_stop_ends_waiting_and_running_jobs_with_a_code(start):
    engine = start()
    client = engine.client()
    jobs = [client.submit("sleep", steps=1000, seconds=0.02) for _ in range(2)]
    client.wait(jobs[0], "started")
    client.send("stop", id="stop")
    assert client.wait("stop", "stopping")
    assert [client.end(job).header["error"]["code"] for job in jobs] == ["engine.stopping"] * 2
    assert engine.finish(0)[0] == 0


def test_of_engines_started_at_once_one_serves_and_the_others_say_so(tmp_path):
    engines = [EngineProcess(tmp_path, wait=False) for _ in range(4)]
    first = until(lambda: [e for e in engines if e.connection()], "the first engine")[0]
    for engine in engines:
        if engine is not first:
            status, out, err = engine.finish(0)
            assert (status, err) == (0, "") and f"already runs (process {first.process.pid}" in out
    assert first.client().ask("ping").type == "pong"
    assert first.finish()[0] == 0


@needs_posix
def test_what_a_killed_engine_left_behind_is_replaced(start):
    dead = start()
    where = dead.connection()
    dead.finish(signal.SIGKILL)
    assert dead.files() == ["engine.json"]
    engine = start()
    assert engine.connection().key != where.key
    assert engine.client().ask("ping").type == "pong"


def test_a_file_of_a_newer_engine_is_left_alone(start):
    engine = start()
    newer = connection.write_connection(str(engine.folder / "run"), "tcp://127.0.0.1:1", bytes(32), "9")
    assert engine.finish()[0] == 0
    assert os.path.exists(newer)


def test_a_port_that_is_taken(start, tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        engine = EngineProcess(tmp_path / "taken", wait=False, port=port)
        status, _, err = engine.finish(0)
        assert status == 6 and f"engine.port-taken The port {port}" in err
        assert engine.files() == []
    assert start(port=port).connection().endpoint == f"tcp://127.0.0.1:{port}"


def test_only_loopback_is_served(tmp_path):
    engine = EngineProcess(tmp_path, wait=False, host="0.0.0.0")
    status, _, err = engine.finish(0)
    assert status == 6 and "engine.not-loopback 0.0.0.0" in err
    assert loopback("localhost") == "127.0.0.1" and loopback("127.8.9.1") == "127.8.9.1"
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "*", "::", "", "8.8.8.8"):
        with pytest.raises(NotLoopback):
            loopback(host)


@needs_posix
def test_a_unix_socket_for_its_user_alone(start, tmp_path):
    path = tmp_path / "s"
    for _ in range(2):  # the second one finds what the first, killed, left behind
        engine = start(ipc=str(path))
        assert engine.connection().endpoint == f"ipc://{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        client = engine.client()
        assert client.end(client.submit()).type == "result"
        engine.finish(signal.SIGKILL)
    engine = start(ipc=str(path))
    assert engine.finish()[0] == 0
    assert engine.files() == [] and not path.exists()


@needs_posix
def test_a_unix_socket_takes_nobodys_place(tmp_path):
    precious, used = tmp_path / "photo.png", tmp_path / "s"
    precious.write_bytes(b"a picture")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(used))
        other.listen()
        for path, code in (
            (precious, "engine.start"),
            (used, "engine.port-taken"),
            (tmp_path / "no/s", "engine.start"),
        ):
            status, _, err = EngineProcess(tmp_path / "e", wait=False, ipc=str(path)).finish(0)
            assert status == 6 and err.startswith(code)
    assert precious.read_bytes() == b"a picture" and used.exists()


def test_an_idle_engine_ends_by_itself_if_told_to(start):
    engine = start(idle_exit=0.2)
    until(lambda: engine.process.poll() is not None, "the idle engine's end")
    assert engine.finish()[0] == 0 and engine.files() == []


def test_no_folder_for_its_files(tmp_path):
    (tmp_path / "file").touch()
    environ = os.environ | {"PINCEL_RUNTIME_DIR": str(tmp_path / "file/run"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "engine.server"]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 6 and "engine.start" in done.stderr and "Traceback" not in done.stderr
