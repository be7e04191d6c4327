"""The examples in the pages run: Python blocks as they stand, `pincel` lines with tiny networks."""

from __future__ import annotations

import re
import shlex

import pytest
from PIL import Image

from engine.cli.app import run
from engine.client.options import TASKS
from tests.house.tree import ROOT, files

PAGES = [p for p in files() if p.suffix == ".md" and p.parts[0] in {"docs", "README.md", "CONTRIBUTING.md"}]
# Examples of commands that need more than a picture: a running engine, a trainer's data, a generator yet to be written.
ELSEWHERE = {"serve", "status", "stop", "pair", "train", "install", "evaluate", "bench"}


def blocks(page, language):
    """Fenced blocks of that language, also indented ones in lists."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    return [text for _, text in found]


def commands():
    for page in PAGES:
        for line in "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["pincel"] and words[1] not in ELSEWHERE and not {"NAME", "--remote"} & {*words}:
                yield pytest.param(words[1:], id=f"{page}: {' '.join(words)}")


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A folder with every picture that the pages speak of."""
    monkeypatch.chdir(tmp_path)
    size = (44, 33)
    (tmp_path / "album/deep").mkdir(parents=True)
    for name in (
        "old.jpg",
        "small.png",
        "photo.png",
        "photo.jpg",
        "exported.png",
        "album/a.jpg",
        "album/deep/b.png",
        "drawing.png",
        "rough.jpg",
    ):
        Image.linear_gradient("L").resize(size).save(tmp_path / name)
    for name in ("hints.png", "dots.png"):
        Image.new("RGBA", size, (200, 30, 30, 255)).save(tmp_path / name)
    Image.new("L", size, 255).save(tmp_path / "mask.png")
    return tmp_path


@pytest.mark.parametrize("words", list(commands()))
def test_commands(words, pictures, capsys):
    before = set(pictures.rglob("*.*"))
    assert run(words) == 0, capsys.readouterr().err
    if words[0] in TASKS:
        assert set(pictures.rglob("*.*")) > before, "it made nothing"


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=str)
def test_python(page, pictures):
    for text in blocks(page, "python"):
        if ".connect(" not in text:  # needs a running engine: run by the service's own tests
            exec(compile(text, str(page), "exec"), {})


def test_there_are_examples():
    assert len(list(commands())) >= 6
