"""Colour Line Art in a real Krita with the shipped weights: hints obeyed, lines untouched, all taken back by one Undo."""

from __future__ import annotations

import numpy as np
import pytest

from engine import Engine
from tests.e2e.editors import drawing

# CIEDE2000 between a stroke's colour and the result's at the stroke's pixels: 1 is what people can just see.
FAR, FAR_ON_AVERAGE = 3.0, 1.0
HEIGHT, WIDTH = 360, 480
COLOURS = "doc.nodeByName('lines (Colour Line Art, seed 0)')"


@pytest.fixture(scope="module")
def strokes():
    """The hints as RGBA."""
    return drawing.hints()


@pytest.fixture(scope="module")
def expected(strokes):
    """What the shipped weights make of drawing and strokes in this process, u8 [H, W, 3]."""
    from engine import paths

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINCEL_MODELS", str(paths.shipped("weights")))
        with Engine(device="cpu") as inside:
            yield inside.sketch(drawing.line_art(), hints=strokes, output="below-lines").array


@pytest.fixture(scope="module")
def scan():
    """Black lines on opaque white, as Krita keeps them."""
    lines = drawing.line_art()
    return np.dstack([lines, lines, lines, np.full_like(lines, 255)])


@pytest.fixture
def drawn(krita, scan, strokes):
    """Krita with a document: white paper, the lines on transparency above it, hints on top, the lines chosen."""
    krita.new(np.full_like(scan, 255))
    ink = np.zeros_like(scan)
    ink[..., 3] = 255 - scan[..., 0]
    add(krita, "lines", ink)
    add(krita, "hints", strokes[..., [2, 1, 0, 3]], visible=False)
    krita.choose("lines")
    krita.do("panel._fill_choices()")
    return krita


def add(krita, name, bgra, visible=True):
    """A paint layer on top of all others."""
    path = krita.folder / "layer.raw"
    path.write_bytes(np.ascontiguousarray(bgra).tobytes())
    krita.do(f"""
        n = doc.createNode({name!r}, "paintlayer")
        n.setPixelData(open({str(path)!r}, "rb").read(), 0, 0, {WIDTH}, {HEIGHT})
        n.setVisible({visible})
        doc.rootNode().addChildNode(n, None)
        doc.waitForDone()
    """)


def hints(krita) -> str:
    return krita.ask("hub.host.id(doc.nodeByName('hints'))")


