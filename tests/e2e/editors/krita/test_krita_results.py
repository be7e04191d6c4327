"""The plug-in in a real Krita, with a real engine and the shipped weights: pixels of what it makes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.editors.krita.conftest import photo
from tests.e2e.editors.krita.driver import selection

LUMA = np.array([0.114, 0.587, 0.299])  # of blue, green, red
MADE = "doc.nodeByName('photo (Colorize Photo, seed 0)')"
SRGB = "sRGB-elle-V2-srgbtrc.icc"


def chroma(pixels):
    return float(np.ptp(pixels[..., :3].astype(np.float64), axis=2).mean()) / (
        np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1.0
    )


def encoded(linear):
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize(("dtype", "depth", "step"), [(np.uint8, "U8", 1), (np.uint16, "U16", 1)])
def test_colorize_keeps_the_luma_to_the_last_step(krita, dtype, depth, step):
    source = photo(120, 160, dtype)
    krita.new(source, depth, SRGB)
    krita.run("colorize")
    assert krita.error() is None
    made = krita.pixels(MADE, depth)
    assert np.abs(made[..., :3] @ LUMA - source[..., 0]).max() <= 0.51 * step
    assert chroma(made) > 0.02
    assert (made[..., 3] == np.iinfo(dtype).max).all()
    assert krita.ask(f"[{MADE}.colorDepth(), {MADE}.colorProfile()]") == [depth, SRGB]
    assert (krita.pixels("doc.nodeByName('photo')", depth) == source).all()


def test_colorize_float_in_linear_light(krita):
    source = photo(120, 160, np.float32)
    krita.new(source, "F32", "sRGB-elle-V2-g10.icc")
    krita.run("colorize")
    assert krita.error() is None and krita.ask("run._plan is not None and run.space")[2].endswith("g10.icc")
    made = krita.pixels(MADE, "F32")
    luma = encoded(made[..., :3].astype(np.float64)) @ LUMA[::-1]  # floats are red, green, blue
    assert np.abs(luma - encoded(source[..., 0].astype(np.float64))).max() < 0.01
    assert chroma(made) > 0.01


def test_colorize_grey_layers_of_a_grey_document_says_so(krita):
    grey = photo(60, 80)[..., [0, 3]]
    krita.new(grey)
    krita.run("colorize")
    assert krita.error() is None and "RGB/Alpha" in krita.ask("run.text")
    assert krita.ask(f"{MADE}.colorModel()") == "RGBA" and chroma(krita.pixels(MADE)) > 0.02


def test_a_feathered_selection_masks_the_result_and_undo_is_one_step(krita):
    source = photo(120, 160)
    krita.new(source)
    krita.do(selection((40, 30, 60, 50), 6))
    before = krita.pixels("doc", rect=[0, 0, 160, 120])
    mask = np.frombuffer(bytes(krita.ask("list(bytes(doc.selection().pixelData(0, 0, 160, 120)))")), np.uint8).reshape(
        120, 160
    )
    assert ((mask > 0) & (mask < 255)).sum() > 0
    krita.run("colorize")
    assert krita.error() is None
    after = krita.pixels("doc", rect=[0, 0, 160, 120])
    assert (after[mask == 0] == before[mask == 0]).all()
    inside = after[mask == 255].astype(int)
    assert np.ptp(inside[:, :3], axis=1).mean() > 3
    full = krita.pixels(MADE)
    soft = (mask > 0) & (mask < 255)
    share = mask[soft][:, None] / 255.0
    expected = full[soft][:, :3] * share + before[soft][:, :3] * (1 - share)
    assert np.abs(after[soft][:, :3] - expected).max() <= 2.0
    assert krita.ask(f"[m.type() for m in {MADE}.childNodes()]") == ["transparencymask"]
    krita.undo()
    assert krita.ask(MADE) is None
    assert (krita.pixels("doc", rect=[0, 0, 160, 120]) == before).all()


def test_an_offset_layer_in_a_group_is_coloured_where_it_lies(krita):
    krita.new(photo(120, 160))
    krita.do("""
        g = doc.createGroupLayer("G")
        doc.rootNode().addChildNode(g, None)
        off = doc.createNode("off", "paintlayer")
        off.setPixelData(bytes([90, 90, 90, 255]) * 2400, 0, 0, 60, 40)
        off.move(120, -10)
        g.addChildNode(off, None)
        doc.waitForDone()
    """)
    krita.choose("off")
    krita.run("colorize", place="color-layer")
    assert krita.error() is None
    made = "doc.nodeByName('off (Colorize Photo, seed 0)')"
    assert krita.ask(f"[{made}.parentNode().name(), {made}.blendingMode()]") == ["G", "color"]
    bounds = f"(lambda b: [b.x(), b.y(), b.width(), b.height()])({made}.bounds())"
    assert krita.ask(bounds) == [120, 0, 40, 30]
    krita.choose("G")
    krita.run("colorize")
    assert krita.error() is None and "G (Colorize Photo, seed 0)" in str(krita.tree())


def test_upscale_of_a_layer_scales_the_canvas_only_when_asked(krita):
    source = photo(60, 80)
    krita.new(source)
    krita.run("upscale", scale=2.0)
    assert krita.error() is None and krita.ask("[doc.width(), doc.height()]") == [80, 60]
    made = krita.pixels("doc.nodeByName('photo (Upscale)')", rect=[0, 0, 160, 120])
    small = made[..., 0].reshape(60, 2, 80, 2).mean((1, 3))
    assert np.abs(small - source[..., 0]).mean() < 6 and (made[..., 3] == 255).all()
    krita.choose("photo")
    krita.run("upscale", scale=2.0, grow=True, others=True)
    assert krita.error() is None
    assert krita.ask("[doc.width(), doc.height(), doc.nodeByName('photo').bounds().width()]") == [160, 120, 160]


def test_upscale_of_a_selection_and_of_the_document(krita):
    krita.new(photo(60, 80))
    krita.do(selection((10, 10, 20, 16)))
    krita.run("upscale", scale=2.0)
    made = "doc.nodeByName('photo (Upscale)')"
    assert krita.error() is None
    bounds = f"(lambda b: [b.x(), b.y(), b.width(), b.height()])({made}.bounds())"
    assert krita.ask(bounds) == [10, 10, 40, 32]
    krita.do("doc.setSelection(None)")
    before = krita.ask("app.readSetting('', 'imageWidthDef', 'none')")
    krita.run("upscale", scale=2.0, of="document", place="new-image")
    assert krita.error() is None
    facts = "(lambda d: [d.width(), d.height(), d.fileName(), d.colorDepth(), [n.name() for n in d.rootNode().childNodes()]])"
    assert krita.ask(facts + "(app.activeDocument())") == [160, 120, "", "U8", ["test (Upscale)"]]
    assert krita.ask("app.readSetting('', 'imageWidthDef', 'none')") == before  # the user's defaults are untouched
    krita.do("app.activeDocument().setModified(False); app.activeDocument().close(); app.setActiveDocument(doc)")


def test_line_art_gets_colours_below_it_and_hints_are_sent(krita):
    art = np.full((96, 96, 4), 255, np.uint8)
    art[20:76, 20:22] = art[20:76, 74:76] = art[20:22, 20:76] = art[74:76, 20:76] = [0, 0, 0, 255]
    krita.new(art)
    krita.do("""
        paper = doc.createNode("paper", "paintlayer")
        paper.setPixelData(bytes([255, 255, 255, 255]) * 9216, 0, 0, 96, 96)
        doc.rootNode().addChildNode(paper, None)
        lines = doc.nodeByName("photo").duplicate(); lines.setName("lines")
        doc.rootNode().addChildNode(lines, paper)
        hints = doc.createNode("hints", "paintlayer")
        hints.setPixelData(bytes([0, 0, 230, 255]) * 900, 30, 30, 30, 30)
        doc.rootNode().addChildNode(hints, lines)
        doc.waitForDone()
    """)
    krita.choose("lines")
    krita.do("panel._fill_choices()")
    hints = krita.ask("hub.host.id(doc.nodeByName('hints'))")
    krita.run("sketch", place="below", multiply=True, hints=hints)
    assert krita.error() is None
    names = [name for name, _ in krita.tree()]
    assert names == ["photo", "paper", "lines (Colour Line Art, seed 0)", "lines", "hints"]
    assert krita.ask("doc.nodeByName('lines').blendingMode()") == "multiply"
    assert (krita.pixels("doc.nodeByName('lines')") == art).all()
    hinted = krita.pixels("doc.nodeByName('lines (Colour Line Art, seed 0)')")
    krita.choose("lines")
    krita.run("sketch", place="below")
    free = krita.pixels("doc.nodeByName('lines (Colour Line Art, seed 0)')")
    assert krita.error() is None and hinted.shape == free.shape
    krita.choose("lines")
    krita.run("sketch", place="flats")
    assert krita.error() is None
    flats = [children for name, children in krita.tree() if name.startswith("lines (Colour") and children]
    assert flats and all("#" in name for name, _ in flats[0])


def test_other_colour_models_are_refused_with_the_remedy(krita):
    krita.do("""
        doc = app.createDocument(16, 12, "c", "CMYKA", "U8", "", 72.0)
        app.activeWindow().addView(doc); app.setActiveDocument(doc); doc.waitForDone()
    """)
    krita.wait("app.activeDocument() == doc and doc.activeNode() is not None")
    krita.run("colorize")
    krita.wait("'CMYK' in panel.status.text()")
    assert krita.error() == "input.mode"


def test_vector_layers_and_masked_layers_are_read_as_they_look(krita):
    krita.new(photo(120, 160))
    krita.do("""
        v = doc.createVectorLayer("shapes")
        doc.rootNode().addChildNode(v, None)
        v.addShapesFromSvg('<svg width="160px" height="120px" viewBox="0 0 160 120"><rect x="20" y="20" width="80" '
                           'height="60" fill="#808080"/></svg>')
        doc.waitForDone()
    """)
    krita.choose("shapes")
    krita.wait("v.bounds().width() > 10")
    krita.run("colorize")
    assert krita.error() is None
    made = krita.pixels("doc.nodeByName('shapes (Colorize Photo, seed 0)')")
    shape = krita.pixels("v", projection=True)
    assert (made[..., 3] == shape[..., 3]).all() and 0 < (made[..., 3] == 255).sum() < 160 * 120
    krita.choose("photo")
    krita.do(selection((0, 0, 80, 120)))
    krita.do("app.action('add_new_transparency_mask').trigger(); doc.waitForDone()")
    krita.wait("[n.type() for n in doc.nodeByName('photo').childNodes()] == ['transparencymask']")
    krita.do("doc.setSelection(None); doc.waitForDone()")
    krita.choose("photo")
    krita.run("colorize")
    made = krita.pixels("[n for n in doc.topLevelNodes() if n.name() == 'photo (Colorize Photo, seed 0)'][0]")
    assert krita.error() is None and (made[:, :80, 3] == 255).all() and (made[:, 80:, 3] == 0).all()


def test_a_live_preview_while_hints_are_painted(krita):
    krita.new(photo(120, 160))
    krita.do("""
        hints = doc.createNode("hints", "paintlayer")
        hints.setPixelData(bytes([0, 0, 230, 255]) * 400, 20, 20, 20, 20)
        doc.rootNode().addChildNode(hints, None)
        doc.waitForDone()
    """)
    krita.choose("hints")
    krita.do("""
        panel.choose_task("colorize"); panel._fill_choices()
        panel.form.set_values({"hints": hub.host.id(hints)})
        panel.live.setChecked(True)
    """)
    krita.wait("panel.wipe.caption == 'preview'")
    krita.do("first = panel._watch.preview; hints.setPixelData(bytes([230, 0, 0, 255]) * 400, 90, 60, 20, 20)")
    krita.wait("panel._watch.preview is not first and panel._watch.preview.done and panel._watch.preview.error is None")
    assert krita.ask("first.done") and len(krita.tree()) == 2  # the picture is not touched
    krita.do("panel.live.setChecked(False)")
