"""pincel colorize and upscale, with tiny networks, in this process."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from engine.cli.pictures import normalised
from engine.client.errors import OptionError
from engine.client.options import TASKS
from tests.cli.pictures import events, grey, pincel


def test_colorize_and_upscale_write_beside_the_source(tmp_path, capsys):
    source = grey(tmp_path / "a.png")
    before = source.read_bytes()
    assert pincel("colorize", source, "--seed", 3) == 0
    assert pincel("upscale", source, "--scale", 2) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "a.colorized.png"), str(tmp_path / "a.x2.png")]
    assert Image.open(tmp_path / "a.colorized.png").size == (50, 41)
    assert Image.open(tmp_path / "a.x2.png").size == (100, 82)
    assert source.read_bytes() == before


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    source = grey(tmp_path / "a.png")
    for name, seed in (("b", 1), ("c", 1), ("d", 2)):
        assert pincel("colorize", source, "--seed", seed, "-o", tmp_path / f"{name}.png", "-q") == 0
    b, c, d = ((tmp_path / f"{name}.png").read_bytes() for name in "bcd")
    assert b == c != d


def test_variants_are_files_of_their_own(tmp_path):
    source = grey(tmp_path / "a.png")
    assert pincel("colorize", source, "--seed", 5, "--variants", 3, "-o", tmp_path / "{stem}-{seed}.png") == 0
    assert pincel("colorize", source, "--seed", 6, "-o", tmp_path / "one.png") == 0
    made = [(tmp_path / f"a-{seed}.png").read_bytes() for seed in (5, 6, 7)]
    assert len(set(made)) == 3
    assert made[1] == (tmp_path / "one.png").read_bytes(), "a variant is the picture that its seed gives alone"


def test_options_reach_the_task(tmp_path):
    source = grey(tmp_path / "a.png")
    assert pincel("colorize", source, "--strength", 0, "-o", tmp_path / "none.png") == 0
    assert np.ptp(np.asarray(Image.open(tmp_path / "none.png").convert("RGB")).astype(int), axis=2).max() == 0
    assert pincel("colorize", source, "--output", "color-only", "-o", tmp_path / "only.png") == 0
    assert pincel("upscale", source, "--width", 70, "--height", 63, "-o", tmp_path / "exact.png") == 0
    assert Image.open(tmp_path / "exact.png").size == (70, 63)


def test_mask_and_hints(tmp_path):
    source = grey(tmp_path / "a.png")
    mask = np.zeros((41, 50), np.uint8)
    mask[:, 25:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    hints = np.zeros((41, 50, 4), np.uint8)
    hints[10:20, 30:40] = (255, 0, 0, 255)
    Image.fromarray(hints).save(tmp_path / "hints.png")
    extras = ("--mask", tmp_path / "mask.png", "--hints", tmp_path / "hints.png")
    assert pincel("colorize", source, *extras, "-o", tmp_path / "b.png") == 0
    made = np.asarray(Image.open(tmp_path / "b.png").convert("RGB"))
    original = np.asarray(Image.open(source))
    assert (made[:, :24] == original[:, :24, None]).all()
    Image.fromarray(hints[:20]).save(tmp_path / "short.png")
    assert pincel("colorize", source, "--hints", tmp_path / "short.png", "-o", tmp_path / "c.png") == 3


def test_sketch_with_hints_a_reference_and_numbers(tmp_path, capsys):
    source = grey(tmp_path / "drawing.png")
    hints = np.zeros((41, 50, 4), np.uint8)
    hints[10:20, 30:40] = (255, 0, 0, 255)
    Image.fromarray(hints).save(tmp_path / "h.png")
    Image.fromarray(np.full((9, 12, 3), (10, 90, 200), np.uint8)).save(tmp_path / "r.png")
    extras = ("--hints", tmp_path / "h.png", "--reference", tmp_path / "r.png")
    assert pincel("sketch", source, *extras, "--json", "-o", tmp_path / "a.png") == 0
    z = next(e for e in events(capsys.readouterr().out) if e["event"] == "result")["info"]["z"][0]
    (tmp_path / "z.json").write_text(json.dumps([z]))  # as `info` has it
    assert pincel("sketch", source, *extras[:2], "--z", f"@{tmp_path / 'z.json'}", "-o", tmp_path / "b.png", "-q") == 0
    given = "--z=" + ",".join(map(str, z))
    assert pincel("sketch", source, *extras[:2], given, "-o", tmp_path / "c.png", "-q") == 0
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b == c
    assert pincel("sketch", source, "--output", "below-lines", "-q") == 0
    assert Image.open(tmp_path / "drawing.sketched.png").mode == "RGB"


@pytest.mark.parametrize("wrong", ["@missing.json", "1,2,three", "0.5", "@object.json", ",".join(["2"] * 64), "@", ""])
def test_numbers_that_are_none_are_a_wrong_option(tmp_path, capsys, monkeypatch, wrong):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "object.json").write_text('{"z": 1}')
    assert pincel("sketch", grey(tmp_path / "a.png"), f"--z={wrong}") == 2
    said = capsys.readouterr().err
    assert "option.invalid" in said and "64 numbers" in said.replace("\n", " ")


def test_a_bad_file_does_not_stop_the_others(tmp_path, capsys):
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    cut = tmp_path / "cut.png"
    cut.write_bytes(grey(tmp_path / "whole.png").read_bytes()[:600])
    good = grey(tmp_path / "good.jpg")
    assert pincel("colorize", text, tmp_path / "absent.png", cut, good) == 3
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "good.colorized.jpg")]
    for code in ("input.not-a-picture", "input.missing", "input.truncated"):
        assert said.err.count(code) == 1
    assert "1 done, 3 failed" in said.err
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_json_is_all_there_is_on_stdout(tmp_path, capsys):
    good, text = grey(tmp_path / "good.png"), tmp_path / "text.png"
    text.write_text("not a picture")
    assert pincel("colorize", good, text, "--json", "--seed", 9) == 3
    said = events(capsys.readouterr().out)
    assert said[0]["event"] == "start" and said[0]["files"] == 2 and said[0]["engine"] == "local"
    assert said[-1] == {**said[-1], "event": "summary", "done": 1, "failed": 1, "skipped": 0, "exit_status": 3}
    result = next(e for e in said if e["event"] == "result")
    assert (result["source"], result["targets"]) == (str(good), [str(tmp_path / "good.colorized.png")])
    assert result["info"]["seeds"] == [9] and len(result["info"]["weights"]) == 64
    error = next(e for e in said if e["event"] == "error")
    assert error["code"] == "input.not-a-picture" and error["remedy"] and error["source"] == str(text)
    fractions = [e["fraction"] for e in said if e["event"] == "progress"]
    assert fractions and fractions == sorted(fractions) and fractions[-1] < 1


def test_dry_run_writes_nothing(tmp_path, capsys):
    source = grey(tmp_path / "a.png")
    assert pincel("upscale", source, tmp_path / "absent.png", "--dry-run", "-o", tmp_path / "new", "--json") == 3
    said = events(capsys.readouterr().out)
    assert [e["event"] for e in said] == ["start", "plan", "error", "summary"]
    assert said[1]["targets"] == [str(tmp_path / "new/a.x4.png")]
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert pincel("upscale", source, "--dry-run") == 0
    assert capsys.readouterr().out == f"{source} -> {tmp_path / 'a.x4.png'}\n"


def test_nothing_is_overwritten_unless_told(tmp_path, capsys):
    source, existing = grey(tmp_path / "a.png"), tmp_path / "a.colorized.png"
    existing.write_bytes(b"precious")
    assert pincel("colorize", source) == 4
    assert existing.read_bytes() == b"precious"
    assert "output.exists" in capsys.readouterr().err
    assert pincel("colorize", source, "--skip-existing") == 0
    assert existing.read_bytes() == b"precious"
    assert pincel("colorize", source, "--overwrite") == 0
    assert Image.open(existing).size == (50, 41)
    before = source.read_bytes()
    assert pincel("colorize", source, "--overwrite", "-o", source) == 4
    assert source.read_bytes() == before


def test_a_folder_into_a_folder(tmp_path):
    grey(tmp_path / "in/a.png"), grey(tmp_path / "in/deep/b.jpg")
    assert pincel("upscale", tmp_path / "in", "-r", "-o", tmp_path / "out", "--scale", 1) == 0
    made = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*"))
    assert made == ["a.x1.png", "deep/b.x1.jpg"]


def test_what_fails_for_all_is_said_once(tmp_path, capsys):
    sources = [grey(tmp_path / f"{n}.png") for n in range(3)]
    assert pincel("colorize", *sources, "--generator", "van-gogh", "--json") == 2
    said = events(capsys.readouterr().out)
    assert [e["code"] for e in said if e["event"] == "error"] == ["option.generator"]
    assert said[-1]["skipped"] == 2


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--strength", "2"), 2),
        (("--strength", "nan"), 2),
        (("--seed", "-1"), 2),
        (("--output", "sideways"), 2),
        (("--no-such-option",), 2),
        (("-o", "{oops}.png"), 2),
        (("-o", "a.xcf"), 4),
        (("-o", "/proc/nowhere/a.png"), 4),
        (("--engine", "service"), 6),
    ],
)
def test_exit_statuses(tmp_path, capsys, arguments, status):
    assert pincel("colorize", grey(tmp_path / "a.png"), *arguments) == status
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("device", ["no-such-device", "cuda:77"])
def test_a_device_that_is_not_there(tmp_path, capsys, device):
    assert pincel("colorize", grey(tmp_path / "a.png"), "--device", device) == 2
    said = capsys.readouterr().err
    assert f"The device {device} cannot be used" in said and "(option.invalid)" in said
    if device == "no-such-device":
        assert "devices are called cpu, cuda, cuda:1, mps, openvino." in said
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_no_engine_is_claimed_where_none_is_used(tmp_path, capsys):
    source = grey(tmp_path / "a.png")
    for arguments in ([], ["--dry-run"], ["-o", "{oops}.png"]):
        pincel("colorize", source, "--engine", "service", *arguments)
        assert "Using the running engine" not in capsys.readouterr().err
        pincel("colorize", source, "--engine", "service", "--json", *arguments)
        assert events(capsys.readouterr().out)[0]["engine"] == "none"


def test_cmyk_needs_to_be_allowed(tmp_path, capsys):
    source = tmp_path / "a.jpg"
    Image.new("CMYK", (40, 30), (10, 200, 30, 5)).save(source)
    assert pincel("upscale", source) == 3
    assert "--convert" in capsys.readouterr().err
    assert pincel("upscale", source, "--convert") == 0


def test_quiet_is_quiet(tmp_path, capsys):
    source = grey(tmp_path / "a.png")
    assert pincel("colorize", source, "-q") == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    assert pincel("colorize", source, "-q") == 4
    assert "output.exists" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_declared_option_has_its_flag(task, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert pincel(task.name, "--help") == 0
    page = capsys.readouterr().out
    for name in [option.name for option in task.options] + list(task.extras):
        assert f"--{name.replace('_', '-')} " in page


def test_what_is_left_out_is_said(tmp_path, capsys):
    sources = [grey(tmp_path / f"{n}.png") for n in range(3)]
    for n, said in ((0, "1 picture has its result"), (1, "2 pictures have their results")):
        (tmp_path / f"{n}.colorized.png").write_bytes(b"mine")
        assert pincel("colorize", *sources[: n + 1], "--skip-existing") == 0
        assert capsys.readouterr().err == f"{said} already: left out.\n"
        assert pincel("colorize", *sources[: n + 1], "--skip-existing", "-q") == 0
        assert pincel("colorize", *sources[: n + 1], "--skip-existing", "--dry-run") == 0
        assert capsys.readouterr().err == f"{said} already: left out.\n"
    assert pincel("colorize", *sources, "--skip-existing", "--dry-run") == 0
    said = capsys.readouterr()
    assert "2 pictures have" in said.err and said.out.startswith(f"{sources[2]} -> ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--remote", "workshop", "--device", "cpu"),
        ("--remote", "workshop", "--engine", "local"),
        ("--engine", "service", "--device", "cpu"),
    ],
)
def test_places_that_contradict_each_other(tmp_path, capsys, arguments):
    assert pincel("colorize", grey(tmp_path / "a.png"), *arguments) == 2
    said = capsys.readouterr().err
    assert "(option.invalid)" in said and arguments[0] in said and f"{arguments[2]} {arguments[3]}" in said
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("wrong", ["a,b", "1,2", "100", "1.5,2,3,4", "-1,2,3,4", "nowhere,1.5"])
def test_a_wrong_preview_is_no_file_s_name(tmp_path, monkeypatch, capsys, wrong):
    monkeypatch.chdir(tmp_path)
    grey(tmp_path / "a.png")
    assert pincel("colorize", "a.png", "--preview", wrong, "-o", "b.png") == 2
    said = capsys.readouterr().err
    assert f"--preview takes four whole numbers, not '{wrong}'. (option.invalid)" in said
    assert "--preview X,Y,WIDTH,HEIGHT" in said


def test_what_may_stand_behind_a_preview(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "100").mkdir()
    for name in ("a,b", "a,b.png", "-o", "--seed", "photo.jpg", "100"):
        (tmp_path / "a,b").touch()
        assert normalised(["colorize", "--preview", name]) == ["colorize", "--preview=middle", name]
    for value in ("1,2,3,4", "-1,2,3,4", "a,c"):
        assert normalised(["colorize", "--preview", value]) == ["colorize", "--preview", value]


def test_remedies_name_the_command_and_ranges_are_whole(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    source = grey(tmp_path / "a.png")
    assert pincel("colorize", source, "--seed", -1) == 2
    said = capsys.readouterr().err
    assert "seed must be a whole number from 0 to 4294967295, not -1." in said and "`pincel colorize --help`" in said
    assert pincel("colorize", "--help") == 0
    assert "0 to 4294967295." in capsys.readouterr().out


def test_a_remedy_from_below_names_the_command(tmp_path, capsys, monkeypatch):
    def refuse(*given, **options):
        raise OptionError("These do not go together.")

    monkeypatch.setattr("engine.api.Engine.upscale", refuse)
    assert pincel("upscale", grey(tmp_path / "a.png")) == 2
    assert "See `pincel upscale --help` for the options" in capsys.readouterr().err


def test_numbers_from_a_file_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pincel("sketch", grey(tmp_path / "a.png"), "--z", "@nofile.json") == 2
    assert "z: there is no file nofile.json. (option.invalid)" in capsys.readouterr().err
