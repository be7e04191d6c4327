"""What `pincel train` says, and what is said of it: its bar, the commands that pages print, weights by name."""

import re
import shlex
from pathlib import Path

import pytest

from engine.store import header as headers
from engine.train import arguments, live, trainables, training
from engine.train.plan import Standing
from engine.train.sweep import grid
from tests.house.tree import ROOT


def test_a_bar_is_drawn_on_a_terminal_and_nothing_elsewhere(monkeypatch, capsys):
    with live.shown("srgan") as told:
        assert told is None
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with live.shown("srgan") as told:
        told(Standing(5, 10, 0.5, 200.0, "psnr"))
    assert "srgan" in capsys.readouterr().err


def test_lengths_of_time_in_words():
    assert [live.clock(s) for s in (0.4, 59.4, 200, 7500)] == ["0 s", "59 s", "3 min 20 s", "2 h 05 min"]


def test_the_pages_say_what_the_command_understands():
    """Every `pincel train` of the pages is parsed; pictures and lengths are not there to be trained with."""
    lines = []
    for page in [*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"]:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        lines += re.findall(r"^pincel train .*$", text, re.M)
    assert len(lines) > 6
    for line in lines:
        words = shlex.split(line, comments=True)[2:]
        if "--help" not in words:
            values = arguments.given(words)
            assert values.get("resume") or values["data"], line
            assert values.get("generator", "srgan") in [*trainables.names(), "NAME"], line
            for name in values.get("sweep", ()):
                assert grid([name]), line


def test_the_printed_finetuning_begins_with_what_is_shipped(place):
    """Of the page and of `--help`, up to its first step: shipped weights and the sizes beside them fit each other."""
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8") + arguments.parser("pincel train").format_help()
    lines = [line.split("  ")[0] for line in re.findall(r"pincel train (.*--config .*)", page) if "--finetune" in line]
    assert len(lines) == 2
    for line in lines:
        begun = training.Training(arguments.given([*shlex.split(line), "--device", "cpu"]), "test", print)
        shipped = headers.read_header(training.weights_called(begun.values["finetune"]))
        assert begun.config["blocks"] > shipped.config["blocks"] > 4


@pytest.mark.parametrize("name", ["srgan.psnr", "srgan.psnr.safetensors"])
def test_weights_to_begin_with_by_name(place, tiny_folder, monkeypatch, name):
    monkeypatch.setenv("PINCEL_MODELS", str(tiny_folder))
    assert training.weights_called(name) == tiny_folder / "srgan.psnr.safetensors"
    (place / name).touch()
    assert training.weights_called(name) == Path(name), "a path comes first"
