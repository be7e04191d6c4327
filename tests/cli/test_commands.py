"""models, doctor, status, stop."""

from __future__ import annotations

import getpass
import json
import os
import shutil
from dataclasses import replace

import pytest

from engine import __version__
from tests.cli.pictures import pincel


@pytest.fixture
def models(tmp_path, tiny_folder, monkeypatch):
    """A models folder of the test's own, with copies of the tiny networks."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_folder, folder)
    monkeypatch.setenv("PINCEL_MODELS", str(folder))
    return folder


def test_models_list_and_show(models, capsys):
    assert pincel("models", "list", "--json") == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)}
    assert listed["srgan.psnr"]["task"] == "upscale" and listed["yuv_cgan.photo"]["default"] is True
    assert pincel("models", "list") == 0
    assert "yuv_cgan.photo" in capsys.readouterr().out
    assert pincel("models", "show", "srgan.psnr", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["generator"] == "srgan" and shown["sha256"] == listed["srgan.psnr"]["sha256"]
    capsys.readouterr()
    assert pincel("models", "show", "srgan.psnr") == 0
    lines = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if " " in line.strip())
    assert lines["sha256"] == shown["sha256"]
    assert lines["config.channels"] == str(shown["config"]["channels"]), "what lies deeper has lines of its own"
    capsys.readouterr()
    assert pincel("models", "show", "srgan") == 0  # as --generator takes it
    assert capsys.readouterr().out.split()[:2] == ["name", "srgan.psnr"]
    assert pincel("models", "show", "nobody") == 2
    assert "option.generator" in capsys.readouterr().err


def test_models_list_shows_titles_as_they_are(models, capsys, monkeypatch):
    from engine.store import models as stored

    entries = stored.available()
    odd = replace(entries[0], header=replace(entries[0].header, title="Old [/b] [red]title[/red] :smile:"))
    monkeypatch.setattr(stored, "available", lambda: [odd, *entries[1:]])
    monkeypatch.setenv("COLUMNS", "200")
    assert pincel("models", "list") == 0
    assert "Old [/b] [red]title[/red] :smile:" in capsys.readouterr().out


def test_models_verify_finds_damage(models, capsys):
    file = models / "srgan.psnr.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    assert pincel("models", "verify") == 5
    assert "weights.truncated" in capsys.readouterr().out
    assert pincel("models", "verify", "--json") == 5
    rows = json.loads(capsys.readouterr().out)
    assert next(r for r in rows if r["path"] == str(file))["error"]["code"] == "weights.truncated"


def test_models_add(models, tiny_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path / "new"))
    file = tiny_folder / "srgan.psnr.safetensors"
    assert pincel("models", "add", file) == 0
    assert (tmp_path / "new" / file.name).read_bytes() == file.read_bytes()
    assert pincel("models", "add", file) == 4
    assert pincel("models", "add", file, "--overwrite") == 0
    pickle = tmp_path / "srgan.bad.safetensors"
    pickle.write_bytes(b"PK\x03\x04 and so on")
    assert pincel("models", "add", pickle) == 5
    assert "weights.pickle" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "new").iterdir()] == [file.name]


def test_doctor_tells_everything_but_names(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/Users/maria")
    monkeypatch.setenv("PINCEL_HOME", "/Users/maria/pincel")
    pincel("doctor", "--json")
    text = capsys.readouterr().out
    said = json.loads(text)
    assert said["pincel"]["version"] == __version__
    assert said["torch"]["version"] and said["weights"] and said["engine"]["running"] is False
    assert "maria" not in text and "~/pincel" in text
    pincel("doctor")
    assert "packages:" in capsys.readouterr().out


def test_doctor_sees_damaged_weights(models, capsys):
    (models / "srgan.psnr.safetensors").write_bytes(b"nothing")
    assert pincel("doctor", "--json") == 1
    assert any("weights.truncated" in problem for problem in json.loads(capsys.readouterr().out)["problems"])


def test_status_and_stop_without_an_engine(capsys):
    assert pincel("status") == 6
    assert "pincel serve" in capsys.readouterr().err
    assert pincel("status", "--json") == 6
    assert json.loads(capsys.readouterr().out) == {"running": False}
    assert pincel("stop") == 0


@pytest.mark.parametrize(
    ("arguments", "word", "command"),
    [
        (["colorize", "--seed", "x", "a.png"], "--seed", "pincel colorize"),
        (["colorize", "--nope", "a.png"], "--nope", "pincel colorize"),
        (["colorise", "a.png"], "'colorise'", "pincel"),
        (["-q", "colorize", "a.png"], "-q", "pincel"),
        (["models", "show"], "NAME", "pincel models show"),
        (["train", "--nope"], "--nope", "pincel train"),
    ],
)
def test_a_mistyped_command_has_a_code_and_a_remedy(capsys, arguments, word, command):
    assert pincel(*arguments) == 2
    sentence, remedy = capsys.readouterr().err.splitlines()
    assert word in sentence and sentence.endswith("(option.invalid)") and f"`{command} --help`" in remedy


@pytest.mark.parametrize("command", [[], ["colorize"], ["models", "show"]])
def test_help_is_a_command_too(capsys, command):
    assert pincel("help", *command) == 0
    assert f"Usage: {' '.join(['pincel', *command])}" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["models"], ["colorize"]])
def test_a_command_alone_shows_its_help(capsys, arguments):
    assert pincel(*arguments) == 2
    shown = capsys.readouterr()
    assert "Usage: pincel" in shown.out + shown.err and "option.invalid" not in shown.err


def test_train_is_the_trainer(capsys):
    assert pincel("train", "--help") == 0
    assert "--minutes" in capsys.readouterr().out


def test_the_user_is_not_named_by_accident(capsys):
    pincel("doctor")
    name = getpass.getuser() if os.environ.get("USER") else os.path.basename(os.path.expanduser("~"))
    assert f"/{name}/" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "content", [b"only some text, no weights", b"\x02" + bytes(7) + b"[]", b"\x02" + bytes(7) + b"{}"]
)
def test_models_add_of_something_else_leads_out(tmp_path, capsys, content):
    file = tmp_path / "text.png"
    file.write_bytes(content)
    assert pincel("models", "add", file) == 5
    said = capsys.readouterr().err
    assert "Give a .safetensors file that Pincel's training exported" in said and "models add" not in said


def test_models_add_of_no_file_says_so(tmp_path, capsys):
    for path, said in ((tmp_path / "nowhere.safetensors", "is not there"), (tmp_path, "is no file")):
        assert pincel("models", "add", path) == 5
        told = capsys.readouterr().err
        assert f"{path} {said}" in told and "Check the path" in told and "Install" not in told


def test_doctor_and_install_find_the_same_editors(tmp_path, monkeypatch, capsys):
    (tmp_path / "gimp").write_text("#!/bin/sh\n")
    (tmp_path / "gimp").chmod(0o755)
    for name, value in {"HOME": tmp_path / "home", "PATH": tmp_path, "XDG_CONFIG_HOME": tmp_path / "config"}.items():
        monkeypatch.setenv(name, str(value))
    pincel("doctor", "--json")
    editors = json.loads(capsys.readouterr().out)["editors"]
    assert editors == {"GIMP": "is installed, but was never started", "Krita": "not found"}
    assert pincel("install", "gimp") == 4
    assert "GIMP is installed, but was never started: start it once" in capsys.readouterr().err
