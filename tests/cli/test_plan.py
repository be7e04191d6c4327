"""What is read and where results go, before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.plan import plan
from engine.client.errors import InputMissing, OptionError, OutputExists, OutputFormat, OutputIsSource
from engine.client.options import SEED_MAX, task
from tests.cli.pictures import grey

COLORIZE = task("colorize").complete({"seed": 7})
UPSCALE = task("upscale").complete({})


def targets(*arguments, name="colorize", values=COLORIZE, **more):
    return [t for work in plan(name, values, *arguments, **more) for t in work.targets]


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("a.png", "a.colorized.png"),
        ("a.jpg", "a.colorized.jpg"),
        ("a.JPEG", "a.colorized.jpeg"),
        ("a.tif", "a.colorized.tif"),
        ("a.webp", "a.colorized.webp"),
        ("a.bmp", "a.colorized.png"),
        ("two.dots.gif", "two.dots.colorized.png"),
    ],
)
def test_beside_the_source_in_its_own_format(tmp_path, source, made):
    (tmp_path / source).write_bytes(b"x")
    assert targets([tmp_path / source], None) == [tmp_path / made]


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({}, "a.x4.png"),
        ({"scale": 2.5}, "a.x2.5.png"),
        ({"width": 800}, "a.w800.png"),
        ({"height": 600}, "a.h600.png"),
        ({"width": 800, "height": 600}, "a.800x600.png"),
    ],
)
def test_upscaled_names_say_how_much(tmp_path, given, made):
    source = grey(tmp_path / "a.png")
    assert targets([source], None, name="upscale", values=task("upscale").complete(given)) == [tmp_path / made]


def test_a_file_a_folder_and_a_template(tmp_path):
    source = grey(tmp_path / "a.png")
    assert targets([source], str(tmp_path / "b.jpg")) == [tmp_path / "b.jpg"]
    assert targets([source], str(tmp_path)) == [tmp_path / "a.colorized.png"]
    assert targets([source], str(tmp_path / "new")) == [tmp_path / "new/a.colorized.png"]
    assert targets([source], f"{tmp_path}/v1.2/") == [tmp_path / "v1.2/a.colorized.png"]
    template = "out/{task}/{stem}-s{seed}-{n:02d}.{ext}"
    assert targets([source], template) == [Path("out/colorize/a-s7-01.png")]
    assert targets([source], "{name}.tif") == [Path("a.png.tif")]


def test_variants_are_numbered_and_their_seeds_follow(tmp_path):
    source = grey(tmp_path / "a.png")
    values = task("colorize").complete({"seed": SEED_MAX, "variants": 3})
    assert targets([source], None, values=values) == [tmp_path / f"a.colorized-{n}.png" for n in (1, 2, 3)]
    assert targets([source], "b.png", values=values) == [Path(f"b-{n}.png") for n in (1, 2, 3)]
    assert targets([source], "{stem}{seed}.png", values=values) == [Path(f"a{s}.png") for s in (SEED_MAX, 0, 1)]
    assert targets([source], "{stem}.png", values=values) == [Path(f"a-{n}.png") for n in (1, 2, 3)]


@pytest.mark.parametrize("out", ["{stem", "{colour}.png", "{}.png", "{stem.__class__}.png", "{n:zz}.png"])
def test_templates_that_make_no_sense(tmp_path, out):
    with pytest.raises(OptionError, match="template"):
        plan("colorize", COLORIZE, [grey(tmp_path / "a.png")], out)


def test_a_template_needs_what_the_task_has(tmp_path):
    with pytest.raises(OptionError, match="no seed"):
        plan("upscale", UPSCALE, [grey(tmp_path / "a.png")], "{seed}.png")


@pytest.mark.parametrize("out", ["a.xcf", "{stem}.psd", "{stem}"])
def test_formats_that_are_not_written(tmp_path, out):
    with pytest.raises(OutputFormat):
        plan("colorize", COLORIZE, [grey(tmp_path / "a.png")], out)


def test_one_file_for_many_pictures_is_refused(tmp_path):
    sources = [grey(tmp_path / "a.png"), grey(tmp_path / "b.png")]
    with pytest.raises(OptionError, match="2 pictures"):
        plan("colorize", COLORIZE, sources, "c.png")


def test_what_exists_is_refused_unless_allowed(tmp_path):
    source, existing = grey(tmp_path / "a.png"), grey(tmp_path / "a.colorized.png")
    assert isinstance(plan("colorize", COLORIZE, [source], None)[0].error, OutputExists)
    assert plan("colorize", COLORIZE, [source], None, overwrite=True)[0].error is None
    assert plan("colorize", COLORIZE, [source], None, skip_existing=True) == []
    existing.unlink()
    existing.mkdir()
    assert isinstance(plan("colorize", COLORIZE, [source], None, overwrite=True)[0].error, OutputExists)


def test_a_source_is_never_a_target(tmp_path):
    source, other = grey(tmp_path / "a.png"), grey(tmp_path / "b.png")
    link = tmp_path / "link.png"
    link.symlink_to(source)
    for out in (source, link):
        work = plan("colorize", COLORIZE, [source], str(out), overwrite=True)[0]
        assert isinstance(work.error, OutputIsSource)
    work = plan("colorize", COLORIZE, [source], str(other), overwrite=True, extras={"mask": other})[0]
    assert isinstance(work.error, OutputIsSource)


def test_two_sources_never_share_a_target(tmp_path):
    sources = [grey(tmp_path / "one/a.png"), grey(tmp_path / "two/a.png")]
    works = plan("colorize", COLORIZE, sources, str(tmp_path / "out"), overwrite=True)
    assert works[0].error is None
    assert isinstance(works[1].error, OutputExists)
    assert str(sources[0]) in works[1].error.sentence


def test_results_of_the_same_command_are_passed_over_whatever_their_size(tmp_path):
    for name in (
        "a.png",
        "a.x4.png",
        "a.x2.5-2.png",
        "a.800x600.png",
        "a.w800.png",
        "a.colorized.png",
        "a.preview.png",
        "b.x4.png",
    ):
        grey(tmp_path / name)
    found = [work.source.name for work in plan("upscale", UPSCALE, [tmp_path], "out")]
    assert found == ["a.colorized.png", "a.png", "b.x4.png"]
    found = [work.source.name for work in plan("colorize", COLORIZE, [tmp_path], "out")]
    assert found == ["a.800x600.png", "a.png", "a.w800.png", "a.x2.5-2.png", "a.x4.png", "b.x4.png"]


def test_folders(tmp_path):
    photos = tmp_path / "photos"
    for name in (
        "b.png",
        "a.jpg",
        ".hidden.png",
        "deep/c.tif",
        "a.colorized.jpg",
        "a.colorized-2.jpg",
        "z.colorized.png",
    ):
        grey(photos / name)
    (photos / "notes.txt").write_text("no picture")
    found = [work.source.relative_to(photos) for work in plan("colorize", COLORIZE, [photos], "out")]
    # Results of an earlier run are left out where their source is there; z.colorized.png may be a photograph's own name.
    assert found == [Path("a.jpg"), Path("b.png"), Path("z.colorized.png")]
    works = plan("colorize", COLORIZE, [photos, photos / "b.png"], "out", recursive=True)
    assert [w.targets[0] for w in works if "deep" in str(w.source)] == [Path("out/deep/c.colorized.tif")]
    assert len(works) == 4, "each source once"


def test_what_is_missing_is_said_and_the_rest_is_planned(tmp_path):
    (tmp_path / "empty").mkdir()
    works = plan("colorize", COLORIZE, [tmp_path / "no.png", tmp_path / "empty", grey(tmp_path / "a.png")], None)
    assert [type(work.error) for work in works] == [InputMissing, InputMissing, type(None)]
