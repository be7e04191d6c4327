"""Clients that die without a goodbye, at each step: the engine drops what was theirs and serves the others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.server.harness import FAKE_ENGINE, ROOT, picture, until
from tests.trust import dying_client
from tests.trust.faults import bytes_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def test_a_client_killed_at_any_step_leaves_nothing_behind(start):
    engine = start()
    other = engine.client()
    assert bytes_of(other.end(other.submit())) == [bytes([155]) * 45]
    for step in dying_client.STEPS:
        run = [sys.executable, "-m", "tests.trust.dying_client", step]
        done = subprocess.run(run, env=engine.environ, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (-9, ""), step
        until(lambda: not other.ask("status").header["queue"], f"the end of what waited ({step})")
        until(lambda: not other.workers("busy", "ending"), f"the end of what ran ({step})")
        assert bytes_of(other.end(other.submit(source=picture(3, 3, 1)))) == [bytes([254]) * 27], step
    assert engine.faults() == []


GIMP = """
import os, sys
from engine.client.pixels import Pixels
from engine.client.work import Work
work = Work(("gimp", "0"), "fake", {"does": "sleep", "steps": 100000, "seconds": 0.02},
            {"source": Pixels(bytes(48), 4, 4, "RGB", "u8")})
while not work.step(0.05):
    if work.fraction:
        print(work.session._link.connection.pid, flush=True)
        os.kill(os.getpid(), 9)
"""


def test_an_editor_that_started_the_engine_and_crashed_leaves_it_to_the_next_one(start, tmp_path):
    """As GIMP's plug-in: it starts the engine, sends a layer, and is killed in the middle. The user tries again."""
    environ = os.environ | {"PINCEL_RUNTIME_DIR": str(tmp_path / "run"), "PINCEL_HOME": str(tmp_path / "home")}
    script = tmp_path / "pincel"
    script.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {FAKE_ENGINE} '{{}}'\n")
    script.chmod(0o700)
    environ |= {"PINCEL_ENGINE": str(script), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", GIMP], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == -9, done.stderr
    from engine.client.pixels import Pixels
    from engine.client.session import Session

    with Session.connect("gimp", "0", environ=environ) as session:
        try:
            status = session.status()
            assert str(session._link.connection.pid) == done.stdout.strip()
            until(lambda: all(w["job"] is None for w in session.status()["workers"]), "the dropping of the lost job")
            assert not status["queue"]
            [result] = session.submit("fake", {}, {"source": Pixels(bytes(48), 4, 4, "RGB", "u8")}).wait()
            assert bytes(result.data) == b"\xff" * 48
        finally:
            session.stop()
