"""A client and an engine of different versions: they work together, or one of them says which to update."""

from __future__ import annotations

import json
import os
import sys

import pytest

from engine.client import connection
from engine.client.errors import ProtocolMismatch, Stopping
from engine.client.session import Session
from engine.client.work import Work
from tests.server.harness import ROOT, EngineProcess, code, picture

OTHER = ROOT / "tests/fakes/engine_of_another_version.py"


@pytest.fixture
def start_another(tmp_path):
    """start_another(version, speaks, **settings): an engine of that version in the test's one folder."""
    engines = []

    def start(version="9.9.9", speaks=(1, 2), **settings):
        engine = EngineProcess(tmp_path, program=OTHER, version=version, speaks=list(speaks), **settings)
        engines.append(engine)
        return engine

    yield start
    for engine in engines:
        engine.finish()


def work(session, environ):
    """A job as the plug-ins do it."""
    work = Work(("krita", "0.1.0"), "fake", {"does": "invert"}, {"source": picture()}, session, False, environ)
    while not work.step(0.1):
        pass
    return work


def test_an_editors_open_session_outlives_the_engine_s_upgrade(start_another):
    """The old client, a new engine that knows more and says more: the next job goes to it without a word."""
    old = start_another("0.1.0", [1])
    with Session.connect("krita", "0.1.0", environ=old.environ) as session:
        before = work(session, old.environ)
        assert before.error is None and session.engine_version == "0.1.0"
        assert old.finish()[0] == 0
        new = start_another("9.9.9", [1, 2])
        after = work(session, new.environ)
        assert after.error is None and session.engine_version == "9.9.9"
        assert bytes(after.results[0].data) == bytes(before.results[0].data)


def test_an_engine_that_has_forgotten_the_client_s_protocol_says_what_to_update(start_another):
    engine = start_another("9.9.9", [2, 3])
    done = work(None, engine.environ)
    assert isinstance(done.error, ProtocolMismatch)
    assert "protocol 1, this engine (9.9.9) 3" in done.sentence
    assert "pincel install gimp" in done.sentence and "restart the editor" in done.sentence
    answer = engine.client(hello=False).hello()  # who does not read the connection file is told by the engine
    assert code(answer) == "engine.protocol" and "pincel install" in answer.header["error"]["remedy"]


def test_a_newer_client_that_speaks_our_protocol_too(start):
    """It finds 1 in the connection file, says more than we know, and asks what we do not know."""
    engine = start()
    text = json.loads((engine.folder / "run" / connection.FILE).read_text())
    assert text["speaks"] == [1]
    client = engine.client(hello=False)
    assert client.hello(speaks=[1, 2], client={"name": "krita", "version": "9.9.9", "since": 2}).type == "welcome"
    job = client.send("submit", {"source": picture()}, task="fake", options={}, priority="live", of={"layer": 3})
    assert client.end(job).type == "result"
    assert code(client.ask("relay")) == "engine.malformed"
    assert code(client.end(client.submit(sharpness=3))) == "option.invalid"
    assert client.ask("ping").type == "pong"


def test_a_client_too_new_is_told_that_the_engine_is_the_older_one(start):
    answer = start().client(hello=False).hello(protocol=2)
    error = answer.header["error"]
    assert code(answer) == "engine.protocol" and error["detail"] == {"client": 2, "engine": 1}
    assert "update Pincel" in error["remedy"] and "pincel stop" in error["remedy"]


def test_a_connection_file_of_an_engine_from_before_speaks(start):
    engine = start()
    path = engine.folder / "run" / connection.FILE
    text = json.loads(path.read_text())
    del text["speaks"]
    path.write_text(json.dumps(text))
    assert work(None, engine.environ).error is None


def test_files_that_were_replaced_under_a_running_engine(start_another):
    """Its next worker notices; the job ends with what to do, the engine makes room, and the next one is of one version."""
    old = start_another("0.1.0", [1], worker_command=[sys.executable, str(OTHER), "worker", "9.9.9"])
    done = work(None, old.environ)
    assert isinstance(done.error, Stopping) and "updated while its engine ran" in done.sentence
    status, _, said = old.finish(0)
    assert (status, said) == (0, "") and old.files() == []
    new = start_another("0.1.0", [1])
    assert work(None, new.environ).results
    assert os.path.exists(new.folder / "run" / connection.FILE)
