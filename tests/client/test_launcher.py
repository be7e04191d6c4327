"""Starting an engine from inside a program whose environment is not ours."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest

from engine.client import connection, launcher
from engine.client.connecting import Connecting
from engine.client.errors import EngineNotRunning, EngineStart
from engine.client.session import Session

PINCEL = f"{sys.executable} -m engine"


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path):
    """Ends the engine that a test started and, by failing, did not stop."""
    yield
    for left in connection.find(environment(tmp_path, ""))[0]:
        if left.pid != os.getpid():
            os.kill(left.pid, signal.SIGTERM)


def environment(tmp_path, engine, **more):
    return {**os.environ, "PINCEL_RUNTIME_DIR": str(tmp_path / "run"), "PINCEL_ENGINE": engine, **more}


def script(tmp_path, text):
    """A program in place of the engine."""
    path = tmp_path / "program.py"
    path.write_text(text)
    return f"{sys.executable} {path}"


def test_where_the_command_comes_from(tmp_path):
    place = tmp_path / "bin"
    place.mkdir()
    environ = {"HOME": str(tmp_path), "PATH": str(place)}
    (place / "pincel").write_text("#!/bin/sh\n")
    (place / "pincel").chmod(0o755)
    assert launcher.command(environ) == [str(place / "pincel"), "serve"]
    launcher.record_command(["/venv/bin/pincel", "--quiet"], connection.state_folder(environ))
    assert launcher.command(environ) == ["/venv/bin/pincel", "--quiet", "serve"]
    assert launcher.command({**environ, "PINCEL_ENGINE": "/opt/my\\ pincel -x"}) == ["/opt/my pincel", "-x", "serve"]
    spaced = tmp_path / "my pincel"
    spaced.write_text("")
    assert launcher.command({**environ, "PINCEL_ENGINE": str(spaced)}) == [str(spaced), "serve"]


@pytest.mark.parametrize("system", ["posix", "nt"])
def test_a_command_is_read_as_it_was_written(monkeypatch, system):
    """Engine.connect() writes it; on Windows a backslash is a letter, and an apostrophe may be part of a name."""
    words = [r"C:\Users\Ana O'Neill\python.exe", r"D:\x\python.exe", "-m", "engine", "", "a  b"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", system)
        assert launcher.command({"PINCEL_ENGINE": launcher.quoted(words)}) == [*words, "serve"]


def test_a_user_s_own_command_on_windows(monkeypatch):
    for given, expected in (
        (r'"C:\Program Files\x\pincel.exe"', [r"C:\Program Files\x\pincel.exe"]),
        (r'"C:\Program Files\x\pincel.exe" --quiet "a b"', [r"C:\Program Files\x\pincel.exe", "--quiet", "a b"]),
        (r"C:\x\pincel.exe  -x", [r"C:\x\pincel.exe", "-x"]),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(os, "name", "nt")
            assert launcher.command({"PINCEL_ENGINE": given}) == [*expected, "serve"]


def test_connect_names_this_installation_so_that_it_can_be_started_on_windows(monkeypatch):
    from engine import Engine

    asked = []
    monkeypatch.setattr(Session, "connect", lambda *names, environ, **more: asked.append(launcher.command(environ)))
    monkeypatch.setattr(sys, "executable", r"C:\Program Files\Python\python.exe")
    monkeypatch.delenv("PINCEL_ENGINE", raising=False)
    with monkeypatch.context() as patched:
        patched.setattr(os, "name", "nt")
        Engine.connect(start=True)
    assert asked == [[r"C:\Program Files\Python\python.exe", "-m", "engine", "serve"]]


@pytest.mark.parametrize("given", ["'/opt/pincel", '/opt/pincel "'])
def test_a_command_whose_quotes_do_not_close_is_an_error_of_its_own(given):
    with pytest.raises(EngineStart, match="PINCEL_ENGINE"):
        launcher.command({"PINCEL_ENGINE": given})


@pytest.mark.parametrize("recorded", ["", "{}", "[]", "[1]", '"pincel"'])
def test_a_damaged_record_is_passed_over(tmp_path, recorded, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    environ = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    folder = connection.state_folder(environ)
    os.makedirs(folder)
    with open(os.path.join(folder, launcher.COMMAND_FILE), "w") as file:
        file.write(recorded)
    with pytest.raises(EngineStart):
        launcher.command(environ)


def test_the_editors_environment_stays_behind():
    editors = {
        "PYTHONHOME",
        "PYTHONPATH",
        "LD_LIBRARY_PATH",
        "GI_TYPELIB_PATH",
        "QT_PLUGIN_PATH",
        "APPDIR",
        "GEGL_PATH",
    }
    ours = {"HOME", "PATH", "LANG", "PINCEL_MODELS", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "XDG_RUNTIME_DIR"}
    assert launcher.clean_environment(dict.fromkeys(editors | ours, "x")).keys() == ours


def test_a_session_starts_the_engine_and_the_next_one_finds_it(tmp_path):
    misled = environment(tmp_path, PINCEL, PYTHONHOME=str(tmp_path), LD_LIBRARY_PATH=str(tmp_path))
    with Session.connect("test", "0", start=True, environ=misled) as session:
        pid = connection.find(misled)[0][0].pid
        assert os.getsid(pid) != os.getsid(0)
        with Session.connect("test", "0", environ=misled) as second:
            assert second.ping() >= 0
        session.stop()
    deadline = time.monotonic() + 20
    while connection.find(misled)[0]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert "listens at" in (tmp_path / "run" / launcher.LOG).read_text()


def test_two_started_at_once_give_one_engine(tmp_path):
    environ = environment(tmp_path, PINCEL)
    both = [Connecting(("test", "0"), start=True, environ=environ) for _ in range(2)]
    waiting, links = list(both), []
    while waiting:
        for connecting in list(waiting):
            link = connecting.step(0.05)
            if link is not None:
                waiting.remove(connecting)
                links.append(link)
    first, second = [Session(link) for link in links]
    assert links[0].connection.key == links[1].connection.key
    # The one that came too late must have seen the other before that ends, or it would take its place for good.
    started = [connecting._starting.process for connecting in both if connecting._starting is not None]
    while len(started) == 2 and all(process.poll() is None for process in started):
        time.sleep(0.02)
    second.close()
    first.stop()
    first.close()
    for process in started:
        process.wait(timeout=30)


def test_an_engine_that_ends_as_it_starts(tmp_path):
    environ = environment(tmp_path, script(tmp_path, "import sys; print('first'); sys.exit('no such device')"))
    with pytest.raises(EngineStart) as caught:
        Session.connect("test", "0", start=True, environ=environ)
    assert "no such device" in caught.value.sentence
    assert caught.value.detail["said"] == "first\nno such device"


def test_an_engine_that_does_not_get_ready(tmp_path):
    environ = environment(tmp_path, script(tmp_path, "import time; time.sleep(3)"))
    with pytest.raises(EngineStart) as caught:
        Session.connect("test", "0", start=True, timeout=0.2, environ=environ)
    assert "ready" in caught.value.sentence


def test_a_command_that_is_not_there(tmp_path):
    with pytest.raises(EngineStart):
        Session.connect("test", "0", start=True, environ=environment(tmp_path, "/nowhere/pincel"))


def test_a_stale_file_does_not_stop_a_start(tmp_path):
    environ = environment(tmp_path, script(tmp_path, "import sys; sys.exit('asked to start')"))
    folder = str(tmp_path / "run")
    connection.write_connection(folder, "tcp://127.0.0.1:9", bytes(32), "0.1.0")  # this process's pid, nobody listens
    with pytest.raises(EngineNotRunning):
        Session.connect("test", "0", environ=environ)
    with pytest.raises(EngineStart) as caught:
        Session.connect("test", "0", start=True, environ=environ)
    assert "asked to start" in caught.value.sentence
    path = tmp_path / "run" / connection.FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": 2**22 + 1}))
    with pytest.raises(EngineStart):
        Session.connect("test", "0", start=True, environ=environ)
