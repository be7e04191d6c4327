"""An engine in trouble: its connection file goes, its disk is full, its clocks jump, it is stopped with a full queue."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from engine.client import connection
from engine.client.errors import EngineNotRunning
from engine.client.session import Session
from tests.server.harness import FAKE_ENGINE, ROOT, EngineProcess, picture, until
from tests.trust.faults import bytes_of, story

posix = pytest.mark.skipif(os.name != "posix", reason="modes, owners and limits of POSIX")

DAMAGES = {
    "deleted": lambda path: path.unlink(),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "readable by all": lambda path: path.chmod(0o644),
    "a link": lambda path: (path.rename(path.with_name("real")), path.symlink_to(path.with_name("real"))),
}


@posix
@pytest.mark.slow
def test_the_connection_file_comes_back_whatever_happened_to_it(start):
    engine = start()
    where, path = engine.connection(), engine.folder / "run/engine.json"
    client = engine.client()
    for name, damage in DAMAGES.items():
        damage(path)
        assert engine.connection() is None, name
        until(engine.connection, f"its coming back ({name})")
        assert engine.connection().key == where.key and not path.is_symlink(), name
        assert path.stat().st_mode & 0o777 == 0o600, name
    assert client.ask("ping").type == "pong"
    again = EngineProcess(engine.folder, wait=False)
    status, out, _ = again.finish(0)
    assert status == 0 and "already runs" in out
    engine.process.send_signal(signal.SIGTERM)
    assert engine.finish(0)[0] == 0 and not path.exists()


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_a_connection_file_of_another_user_is_not_believed_and_replaced(start):
    engine = start()
    path = engine.folder / "run/engine.json"
    os.chown(path, 65534, 65534)
    assert connection.read_connection(str(path.parent))[1] == "it belongs to another user"
    with pytest.raises(EngineNotRunning):
        Session.connect("test", "0", environ=engine.environ)
    until(engine.connection, "its coming back")
    assert path.stat().st_uid == os.geteuid()


def test_an_old_connection_file_is_made_young(tmp_path, monkeypatch):
    """Systems clear runtime folders of files that are hours old."""
    from engine.server import instance

    monkeypatch.setenv("PINCEL_RUNTIME_DIR", str(tmp_path))
    with instance.published("tcp://127.0.0.1:1", bytes(32), "0") as keep:
        path = tmp_path / connection.FILE
        os.utime(path, (1, 1))
        keep()
        assert path.stat().st_mtime > time.time() - 60
        other = connection.write_connection(str(tmp_path), "tcp://127.0.0.1:2", bytes([1]) * 32, "0")
        keep()  # another engine that lives: its file stays
        assert connection.read_connection(str(tmp_path))[0].endpoint.endswith(":2")
    assert os.path.exists(other)


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (0, -1))
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@posix
def test_an_engine_whose_disk_is_full_does_not_start_and_leaves_nothing(tmp_path):
    """The system refuses every byte in a file, as a full disk does."""
    environ = os.environ | {"PINCEL_RUNTIME_DIR": f"{tmp_path}/run", "PINCEL_HOME": f"{tmp_path}/home"}
    environ["PYTHONPATH"] = str(ROOT)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(FAKE_ENGINE), "{}"], env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 6 and "engine.start The connection file cannot be written" in done.stderr
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["engine.lock"]


@posix
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_under_the_log_stops_nothing(tmp_path):
    logs = tmp_path / "engine/home/logs"
    logs.mkdir(parents=True)
    (logs / "engine.log").symlink_to("/dev/full")
    engine = EngineProcess(tmp_path / "engine")
    try:
        client = engine.client()
        for _ in range(3):
            assert client.end(client.submit("chatter")).type == "result"
            assert client.end(client.submit("fault")).type == "error"
        assert client.ask("ping").type == "pong"
    finally:
        status, out, _ = engine.finish()
    assert status == 0 and "The engine ended." in out


def test_a_wall_clock_that_jumps_by_years_changes_nothing(start):
    engine = start.faulty(clock="wall", keep_alive=60.0, idle_exit=60.0)
    client = engine.client()
    jobs = [client.submit("sleep", steps=5, seconds=0.02, source=picture(9, 9, n)) for n in range(4)]
    ends = [client.end(job) for job in jobs]
    assert [bytes_of(end) for end in ends] == [[bytes([255 - n]) * 243] for n in range(4)]
    assert all(0 <= m.header["info"]["seconds"]["steps"] < 60 for m in ends)
    (worker,) = client.workers()
    assert worker["state"] == "idle" and client.ask("status").header["uptime"] < 60
    assert engine.connection()


@posix
def test_a_clock_that_leaps_by_an_hour_in_the_middle_ends_each_job_once(start):
    """As on a computer that slept, where the system counts the sleep."""
    engine = start.faulty(clock="leap", keep_alive=60.0)
    client = engine.client()
    for does in ("sleep", "sleep", "invert"):
        job = client.submit(does, steps=10, seconds=0.03, source=picture(9, 9, 5))
        client.wait(job, "started")
        engine.plan("")  # no fault
        (engine.folder / "fault.leap").write_text("")
        assert bytes_of(story(client, job)[-1]) == [bytes([250]) * 243]
    (engine.folder / "fault.leap").write_text("")
    until(lambda: not client.workers("idle"), "the idle worker's end")
    assert bytes_of(client.end(client.submit(source=picture(9, 9, 5)))) == [bytes([250]) * 243]


@posix
@pytest.mark.parametrize("how", ["stop", "SIGTERM"])
def test_an_engine_stopped_with_a_full_queue_tells_each_job_once(start, how):
    engine = start(queue=64, queue_per_client=32)
    clients = [engine.client() for _ in range(2)]
    first = clients[0].submit("sleep", steps=100000, seconds=0.05)
    clients[0].wait(first, "started")
    jobs = {client: [client.submit(id=f"j{n}") for n in range(32)] for client in clients}
    for client in clients:
        client.wait("j31", "queued")
    assert len(clients[0].ask("status").header["queue"]) == 64
    if how == "stop":
        clients[1].send("stop")
    else:
        engine.process.send_signal(signal.SIGTERM)
    jobs[clients[0]].append(first)
    ended = {client: [] for client in clients}
    for client in clients:
        while len(ended[client]) < len(jobs[client]):
            message = client.get()
            if message.type == "error":
                assert message.header["error"]["code"] == "engine.stopping"
                ended[client].append(message.id)
        assert sorted(ended[client]) == sorted(jobs[client])
        assert client.get(0.3) is None, "something after the end"
    assert engine.finish(0)[0] == 0 and engine.files() == []


@posix
@pytest.mark.slow
def test_two_engines_racing_to_start_fifty_times(tmp_path, say):
    """Among what the one before left: exactly one serves, the other says so and ends well."""
    began = time.monotonic()
    for number in range(50):
        racers = [EngineProcess(tmp_path, wait=False) for _ in range(2)]
        try:
            serving = until(lambda racers=racers: [e for e in racers if e.connection()], "an engine")
            assert len(serving) == 1
            (other,) = [e for e in racers if e is not serving[0]]
            status, out, err = other.finish(0)
            assert (status, err) == (0, "") and f"already runs (process {serving[0].process.pid}" in out
            assert serving[0].client().ask("ping").type == "pong"
            # Every second one is killed, and leaves its file behind for the next race.
            status, _, err = serving[0].finish(signal.SIGKILL if number % 2 else signal.SIGTERM)
            assert (status, err) == ((-9, "") if number % 2 else (0, ""))
        finally:
            for engine in racers:
                engine.finish(signal.SIGKILL)
    say(f"races: two engines started at once 50 times, one served each time ({time.monotonic() - began:.0f} s)")
