"""What a machine keeps of others: one file of keys, its user's alone, changed by `pincel pair`."""

from __future__ import annotations

import json
import os
import stat

import pytest
import zmq

from engine.cli.app import run
from engine.client.errors import EngineError, NotLoopback, OptionError
from engine.remote import pairs

KEY = pairs.keypair()[0].decode()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_no_key_begins_like_an_option(monkeypatch):
    """`pincel pair allow laptop -GVi...` would be taken for options."""
    made = iter([(b"-" + KEY[1:].encode(), b"one"), (KEY.encode(), b"two")])
    monkeypatch.setattr(zmq, "curve_keypair", lambda: next(made))
    assert pairs.keypair() == (KEY.encode(), b"two")


def test_keys_are_made_once_and_stay(capsys):
    assert run(["pair"]) == 0
    shown = capsys.readouterr().out
    assert run(["pair", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] in shown
    known = pairs.load()
    assert known.public in shown and known.secret not in shown
    assert zmq.curve_public(known.secret.encode()).decode() == known.public
    assert known.secret not in repr(known)
    if os.name == "posix":
        assert stat.S_IMODE(pairs.place().stat().st_mode) == 0o600
        assert stat.S_IMODE(pairs.place().parent.stat().st_mode) == 0o700


def test_machines_are_learnt_and_forgotten(capsys):
    assert run(["pair", "allow", "laptop", KEY]) == 0
    assert f"pincel pair engine NAME HOST:PORT '{pairs.load().public}'" in capsys.readouterr().out
    assert run(["pair", "engine", "workshop", "workshop.local:4711", KEY]) == 0
    assert run(["pair", "engine", "here", "[::1]:4711", KEY]) == 0
    assert pairs.load().clients == {"laptop": KEY}
    assert pairs.load().engines["workshop"] == {"address": "workshop.local:4711", "key": KEY}
    capsys.readouterr()
    assert run(["pair"]) == 0
    shown = capsys.readouterr().out
    assert f"laptop: {KEY}" in shown and f"workshop: workshop.local:4711 {KEY}" in shown
    assert run(["pair", "forget", "laptop"]) == 0 and run(["pair", "forget", "workshop"]) == 0
    assert pairs.load().clients == {} and set(pairs.load().engines) == {"here"}
    assert run(["pair", "forget", "laptop"]) == 2
    assert [path.name for path in pairs.place().parent.iterdir()] == [pairs.FILE]


@pytest.mark.parametrize(
    "words",
    [
        ("allow", "laptop", "short"),
        ("allow", "laptop", "\u00e4" * 40),
        ("allow", "laptop", '"' * 40),
        ("allow", "../laptop", KEY),
        ("allow", "", KEY),
        ("engine", "workshop", "workshop", KEY),
        ("engine", "workshop", "workshop:0", KEY),
        ("engine", "workshop", "work shop:4711", KEY),
        ("engine", "workshop", "ipc:///tmp/s:1", KEY),
        ("engine", "workshop", "workshop:4711", KEY[:-1]),
        ("test", "nobody"),
    ],
)
def test_what_is_no_name_key_or_address(words, capsys):
    assert run(["pair", *words]) == 2
    assert "option.invalid" in capsys.readouterr().err


def test_addresses():
    assert pairs.endpoint("10.0.0.7:4711", listen=True) == "tcp://10.0.0.7:4711"
    assert pairs.endpoint("[fe80::1]:4711", listen=True) == "tcp://[fe80::1]:4711"
    with pytest.raises(NotLoopback):
        pairs.endpoint("workshop.local:4711", listen=True)
    with pytest.raises(OptionError):
        pairs.endpoint("10.0.0.7")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"public": 1}', '{"public": "a", "secret": "b"}'])
def test_a_damaged_file(text, capsys):
    pairs.load_or_make()
    pairs.place().write_text(text)
    with pytest.raises(EngineError, match="cannot be read"):
        pairs.load()
    assert run(["pair"]) == 6 and "Traceback" not in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_file_that_others_may_read_is_not_trusted():
    pairs.load_or_make()
    pairs.place().chmod(0o640)
    with pytest.raises(EngineError, match="Other users"):
        pairs.load()
