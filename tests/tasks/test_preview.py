"""--preview: a part of the result, the same pixels as the whole job gives there, with less work."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from engine import Engine
from engine.cli.app import run
from engine.client import errors, options
from engine.client.controls import controls
from engine.tasks import colorize, upscale

BOX = [37, 20, 61, 45]


@pytest.fixture(scope="module")
def engine():
    with Engine(device="cpu") as made:
        yield made


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles and bands that these small pictures have several of."""
    monkeypatch.setattr(upscale, "TILE", 48)
    monkeypatch.setattr("engine.tasks.working.BAND_PIXELS", 203 * 10)


def part_of(array, box, height, width):
    x, y, w, h = box
    rows, columns = (slice(a * n // s, b * n // s) for a, b, n, s in ((y, y + h, *height), (x, x + w, *width)))
    return array[rows, columns]


@pytest.mark.parametrize(
    ("task", "given"),
    [
        ("upscale", {}),
        ("upscale", {"scale": 2.3}),
        ("upscale", {"width": 600, "height": 311}),
        ("upscale", {"scale": 4.5}),  # two passes
        ("colorize", {"seed": 5, "variants": 2}),
        ("colorize", {"output": "color-only", "strength": 0.7}),
        ("colorize", {"generator": "pix2pix"}),
        ("sketch", {"seed": 2}),
        ("sketch", {"output": "below-lines"}),
    ],
)
def test_a_preview_has_exactly_the_whole_job_s_pixels(engine, photo, small_tiles, task, given):
    whole = getattr(engine, task)(photo, **given)
    shown = getattr(engine, task)(photo, preview=BOX, **given)
    size = whole.array.shape
    for one, other in zip(whole.variants, shown.variants, strict=True):
        expected = part_of(one.array, BOX, (size[0], photo.shape[0]), (size[1], photo.shape[1]))
        assert np.array_equal(other.array, expected) and expected.size
    assert shown.info["preview"] == BOX and "preview" not in whole.info


def test_work_outside_is_left_out(engine, photo, small_tiles, monkeypatch):
    seen = []
    compute = upscale._Enlargement._begin
    monkeypatch.setattr(
        upscale._Enlargement, "_begin", lambda self, rows, columns: seen.append(rows) or compute(self, rows, columns)
    )
    engine.upscale(photo)
    whole, seen[:] = len(seen), []
    engine.upscale(photo, preview=[60, 60, 10, 10])
    assert len(seen) == 1 < whole
    bands = []
    real = colorize.bands
    monkeypatch.setattr(
        colorize, "bands", lambda source, part=None: (bands.append(rows) or rows for rows in real(source, part))
    )
    engine.colorize(photo, preview=[0, 100, 203, 4])
    assert len({(rows.start, rows.stop) for rows in bands}) <= 2


def test_the_middle(engine, photo, small_tiles):
    assert engine.upscale(photo, preview=True).info["preview"] == [81, 37, 40, 38]  # one tile
    middle = engine.colorize(photo, preview=True)
    assert middle.array.shape == (75, 101, 3) and middle.info["preview"] == [51, 38, 101, 75]
    assert engine.colorize(photo, preview=False).array.shape == photo.shape


def test_masks_and_hints_count_in_a_preview_too(engine, photo):
    hints = np.zeros((*photo.shape[:2], 4), np.uint8)
    hints[30:50, 40:60] = (250, 20, 20, 255)
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, 60:] = 255
    whole = engine.colorize(photo, hints=hints, mask=mask).array
    x, y, w, h = BOX
    assert np.array_equal(
        engine.colorize(photo, hints=hints, mask=mask, preview=BOX).array, whole[y : y + h, x : x + w]
    )


@pytest.mark.parametrize("box", [[0, 0, 204, 10], [200, 0, 10, 10], [0, 150, 5, 2]])
def test_a_part_outside_of_the_picture_is_refused(engine, photo, box):
    with pytest.raises(errors.OptionError, match="not inside"):
        engine.colorize(photo, preview=box)


def test_the_command(tmp_path, photo, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo).save("photo.png")
    assert run(["colorize", "photo.png", "--preview"]) == 0
    assert Image.open("photo.preview.png").size == (101, 75)
    assert run(["upscale", "--preview", "photo.png", "-o", "a.png", "--json"]) == 0
    [made] = [e for e in map(json.loads, capsys.readouterr().out.splitlines()[1:]) if e["event"] == "result"]
    assert made["info"]["preview"] == [0, 0, 203, 151]
    assert run(["upscale", "photo.png", "--preview", "10,20,30,40", "-o", "b.png"]) == 0
    assert Image.open("b.png").size == (120, 160)
    assert run(["upscale", "photo.png", "--preview=1,2,3", "-o", "c.png"]) == 2


def test_editors_show_no_widget_for_it():
    for task in options.TASKS.values():
        assert "preview" not in [control.name for control in controls(task)]
