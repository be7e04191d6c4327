"""Colour Line Art in a real GIMP 3, with a real engine and the shipped weights: hints are obeyed, lines stay as they are."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Engine
from tests.e2e.editors import drawing

# CIEDE2000 between a stroke's colour and the result's at the stroke's pixels: 1 is what people can just see.
FAR, FAR_ON_AVERAGE = 2.0, 1.0


@pytest.fixture(scope="module")
def lines():
    return drawing.line_art()


@pytest.fixture(scope="module")
def drawn(lines):
    """The drawing in RGB: a grey image could hold no coloured strokes."""
    return np.ascontiguousarray(np.repeat(lines[..., None], 3, 2))


@pytest.fixture(scope="module")
def strokes():
    return drawing.hints()


@pytest.fixture(scope="module")
def expected(lines, strokes):
    """output -> what the shipped weights make of drawing and strokes in this process, u8 [H, W, 3]."""
    from engine import paths

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINCEL_MODELS", str(paths.shipped("weights")))
        with Engine(device="cpu") as inside:
            yield {o: inside.sketch(lines, hints=strokes, output=o).array for o in ("normal", "below-lines")}


def differences(seen, strokes, where):
    """CIEDE2000 between the strokes and a picture u8 [H, W, 3], for the pixels of a mask."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    return deltaE_ciede2000(rgb2lab(seen[where]), rgb2lab(strokes[..., :3][where]))


def test_hints_are_obeyed_and_lines_stay(pictures, lines, drawn, strokes, expected):
    pictures.new(drawn)
    pictures.add("h", strokes, "strokes")
    assert pictures.run("sketch", hints="=h") == ["success", ""]
    assert pictures.tree() == ["strokes", "Colour Line Art, seed 0", "photo"]
    result, facts = pictures.take("made", 3)
    assert facts[1:] == [480, 360, 0, 0]
    paper = (strokes[..., 3] > 0) & (lines > 250)
    for name, mask in drawing.each(strokes):
        off = differences(result, strokes, mask & paper)
        assert off.max() < FAR and off.mean() < FAR_ON_AVERAGE, (name, off.mean(), off.max())
    assert (result[lines == 0] == 0).all()  # ink is ink
    assert (result <= lines[..., None]).all()  # and nothing is brighter than the drawing
    assert np.array_equal(pictures.take("l", 3)[0], drawn)
    assert np.array_equal(result, expected["normal"])  # what every other door gives


def test_without_hints_the_colours_are_others(pictures, lines, strokes):
    pictures.new(lines[..., None])
    assert pictures.run("sketch") == ["success", ""]
    result, _ = pictures.take("made", 3)
    assert differences(result, strokes, (strokes[..., 3] > 0) & (lines > 250)).mean() > 10
    assert (result[lines == 0] == 0).all()


@pytest.mark.parametrize("multiply", [True, False])
def test_colours_below_the_untouched_lines(pictures, lines, drawn, strokes, expected, multiply):
    pictures.new(drawn)
    pictures.add("h", strokes, "strokes")
    pictures.gimp.do("h.set_visible(False)")
    assert pictures.run("sketch", hints="=h", place="below", multiply=multiply) == ["success", ""]
    assert pictures.tree() == ["strokes", "photo", "Colour Line Art, seed 0"]
    assert pictures.take("l", 3)[0].tobytes() == drawn.tobytes()
    assert pictures.gimp.ask("l.get_mode() == M.MULTIPLY") is multiply
    colours, facts = pictures.take("made", 3)
    assert facts[1:] == [480, 360, 0, 0]
    assert np.array_equal(colours, expected["below-lines"])
    assert differences(colours, strokes, strokes[..., 3] > 0).mean() < FAR_ON_AVERAGE
    if multiply:  # what is seen: ink on top, colours where paper was
        seen = pictures.exported()
        assert (seen[lines == 0] == 0).all()
        assert np.array_equal(seen[lines == 255], colours[lines == 255])


def test_a_selection_gets_colours_and_the_rest_keeps_its_bytes(pictures, lines, drawn, strokes):
    pictures.new(drawn)
    pictures.add("h", strokes, "strokes")
    pictures.gimp.do("h.set_visible(False); img.select_rectangle(Gimp.ChannelOps.REPLACE, 100, 80, 140, 160)")
    before = pictures.exported()
    assert pictures.run("sketch", hints="=h") == ["success", ""]
    after = pictures.exported()
    inside = np.zeros(lines.shape, bool)
    inside[80:240, 100:240] = True
    assert np.array_equal(after[~inside], before[~inside])
    roof = (strokes[..., :3] == drawing.STROKES["roof"][2]).all(-1) & (strokes[..., 3] > 0)
    assert differences(after, strokes, roof & (lines > 250)).max() < 2 * FAR


def test_a_reference_sets_the_mood(pictures, lines, drawn):
    pictures.new(drawn)
    warm = np.empty((90, 120, 3), np.uint8)
    warm[:] = (200, 90, 40)
    tints = []
    for colour in (warm, np.ascontiguousarray(warm[..., ::-1])):
        pictures.add("r", colour, "reference", (300, 20))
        assert pictures.run("sketch", reference="=r") == ["success", ""]
        result, _ = pictures.take("made", 3)
        tints.append((result[..., 0].astype(float) - result[..., 2])[lines > 250].mean())
    assert tints[0] > tints[1] + 20
