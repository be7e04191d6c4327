"""pincel doctor: all that somebody who helps needs, in one block, and nothing about people, their pictures or keys."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from engine import paths
from engine.cli import anonymous
from engine.remote import pairs
from engine.server import log
from tests.cli.pictures import pincel
from tests.server.harness import EngineProcess, until


def test_what_is_said_of_people():
    home, host = os.path.expanduser("~"), socket.gethostname()
    said = anonymous.anonymous({f"{home}/a": [f"{home}/b.png on {host}", 3, None, "f" * 64, {"x": "0123"}]})
    assert said == {"~/a": [f"~/b.png on {'HOST' if host != 'localhost' else host}", 3, None, "<key>", {"x": "0123"}]}


@pytest.mark.parametrize("text", ["/srv/maria/x", "C:\\Users\\maria\\x", "maria's file", "a maria.", "(maria)"])
def test_the_user_s_name_in_other_places(text, monkeypatch):
    monkeypatch.setenv("USER", "maria")
    assert "maria" not in anonymous.anonymous(text) and "USER" in anonymous.anonymous(text)
    assert anonymous.anonymous("marianne") == "marianne"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home with editors' profiles, a pair of keys and a log with errors."""
    home = tmp_path / "maria"
    for folder in ("maria/.config/GIMP/3.0/plug-ins", "maria/.local/share/krita", "maria/pincel"):
        (tmp_path / folder).mkdir(parents=True)
    for name, value in {"HOME": home, "USER": "maria", "PINCEL_HOME": home / "pincel"}.items():
        monkeypatch.setenv(name, str(value))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    return home


def test_editors_errors_and_machines(home, capsys):
    known = pairs.load_or_make()
    known.clients["marias-laptop"] = known.public
    known.save()
    with log.logging_to(paths.log_folder() / log.FILE):
        say = log.logging.getLogger("pincel.dispatch")
        say.info("all is well")
        say.warning("worker 12 died (status -9) on job 3: once more")
        try:
            (home / "x").read_text()
        except OSError:
            say.exception("a submit message failed")
    assert pincel("install", "gimp") == 0
    capsys.readouterr()
    pincel("doctor", "--json")
    text = capsys.readouterr().out
    said = json.loads(text)
    assert [name for name in said["editors"] if name.startswith("GIMP 3.0 (native) in ~/.config")]
    assert any(state.startswith("Pincel 0.") for state in said["editors"].values())
    assert any(name.startswith("Krita") for name in said["editors"])
    first, last = said["last errors"]
    assert "WARNING dispatch: worker 12 died" in first
    assert "ERROR dispatch: a submit message failed" in last and "FileNotFoundError" in last and "~/x" in last
    assert said["other machines"] == {"may use the engine here": 1, "engines to use": 0}
    assert "maria" not in text and known.secret not in text and known.public not in text


def test_it_is_one_block_to_copy(home, capsys):
    pincel("doctor")
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == ("```text", "```") and lines.count("```") == 1
    sections = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert {"pincel:", "system:", "packages:", "torch:", "folders:", "weights:", "editors:", "engine:"} <= set(sections)
    assert {"last errors:", "problems:"} <= set(sections)


def test_weights_have_their_checksums(capsys):
    pincel("doctor", "--json")
    weights = json.loads(capsys.readouterr().out)["weights"]
    sums = [line.split() for line in (paths.shipped("weights") / "SHA256SUMS").read_text().splitlines()]
    shipped = {name.removesuffix(".safetensors"): sha for sha, name in sums if name.endswith(".safetensors")}
    text = json.dumps(weights)
    assert all(f"sha256 {sha[:16]}, as listed" in text for sha in shipped.values())


def test_the_key_of_a_running_engine_is_not_said(tmp_path, monkeypatch, capsys):
    engine = EngineProcess(tmp_path)
    try:
        client = engine.client()
        client.raw([b"PINCEL/1", b"00" * 32, b"{}"])
        client.end(client.submit("fault"))
        until(lambda: "ZeroDivisionError" in engine.log(), "the traceback")
        for name in ("PINCEL_RUNTIME_DIR", "PINCEL_HOME"):
            monkeypatch.setenv(name, engine.environ[name])
        pincel("doctor")
        said = capsys.readouterr().out
        assert engine.connection().endpoint in said and f"process {engine.process.pid}" in said
        assert "job 1 failed" in said
        assert engine.connection().key.hex() not in said and str(Path.home()) not in said
    finally:
        engine.finish()
