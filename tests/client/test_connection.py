"""The connection file: found, believed only when it is safe and whole, written whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

import pytest

from engine.client import connection

KEY = bytes(range(32))
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX modes and owners")


@pytest.fixture
def folder(tmp_path):
    """A folder with the connection file of this (live) process."""
    connection.write_connection(str(tmp_path / "run"), "tcp://127.0.0.1:4000", KEY, "0.1.0")
    return tmp_path / "run"


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def why(folder):
    found, reason = connection.read_connection(str(folder))
    assert found is None
    return reason


def rewrite(folder, **changes):
    path = folder / connection.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_written_and_read(folder):
    found, reason = connection.read_connection(str(folder))
    assert (found.endpoint, found.key, found.pid, found.version) == ("tcp://127.0.0.1:4000", KEY, os.getpid(), "0.1.0")
    assert (found.protocol, reason) == (1, "")
    assert [p.name for p in folder.iterdir()] == [connection.FILE]


@posix
def test_only_the_user_may_read_it(folder):
    assert (folder / connection.FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    for mode in (0o640, 0o604, 0o620, 0o602, 0o666):
        (folder / connection.FILE).chmod(mode)
        assert "other users" in why(folder)
    folder.chmod(0o755)
    connection.write_connection(str(folder), "tcp://127.0.0.1:4000", KEY, "0.1.0")
    assert folder.stat().st_mode & 0o777 == 0o700


@posix
def test_a_folder_of_all_users_is_left_as_it_is(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(OSError, match="all users"):
        connection.write_connection(str(shared), "tcp://127.0.0.1:4000", KEY, "0.1.0")
    assert shared.stat().st_mode & 0o7777 == 0o1777 and not list(shared.iterdir())


@posix
def test_another_users_file(folder, monkeypatch):
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert "another user" in why(folder)


@posix
def test_links_pipes_and_folders_are_no_connection_files(folder):
    path = folder / connection.FILE
    path.rename(folder / "real")
    path.symlink_to(folder / "real")
    assert "cannot be read" in why(folder)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert "not a file" in why(folder)  # and reading it did not wait for a writer
    path.unlink()
    path.mkdir()
    assert why(folder)


def test_stale(folder, ended):
    rewrite(folder, pid=ended)
    assert "stale" in why(folder)
    rewrite(folder, namespace="pid:[1]")  # a process of another namespace cannot be judged by its number
    assert connection.read_connection(str(folder))[0].pid == ended


def test_a_zombie_is_stale(folder):
    process = subprocess.Popen([sys.executable, "-c", ""])
    while connection.process_alive(process.pid):
        pass
    rewrite(folder, pid=process.pid)
    assert "stale" in why(folder)
    process.wait()


def test_truncated_anywhere(folder):
    path = folder / connection.FILE
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert why(folder) == "it is damaged"


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": "http://127.0.0.1"},
        {"endpoint": 5},
        {"key": "00" * 31},
        {"key": "zz" * 32},
        {"key": None},
        {"pid": "1"},
        {"pid": True},
        {"pid": -1},
        {"pid": 0},
        {"pid": 2.5},
    ],
)
def test_damaged(folder, changes):
    rewrite(folder, **changes)
    assert why(folder) == "it is damaged"


@pytest.mark.parametrize("text", [b"", b"null", b"[]", b"\xff\xff", b"[" * 10000, b'{"a":1}', b"{" + b" " * 20000])
def test_nonsense(folder, text):
    (folder / connection.FILE).write_bytes(text)
    assert why(folder) == "it is damaged"


def test_a_pid_beyond_all_processes(folder):
    rewrite(folder, pid=2**70)
    assert "stale" in why(folder)


def test_another_protocol_is_found_so_that_it_can_be_named(folder):
    rewrite(folder, protocol=2)
    assert connection.read_connection(str(folder))[0].protocol == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the places on Linux")
def test_the_places(tmp_path):
    state = f"{tmp_path}/.local/state/pincel"
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert connection.candidates(environ) == [f"{tmp_path}/pincel", state]
    assert connection.candidates({**environ, "XDG_RUNTIME_DIR": f"{tmp_path}/none"}) == [state]
    assert connection.candidates({**environ, "PINCEL_RUNTIME_DIR": "/there"}) == ["/there"]
    assert connection.candidates({"HOME": str(tmp_path)})[-1] == state


@pytest.mark.skipif(sys.platform != "linux", reason="the places on Linux")
def test_processes_with_other_environments_find_the_same_engine(tmp_path):
    desktop = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    sandbox = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": ""}
    for writer in (desktop, sandbox):
        connection.publish("tcp://127.0.0.1:1", KEY, "0.1.0", writer)
        for reader in (desktop, sandbox):
            [found], _ = connection.find(reader)
            assert found.key == KEY
        connection.withdraw(KEY, writer)
        assert connection.find(desktop)[0] == connection.find(sandbox)[0] == []


def test_a_newer_engines_file_stays(tmp_path):
    environ = {"PINCEL_RUNTIME_DIR": str(tmp_path)}
    connection.publish("tcp://127.0.0.1:1", KEY, "0.1.0", environ)
    connection.publish("tcp://127.0.0.1:2", bytes(32), "0.1.0", environ)
    connection.withdraw(KEY, environ)
    assert connection.find(environ)[0][0].key == bytes(32)


def test_nowhere_to_write(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        connection.publish("tcp://127.0.0.1:1", KEY, "0.1.0", {"PINCEL_RUNTIME_DIR": f"{tmp_path}/file/below"})


def test_a_reader_never_sees_half_a_file(folder):
    """While one engine after the other writes, a reader finds one of them at every moment."""
    keys = [bytes([n]) * 32 for n in range(100)]

    def write():
        for key in keys:
            connection.write_connection(str(folder), f"tcp://127.0.0.1:{key[0]}", key, "0.1.0")

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        found, reason = connection.read_connection(str(folder))
        assert reason == ""
        assert found.key == KEY or found.endpoint.endswith(f":{found.key[0]}")
        seen.append(found.key)
    writer.join()
    assert seen and connection.read_connection(str(folder))[0].key == keys[-1]
