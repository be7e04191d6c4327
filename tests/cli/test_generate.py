"""pincel generate: names by seed, templates, nothing overwritten, a plan without work, JSON lines without a source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from engine.cli.app import run
from engine.cli.plan import plan
from engine.client.errors import OutputExists
from engine.client.options import SEED_MAX, task


def targets(out, **options):
    [work] = plan("generate", task("generate").complete(options), [], out)
    assert work.source is None
    return [str(target) for target in work.targets]


@pytest.mark.parametrize(
    ("out", "options", "made"),
    [
        (None, {"seed": 7}, ["generated-7.png"]),
        ("new/", {"seed": 7, "count": 2}, ["new/generated-7.png", "new/generated-8.png"]),
        (None, {"seed": SEED_MAX, "count": 2}, [f"generated-{SEED_MAX}.png", "generated-0.png"]),
        ("a.jpg", {"seed": 7}, ["a.jpg"]),
        ("a.jpg", {"seed": 7, "count": 2}, ["a-1.jpg", "a-2.jpg"]),
        ("{task}-{seed}-{n:02d}.{ext}", {"seed": 7, "count": 2}, ["generate-7-01.png", "generate-8-02.png"]),
        (None, {"seed": 7, "count": 2, "spread": 0.5}, ["generated-7-1.png", "generated-7-2.png"]),
        ("f/{seed}.webp", {"seed": 7, "count": 2, "to_seed": 3}, ["f/7-1.webp", "f/7-2.webp"]),
    ],
)
def test_names(out, options, made):
    assert targets(out, **options) == made


def test_what_exists_stays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("generated-8.png").write_bytes(b"mine")
    values = task("generate").complete({"seed": 7, "count": 2})
    [work] = plan("generate", values, [], None)
    assert isinstance(work.error, OutputExists)
    assert run(["generate", "--seed", "7", "--count", "2"]) == 4
    assert Path("generated-8.png").read_bytes() == b"mine" and not Path("generated-7.png").exists()
    assert plan("generate", values, [], None, overwrite=True)[0].error is None
    Path("generated-7.png").write_bytes(b"mine")
    assert plan("generate", values, [], None, skip_existing=True) == []


def test_pictures_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = [
        "generate",
        "-o",
        "faces/",
        "--seed",
        "7",
        "--count",
        "2",
        "--generator",
        "progan.faces",
        "--engine",
        "local",
    ]
    assert run([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.split() == ["faces/generated-7.png", "faces/generated-8.png"]
    assert not Path("faces").exists()
    assert run([*command, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [result] = [event for event in events if event["event"] == "result"]
    assert result["source"] is None and result["targets"] == ["faces/generated-7.png", "faces/generated-8.png"]
    assert result["info"]["seeds"] == [7, 8]
    with Image.open("faces/generated-8.png") as made:
        assert made.size == (32, 32) and made.mode == "RGB"
    assert run(["generate", "photo.png"]) == 2


def test_a_wrong_way_is_refused(capsys):
    assert run(["generate", "--to-seed", "9", "--engine", "local", "--json"]) == 2
    assert "at least two" in capsys.readouterr().out


def test_a_wrong_way_is_refused_before_anything_is_foretold(capsys):
    assert run(["generate", "--to-seed", "3"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "A way from one seed to another needs at least two pictures. (option.invalid)",
        "  Say of how many: --count 2 to --count 16 (count=2 to 16).",
    ]


def test_what_was_drawn_before_is_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in (7, 8):
        Path(f"generated-{seed}.png").write_bytes(b"mine")
    assert run(["generate", "--seed", "7", "--count", "2", "--skip-existing"]) == 0
    assert capsys.readouterr().err == "2 pictures exist already: left out.\n"


def test_alone_it_draws_seed_0_in_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["generate"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["generated-0.png"]
