"""Batches that meet what archives hold: collisions, links that go round, folders that are closed, runs that were broken off."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from engine.cli import app, batch
from engine.cli.naming import ending
from engine.cli.plan import plan
from engine.cli.report import Lines
from engine.client.errors import InputMissing, OptionError, OutputExists, OutputFormat
from engine.client.options import task
from engine.files import check
from tests.cli.pictures import events, grey, pincel

COLORIZE = task("colorize").complete({})


def colorizing(*inputs, out=None, **more):
    return plan("colorize", COLORIZE, list(inputs), out, **more)


def test_a_collision_is_no_result_that_is_there_already(tmp_path):
    sources = [grey(tmp_path / "one/a.png"), grey(tmp_path / "two/a.png")]
    out = str(tmp_path / "out")
    grey(tmp_path / "out/a.colorized.png")  # the first one's, by the run before
    left = []
    works = colorizing(*sources, out=out, skip_existing=True, leave=left.append)
    assert [work.source for work in left] == sources[:1]
    assert [type(work.error) for work in works] == [OutputExists] and str(sources[0]) in works[0].error.sentence


def test_the_remedy_for_a_collision_helps(tmp_path):
    sources = [grey(tmp_path / "a.png"), grey(tmp_path / "a.bmp")]
    assert "{name}.{ext}" in colorizing(*sources, out=str(tmp_path / "out"))[1].error.remedy
    works = colorizing(*sources, out=str(tmp_path / "out/{name}.{ext}"))
    assert [work.error for work in works] == [None, None]


def test_results_given_as_sources_are_left_out_as_done(tmp_path):
    names = [grey(tmp_path / "a.png"), grey(tmp_path / "a.colorized.png"), grey(tmp_path / "b.png")]
    left = []
    works = colorizing(*names, skip_existing=True, leave=left.append)
    assert [work.source.name for work in left] == ["a.png"]
    assert [(work.source.name, work.error) for work in works] == [("a.colorized.png", None), ("b.png", None)]


def test_what_cannot_be_looked_at_stops_nothing_else(tmp_path):
    good, loop = grey(tmp_path / "in/a.png"), tmp_path / "in/loop.png"
    loop.symlink_to(loop)
    long = grey(tmp_path / f"in/{'й' * 124}.png")
    works = colorizing(tmp_path / "in", tmp_path / ("x" * 300 + ".jpg"), out=str(tmp_path / "out"))
    assert {work.source: work.error for work in works[:-1]} == {good: None, loop: None, long: None}
    assert isinstance(works[-1].error, InputMissing) and "cannot be read" in works[-1].error.sentence
    assert pincel("colorize", tmp_path / "in", "-o", tmp_path / "out", "-q") in (3, 4)
    assert (tmp_path / "out/a.colorized.png").exists()


def test_a_folder_that_cannot_be_listed_is_a_fault(tmp_path, monkeypatch):
    grey(tmp_path / "in/a.png"), grey(tmp_path / "in/closed/b.png")
    listed = os.scandir

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    works = colorizing(tmp_path / "in", out=str(tmp_path / "out"), recursive=True)
    assert [(work.source.name, type(work.error)) for work in works] == [
        ("a.png", type(None)),
        ("closed", InputMissing),
    ]
    assert colorizing(tmp_path / "in/closed")[0].error.sentence.endswith("closed cannot be read: Permission denied.")


def test_results_inside_the_sources_folder_are_no_sources(tmp_path):
    source = grey(tmp_path / "album/a.png")
    out = tmp_path / "album/coloured"
    grey(out / "a.colorized.png")
    for place in (str(out), f"{out}/"):
        assert [work.source for work in colorizing(tmp_path / "album", out=place, recursive=True)] == [source]
    assert len(colorizing(tmp_path / "album", out=str(tmp_path / "out"), recursive=True)) == 2


def test_a_set_that_was_broken_off_is_completed(tmp_path):
    source = grey(tmp_path / "a.png")
    flags = ("--variants", 3, "-q", "--skip-existing")
    assert pincel("colorize", source, *flags) == 0
    made = [tmp_path / f"a.colorized-{n}.png" for n in (1, 2, 3)]
    whole = [path.read_bytes() for path in made]
    made[1].unlink()
    made[2].write_bytes(b"mine")
    assert pincel("colorize", source, *flags) == 0
    assert [path.read_bytes() for path in made] == [whole[0], whole[1], b"mine"]


def test_two_runs_share_a_folder(tmp_path, capsys, monkeypatch):
    sources = [grey(tmp_path / f"{n}.png") for n in range(3)]
    do = batch._one

    def with_another(task, work, *rest):
        grey(tmp_path / "1.colorized.png")  # by the other run, after this one was planned
        do(task, work, *rest)

    monkeypatch.setattr(batch, "_one", with_another)
    before = grey(tmp_path / "x.png").read_bytes()
    assert pincel("colorize", *sources, "--skip-existing", "--json") == 0
    said = events(capsys.readouterr().out)
    assert [e["source"] for e in said if e["event"] == "result"] == [str(sources[0]), str(sources[2])]
    assert said[-1] == {**said[-1], "done": 2, "failed": 0, "skipped": 0}
    assert (tmp_path / "1.colorized.png").read_bytes() == before


@pytest.mark.parametrize("arguments", [("upscale", "--width", 60), ("colorize", "--preview", "0,0,45,20")])
def test_options_that_do_not_suit_one_picture(tmp_path, capsys, arguments):
    command, *flags = arguments
    sources = [grey(tmp_path / "a.png", *((70, 50) if command == "upscale" else (40, 30))), grey(tmp_path / "b.png")]
    assert pincel(command, *sources, *flags, "--json", "-o", tmp_path / "out") == 2
    said = events(capsys.readouterr().out)
    assert [e["source"] for e in said if e["event"] in ("error", "result")] == [str(path) for path in sources]
    assert said[-1] == {**said[-1], "done": 1, "failed": 1, "skipped": 0}


def test_interrupted_work_goes_on(tmp_path, capsys, monkeypatch):
    sources = [grey(tmp_path / f"{n}.png") for n in range(3)]
    do = batch._one

    def until_the_second(task, work, *rest):
        if work.source == sources[1]:
            raise KeyboardInterrupt
        do(task, work, *rest)

    monkeypatch.setattr(batch, "_one", until_the_second)
    pincel("colorize", *sources, "--json")
    said = events(capsys.readouterr().out)
    assert "--skip-existing" in said[-2]["remedy"] and "1 of 3" in said[-2]["sentence"]
    assert said[-1] == {**said[-1], "done": 1, "failed": 0, "skipped": 2}


@pytest.mark.parametrize("content", ["PNG", "JPEG", "WEBP", "TIFF", "BMP"])
def test_the_default_ending_is_that_of_the_content(tmp_path, content):
    made = {"PNG": ".png", "JPEG": ".jpeg", "WEBP": ".webp", "TIFF": ".tif", "BMP": ".png"}
    path = tmp_path / "photo.JPEG"
    Image.new("L", (9, 9)).save(path, content)
    assert ending(path) == made[content]
    nameless = path.rename(tmp_path / "photo")
    assert ending(nameless) == made[content].replace("jpeg", "jpg")


def test_what_the_format_cannot_hold_gets_another(tmp_path):
    source = grey(tmp_path / "a.jpg")
    colours = task("colorize").complete({"output": "color-only"})
    assert plan("colorize", colours, [source], None)[0].targets == [tmp_path / "a.colorized.jpg"]
    masked = plan("colorize", colours, [source], None, extras={"mask": source})[0]
    assert masked.targets == [tmp_path / "a.colorized.png"]
    named = colorizing(grey(tmp_path / "b.bmp"), grey(tmp_path / "c.png"), out=str(tmp_path / "out/{name}"))
    assert [type(work.error) for work in named] == [OutputFormat, type(None)]


@pytest.mark.parametrize("out", ["", "{n:{foo}}.png"])
def test_places_that_are_none(tmp_path, out):
    with pytest.raises(OptionError, match=r"-o|template"):
        colorizing(grey(tmp_path / "a.png"), out=out)


def test_faults_of_all_are_found_before_the_work(tmp_path, capsys, monkeypatch):
    source = grey(tmp_path / "a.png")
    monkeypatch.setattr("engine.api.Engine.colorize", lambda *given, **options: pytest.fail("it was computed"))
    assert pincel("colorize", source, source, "--mask", tmp_path / "no.png", "--json") == 3
    said = events(capsys.readouterr().out)
    assert [(e["code"], e["source"]) for e in said if e["event"] == "error"] == [("input.missing", None)]
    assert pincel("colorize", source, "-o", source / "below") == 4
    assert "is no folder" in capsys.readouterr().err
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)
    assert pincel("colorize", source, "-o", tmp_path / "new/folder") == 4
    assert "output.not-writable" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_file_that_may_not_be_read_stops_no_other(tmp_path, capsys, monkeypatch):
    closed, good = grey(tmp_path / "a.png"), grey(tmp_path / "b.png")
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(closed))
    opened = check.opened

    def unless_closed(path):
        if path == str(closed):
            raise InputMissing(f"{path} cannot be read: Permission denied.")
        return opened(path)

    monkeypatch.setattr(check, "opened", unless_closed)
    assert pincel("colorize", closed, good) == 3
    assert "a.png cannot be read: Permission denied. (input.missing)" in capsys.readouterr().err
    assert (tmp_path / "b.colorized.png").exists()


@pytest.mark.parametrize("flags", [("--seed", "abc"), ("--nosuch",), ("--seed",)])
def test_wrong_flags_are_json_too(tmp_path, capsys, flags):
    assert pincel("colorize", grey(tmp_path / "a.png"), "--json", *flags) == 2
    said = events(capsys.readouterr().out)
    assert [e["event"] for e in said] == ["start", "error", "summary"]
    assert said[0]["engine"] == "none" and said[1]["code"] == "option.invalid" and said[2]["exit_status"] == 2


def test_nothing_left_to_do_needs_no_engine(tmp_path, capsys):
    source = grey(tmp_path / "a.png")
    grey(tmp_path / "a.colorized.png")
    assert pincel("colorize", source, "--skip-existing", "--json") == 0
    assert events(capsys.readouterr().out)[0]["engine"] == "none"


@pytest.mark.parametrize(
    ("encoding", "printed"), [("utf-8", b"caf\xe9.colorized.png"), ("cp1252", b"\\udce9.colorized.png")]
)
def test_any_name_can_be_printed(tmp_path, monkeypatch, encoding, printed):
    source = grey(tmp_path / "a.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", stdout)
    assert app.run(["colorize", str(source)]) == 0
    stdout.flush()
    assert printed in stdout.buffer.getvalue()


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path, capsys, monkeypatch):
    def gone(*given):
        raise BrokenPipeError

    monkeypatch.setattr(Lines, "started", gone)
    monkeypatch.setattr(os, "dup2", lambda new, old: None)
    monkeypatch.setattr(sys.stdout, "fileno", lambda: 1, raising=False)
    assert pincel("colorize", grey(tmp_path / "a.png"), "--json") == 141
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("numbers", ["0,0,0,10", "100,0,0,0", "0,0,10,0"])
def test_half_a_middle_is_no_preview(tmp_path, capsys, numbers):
    assert pincel("colorize", grey(tmp_path / "a.png"), "--preview", numbers) == 2
    assert "--preview takes four whole numbers" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_what_is_called_like_a_result_is_counted(tmp_path, capsys):
    for name in ("a.png", "a.x4.png", "a.w300.png"):
        grey(tmp_path / name)
    assert pincel("upscale", tmp_path, "--scale", 1, "-o", tmp_path / "out", "--json", "--dry-run") == 0
    start = events(capsys.readouterr().out)[0]
    assert (start["files"], start["passed_over"]) == (1, 2)
    assert pincel("upscale", tmp_path, "--dry-run", "-o", tmp_path / "out") == 0
    assert "2 pictures are called like results of this command: passed over." in capsys.readouterr().err


def test_the_quality_of_files(tmp_path):
    source = grey(tmp_path / "a.jpg", 200, 150)
    sizes = []
    for quality in (30, 95, 100):
        target = tmp_path / f"q{quality}.jpg"
        assert pincel("upscale", source, "--scale", 1, "--file-quality", quality, "-q", "-o", target) == 0
        sizes.append(target.stat().st_size)
    assert sizes == sorted(sizes) and len(set(sizes)) == 3
    assert pincel("upscale", source, "--scale", 1, "-q", "-o", tmp_path / "usual.jpg") == 0
    assert (tmp_path / "usual.jpg").read_bytes() == (tmp_path / "q95.jpg").read_bytes()
    assert pincel("upscale", source, "--file-quality", 101) == 2
