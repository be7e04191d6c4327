"""Line art through the Python door: lines kept, hints, references, Z by hand, seeds, samples of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Engine
from engine.client import errors
from engine.tasks.base import Picture


@pytest.fixture(scope="module")
def engine():
    with Engine() as made:
        yield made


@pytest.fixture(scope="module")
def drawing():
    """Two boxes and a diagonal in black on white: u8 [151, 203]."""
    lines = np.full((151, 203), 255, np.uint8)
    for top, left in ((20, 20), (60, 110)):
        lines[top : top + 50, [left, left + 1, left + 70, left + 71]] = 0
        lines[[top, top + 1, top + 50, top + 51], left : left + 72] = 0
    lines[np.arange(150), np.arange(150)] = 90
    return lines


def layer(drawing, *places):
    """A hint layer with squares of 5 pixels: (row, column, colour)."""
    made = np.zeros((*drawing.shape, 4), np.uint8)
    for row, column, colour in places:
        made[row - 2 : row + 3, column - 2 : column + 3] = (*colour, 255)
    return made


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_the_result_is_the_lines_times_the_colours_in_their_own_precision(engine, drawing, dtype):
    source = {"uint8": drawing, "uint16": drawing.astype(np.uint16) * 257 + 0}.get(dtype)
    if source is None:
        source = (drawing / 255).astype(dtype)
    top = np.iinfo(dtype).max if source.dtype.kind == "u" else 1.0
    result = engine.sketch(source, seed=3).array
    below = engine.sketch(source, seed=3, output="below-lines").array
    assert result.dtype == below.dtype == source.dtype and result.shape == below.shape == (*drawing.shape, 3)
    wanted = below.astype(np.float64) * (source[..., None].astype(np.float64) / top)
    steps = {"float16": 2e-3, "float32": 1e-6}.get(dtype, 1.0)
    assert np.abs(result - wanted).max() <= steps
    assert (result[source == 0] == 0).all()


def test_same_seed_same_bytes_and_variants_differ(engine, drawing):
    three = engine.sketch(drawing, seed=5, variants=3, output="below-lines")
    assert [v.info["seed"] for v in three.variants] == [5, 6, 7]
    alone = engine.sketch(drawing, seed=6, output="below-lines")
    assert np.array_equal(three.variants[1].array, alone.array)


def test_z_of_a_result_makes_it_again(engine, drawing):
    reference = np.zeros((30, 50, 3), np.uint8)
    reference[:, 25:] = (200, 40, 40)
    made = engine.sketch(drawing, reference=reference)
    z = made.info["z"][0]
    assert len(z) == 64 and max(map(abs, z)) <= 1 and any(z)
    assert np.array_equal(engine.sketch(drawing, z=z).array, made.array)
    assert not np.array_equal(engine.sketch(drawing, z=[-n for n in z]).array, made.array)


def test_given_colours_leave_seeds_nothing_to_say(engine, drawing):
    two = engine.sketch(drawing, z=[0.1] * 64, variants=2)
    assert np.array_equal(two.array, two.variants[1].array)
    assert any("alike" in notice for notice in two.info["notices"])


def test_a_reference_may_have_any_size_and_holes(engine, drawing):
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (9, 400, 4), np.uint8)
    small[..., 3] = 0
    small[2:5, :200, 3] = 255
    hidden = small.copy()
    hidden[small[..., 3] == 0, :3] = 77  # colours that nobody sees
    one, other = (engine.sketch(drawing, reference=r).info["z"] for r in (small, hidden))
    assert one == other
    assert engine.sketch(drawing, reference=255 - small[..., :3]).info["z"] != one


def test_hints_colour_what_they_touch(engine, drawing):
    plain = engine.sketch(drawing, output="below-lines").array.astype(int)
    hints = layer(drawing, (45, 50, (220, 20, 30)))
    hinted = engine.sketch(drawing, hints=hints, output="below-lines").array.astype(int)
    red = hinted[43:48, 48:53].mean((0, 1))
    assert red[0] > red[1] + 25 and red[0] > red[2] + 25, red
    assert np.abs(hinted - plain)[43:48, 48:53].mean() > np.abs(hinted - plain)[100:105, 140:160].mean()


def test_every_shape_without_a_hint_has_one_colour(engine, drawing):
    """Far from lines the colours of a closed box vary much less than over the picture, also beside one with a hint."""
    made = engine.sketch(drawing, seed=2, output="below-lines").array.astype(float)
    boxes = [made[28:62, 62:82], made[68:102, 150:172]]
    assert max(box.std((0, 1)).max() for box in boxes) < 1.5
    assert np.abs(boxes[0].mean((0, 1)) - boxes[1].mean((0, 1))).max() > 5
    hinted = engine.sketch(drawing, seed=2, hints=layer(drawing, (5, 100, (30, 90, 200))), output="below-lines").array
    assert hinted[68:102, 150:172].std((0, 1)).max() < 1.5


def test_transparent_is_paper(engine, drawing):
    """Black lines on transparent paper, whatever lies under it, are the same drawing."""
    clear = np.zeros((*drawing.shape, 4), np.uint8)
    clear[..., 3] = 255 - drawing
    opaque = np.repeat(drawing[..., None], 3, axis=2)
    wanted, result = engine.sketch(opaque).array, engine.sketch(clear).array
    assert result.shape == wanted.shape
    assert np.abs(result.astype(int) - wanted).max() <= 1
    clear[clear[..., 3] == 0] = (200, 10, 10, 0)
    assert np.abs(engine.sketch(clear).array.astype(int) - wanted).max() <= 1


def test_grey_paper_and_faint_pencil_are_a_drawing(engine, drawing):
    """A scan with dark paper and weak lines is seen nearly as the clean drawing is."""
    scan = np.rint(200 - (255 - drawing.astype(float)) * 0.4).astype(np.uint8)
    clean, seen = (engine.sketch(d, output="below-lines").array.astype(int) for d in (drawing, scan))
    assert np.abs(clean - seen).mean() < 12


def test_a_photograph_of_a_drawing_keeps_its_colours_apart(engine, drawing):
    """Paper that a lamp lights from one side is paper: hints fill the same shapes as on even paper."""
    light = np.linspace(1.0, 0.45, drawing.shape[1])
    photo = np.rint((60 + 0.7 * drawing) * light + np.random.default_rng(0).normal(0, 2, drawing.shape)).clip(0, 255)
    hints = layer(drawing, (45, 72, (220, 40, 40)), (85, 160, (40, 80, 220)), (5, 100, (60, 170, 70)))
    even, lit = (
        engine.sketch(d, hints=hints, output="below-lines").array.astype(float)
        for d in (drawing, photo.astype(np.uint8))
    )
    for box in (np.s_[32:58, 66:78], np.s_[72:98, 154:168], np.s_[40:90, 100:140]):
        assert np.abs(even[box].mean((0, 1)) - lit[box].mean((0, 1))).max() < 12


def test_strength_and_saturation(engine, drawing):
    white = engine.sketch(drawing, strength=0.0).array
    assert np.array_equal(white, np.repeat(drawing[..., None], 3, axis=2))
    grey = engine.sketch(drawing, saturation=0.0, output="below-lines").array
    assert np.ptp(grey.astype(int), axis=2).max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 5), (64, 700), (129, 97)])
def test_every_size_works(engine, size):
    source = np.full(size, 255, np.uint8)
    source[size[0] // 2] = 0
    assert engine.sketch(source).array.shape == (*size, 3)


def test_a_blank_and_a_black_sheet_work(engine):
    for value in (0, 255):
        result = engine.sketch(np.full((40, 60), value, np.uint8)).array
        assert result.shape == (40, 60, 3)


def test_linear_light_stays_linear(engine, drawing):
    encoded = Picture((drawing[..., None] / 255).astype(np.float32))
    decoded = np.where(encoded.array <= 0.04045, encoded.array / 12.92, ((encoded.array + 0.055) / 1.055) ** 2.4)
    linear = Picture(decoded.astype(np.float32), linear=True)
    plain, result = engine.sketch(encoded).picture, engine.sketch(linear).picture
    assert result.linear and not plain.linear
    back = np.where(
        result.array <= 0.0031308, result.array * 12.92, 1.055 * np.maximum(result.array, 1e-9) ** (1 / 2.4) - 0.055
    )
    assert np.abs(back - plain.array).max() < 1e-3


def test_what_does_not_fit_is_refused(engine, drawing):
    with pytest.raises(errors.HintsSize):
        engine.sketch(drawing, hints=layer(drawing)[:-1])
    with pytest.raises(errors.HintsInvalid):
        engine.sketch(drawing, hints=layer(drawing)[..., :3])
    for wrong in ([0.0] * 63, [2.0] * 64, [float("nan")] * 64, "0,1", [0.0] * 63 + ["x"], 0.5):
        with pytest.raises(errors.OptionError, match="64 numbers from -1 to 1"):
            engine.sketch(drawing, z=wrong)
    with pytest.raises(errors.OptionError):
        engine.sketch(drawing, output="color-only")
    with pytest.raises(errors.GeneratorUnknown):
        engine.sketch(drawing, generator="yuv_cgan.photo")
    with pytest.raises(errors.NotFinite):
        engine.sketch(drawing, reference=np.full((4, 4, 3), np.nan, np.float32))
    with pytest.raises(errors.OptionError, match="mask"):
        engine.sketch(drawing, mask=drawing)


def test_cancel_ends_it(engine, drawing):
    with pytest.raises(errors.Cancelled):
        engine.sketch(drawing, cancelled=lambda: True)