def obeyed(bgr, strokes) -> None:
    """Every stroke's colour is the picture's, at the stroke's pixels on paper."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    paper = drawing.line_art() > 250
    for name, mask in drawing.each(strokes):
        where = mask & paper
        off = deltaE_ciede2000(rgb2lab(bgr[where][:, 2::-1]), rgb2lab(strokes[..., :3][where]))
        assert off.max() < FAR and off.mean() < FAR_ON_AVERAGE, (name, off.mean(), off.max())


def seen(krita):
    return krita.pixels("doc", rect=[0, 0, WIDTH, HEIGHT])


def test_hints_are_obeyed_below_untouched_lines(drawn, strokes, expected):
    lines = drawn.pixels("doc.nodeByName('lines')")
    before = seen(drawn)
    drawn.run("sketch", place="below", hints=hints(drawn))
    assert drawn.error() is None
    assert [name for name, _ in drawn.tree()] == ["photo", "lines (Colour Line Art, seed 0)", "lines", "hints"]
    made = drawn.pixels(COLOURS)
    obeyed(made, strokes)
    assert np.abs(made[..., 2::-1].astype(int) - expected).max() <= 1  # the lines' alpha is all that differs
    assert (drawn.pixels("doc.nodeByName('lines')") == lines).all()
    assert drawn.ask("doc.nodeByName('lines').blendingMode()") == "normal"  # not asked for
    picture = seen(drawn)
    assert (picture[lines[..., 3] == 255][:, :3] == 0).all()
    paper = lines[..., 3] == 0
    assert (picture[paper][:, :3] == made[paper][:, :3]).all()
    drawn.undo()
    assert (seen(drawn) == before).all() and len(drawn.tree()) == 3


def test_without_hints_the_colours_are_others(drawn, strokes):
    drawn.run("sketch", place="below")
    assert drawn.error() is None
    with pytest.raises(AssertionError):
        obeyed(drawn.pixels(COLOURS), strokes)


def test_a_reference_counts_wherever_it_lies(krita, scan):
    colours = []
    for at in (None, (10, 5), (220, 40)):  # none, over the lines, beside them
        krita.new(np.ascontiguousarray(scan[100:220, 100:260]), canvas=(300, 120))
        asked = {}
        if at is not None:
            krita.do(f"""
                n = doc.createNode("reference", "paintlayer")
                n.setPixelData(bytes([30, 40, 220, 255]) * 2400, {at[0]}, {at[1]}, 60, 40)
                doc.rootNode().addChildNode(n, None)
                doc.waitForDone()
            """)
            krita.choose("photo")
            krita.do("panel._fill_choices()")
            asked["reference"] = krita.ask("hub.host.id(doc.nodeByName('reference'))")
        krita.run("sketch", **asked)
        assert krita.error() is None
        made = "doc.nodeByName('photo (Colour Line Art, seed 0)')"
        colours.append(krita.pixels(made, rect=[0, 0, 160, 120]))
    assert (colours[1] == colours[2]).all() and (colours[0] != colours[1]).any(-1).mean() > 0.5


def test_a_scan_is_coloured_below_in_multiply_and_one_undo_takes_all_back(krita, scan, strokes):
    krita.new(scan)
    add(krita, "hints", strokes[..., [2, 1, 0, 3]], visible=False)
    krita.do("doc.nodeByName('photo').setName('lines'); doc.waitForDone()")
    krita.choose("lines")
    krita.do("panel._fill_choices()")
    before = seen(krita)
    krita.run("sketch", place="below", multiply=True, hints=hints(krita))
    assert krita.error() is None
    facts = "[[n.name(), n.blendingMode()] for n in doc.rootNode().childNodes()]"
    after = [["lines (Colour Line Art, seed 0)", "normal"], ["lines", "multiply"], ["hints", "normal"]]
    assert krita.ask(facts) == after
    assert (krita.pixels("doc.nodeByName('lines')") == scan).all()
    made, picture = krita.pixels(COLOURS), seen(krita)
    obeyed(made, strokes)
    assert (picture[scan[..., 0] == 0][:, :3] == 0).all()
    assert (picture[scan[..., 0] == 255] == made[scan[..., 0] == 255]).all()
    for _ in range(2):
        krita.undo()
        krita.wait(facts + " == [['lines', 'normal'], ['hints', 'normal']]")
        assert (seen(krita) == before).all()
        krita.redo()
        krita.wait(facts + f" == {after!r}")
        assert (seen(krita) == picture).all()


def test_flats_are_layers_named_by_their_colours(drawn):
    paper = drawn.pixels("doc.nodeByName('lines')")[..., 3] == 0
    before = seen(drawn)
    drawn.run("sketch", place="flats", hints=hints(drawn))
    assert drawn.error() is None
    group = "hub.host.layer(doc, run.added)"
    names = drawn.ask(f"[n.name() for n in {group}.childNodes()]")
    assert 6 <= len(names) <= 24 and all(name.rstrip(")").rpartition("#")[2] for name in names)
    assert {"green", "blue"} <= {word for name in names for word in name.split()}
    flats = [drawn.pixels(f"{group}.childNodes()[{n}]") for n in range(len(names))]
    assert (np.sum([flat[..., 3] > 0 for flat in flats], axis=0) == 1).all()  # each pixel is in one of them
    for flat in flats:
        assert len(np.unique(flat[flat[..., 3] > 0], axis=0)) == 1
    together = sum(flat.astype(int) * (flat[..., 3:] > 0) for flat in flats)
    assert (seen(drawn)[paper] == together[paper]).all()
    drawn.undo()
    assert (seen(drawn) == before).all() and len(drawn.tree()) == 3


def test_the_docker_says_when_the_paper_hides_the_colours(krita, scan):
    krita.new(scan)
    krita.run("sketch", place="below")
    assert krita.error() is None and "set that layer to Multiply" in krita.ask("run.text")


@pytest.mark.parametrize("others", [False, True])
def test_growing_the_canvas_is_taken_back_with_the_layer(krita, scan, others):
    krita.new(scan[100:160, 100:180])
    before = krita.pixels("doc", rect=[0, 0, 80, 60])
    krita.run("upscale", scale=2.0, grow=True, others=others)
    assert krita.error() is None
    facts = "[doc.width(), doc.height(), len(doc.rootNode().childNodes())]"
    assert krita.ask(facts) == [160, 120, 2]
    after = krita.pixels("doc", rect=[0, 0, 160, 120])
    krita.undo()
    krita.wait(facts + " == [80, 60, 1]")
    assert (krita.pixels("doc", rect=[0, 0, 80, 60]) == before).all()
    krita.redo()
    krita.wait(facts + " == [160, 120, 2]")
    assert (krita.pixels("doc", rect=[0, 0, 160, 120]) == after).all()
