"""Every kind of layer that Krita has is read as it looks by itself, in a real Krita with the shipped weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import Engine, paths
from tests.e2e.editors.krita.conftest import photo
from tests.e2e.editors.krita.driver import selection
from tests.e2e.editors.krita.test_krita_results import LUMA, SRGB, chroma, encoded

HEIGHT, WIDTH = 90, 120
# Python that makes `made`, a layer of that kind that shows something on a part of the canvas at least.
KINDS = {
    "fill": """
        from krita import InfoObject, Selection
        some = Selection(); some.select(10, 10, 70, 50, 255)
        i = InfoObject(); i.setProperty("pattern", "Cross01.pat")
        made = doc.createFillLayer("fill", "pattern", i, some)
    """,
    "clone": "made = doc.createCloneLayer('clone', doc.nodeByName('photo'))",
    "file": "made = doc.createFileLayer('file', {file!r}, 'None')",
    "vector": """
        made = doc.createVectorLayer("vector")
    """,
    "group": """
        made = doc.createGroupLayer("group")
        doc.rootNode().addChildNode(made, doc.nodeByName("photo"))
        for name, x in (("left", 5), ("right", 60)):
            child = doc.createNode(name, "paintlayer")
            child.setPixelData(bytes([90 + x, 90 + x, 90 + x, 255]) * 1600, x, 20, 40, 40)
            child.setOpacity(128 if name == "right" else 255)
            made.addChildNode(child, None)
    """,
    "masked": """
        made = doc.createNode("masked", "paintlayer")
        made.setPixelData(bytes([120, 120, 120, 255]) * 4800, 0, 0, 80, 60)
    """,
}


@pytest.fixture(scope="module")
def shown(krita_stage):
    """A picture file for a file layer."""
    from PIL import Image

    path = krita_stage[0] / "shown.png"
    Image.fromarray(photo(60, 80)[..., 0]).convert("RGB").save(path)
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_coloured_as_it_looks(krita, shown, kind):
    krita.new(photo(HEIGHT, WIDTH))
    krita.do(KINDS[kind].format(file=shown) if kind == "file" else KINDS[kind])
    if kind != "group":
        krita.do("doc.rootNode().addChildNode(made, doc.nodeByName('photo'))")
    krita.do("doc.waitForDone()")
    if kind == "vector":
        krita.do("""
            made.addShapesFromSvg('<svg width="120px" height="90px" viewBox="0 0 120 90"><circle cx="60" cy="40" r="30" '
                                  'fill="#707070"/></svg>')
            doc.waitForDone()
        """)
    krita.choose(kind)
    if kind == "masked":
        krita.do(selection((0, 0, 40, 60), 4))
        krita.do("app.action('add_new_transparency_mask').trigger(); doc.waitForDone()")
        krita.wait("[n.type() for n in made.childNodes()] == ['transparencymask']")
        krita.do("doc.setSelection(None); doc.waitForDone()")
    krita.wait("max(bytes(made.projectionPixelData(0, 0, doc.width(), doc.height()))) > 0")
    looks = krita.pixels("made", projection=True)
    krita.run("colorize")
    assert krita.error() is None, krita.ask("run.text")
    assert krita.ask(f"run.layer_name == {kind!r} and len(doc.rootNode().childNodes()) == 3")
    result = krita.pixels("hub.host.layer(doc, run.added)")
    assert (result[..., 3] == looks[..., 3]).all() and (looks[..., 3] > 0).sum() > 0
    seen = looks[..., 3] > 0
    assert np.abs(result[seen][:, :3] @ LUMA - looks[seen][:, :3] @ LUMA).max() <= 1.01
    assert (krita.pixels("made", projection=True) == looks).all()
    krita.undo()
    assert krita.ask("len(doc.rootNode().childNodes())") == 2


@pytest.mark.parametrize("profile", ["sRGB-elle-V2-g10.icc", SRGB])
@pytest.mark.parametrize(("dtype", "depth"), [(np.float16, "F16"), (np.float32, "F32")])
def test_floats_linear_or_not(krita, dtype, depth, profile):
    source = photo(HEIGHT, WIDTH, dtype)
    krita.new(source, depth, profile)
    krita.run("colorize")
    assert krita.error() is None
    made = "hub.host.layer(doc, run.added)"
    assert krita.ask(f"[{made}.colorModel(), {made}.colorDepth(), {made}.colorProfile()]") == ["RGBA", depth, profile]
    result = krita.pixels(made, depth).astype(np.float64)
    light = encoded if "g10" in profile else np.asarray
    luma = light(result[..., :3]) @ LUMA[::-1]  # floats are red, green, blue
    assert np.abs(luma - light(source[..., 0].astype(np.float64))).max() < 0.01
    assert chroma(result) > 0.01 and (result[..., 3] == 1).all()
    assert (krita.pixels("doc.nodeByName('photo')", depth) == source).all()


@pytest.mark.parametrize(("dtype", "depth"), [(np.uint16, "U16"), (np.float16, "F16"), (np.float32, "F32")])
def test_grey_layers_of_each_depth(krita, dtype, depth):
    grey = np.ascontiguousarray(photo(HEIGHT, WIDTH, dtype)[..., [0, 3]])
    krita.new(grey, depth)
    linear = krita.ask("hub.host.transfer(hub.host.space(doc.nodeByName('photo')))") == "linear"
    krita.run("colorize")
    assert krita.error() is None
    made = "hub.host.layer(doc, run.added)"
    assert krita.ask(f"[{made}.colorModel(), {made}.colorDepth()]") == ["RGBA", depth]
    top = np.iinfo(dtype).max if depth == "U16" else 1.0
    result, source = krita.pixels(made, depth) / float(top), grey[..., 0] / float(top)
    light = encoded if linear else np.asarray
    luma = light(result[..., :3]) @ (LUMA if depth == "U16" else LUMA[::-1])
    assert np.abs(luma - light(source)).max() < 0.01 and chroma(result) > 0.01


def test_generate_draws_what_the_engine_draws(krita, krita_stage, monkeypatch):
    """By the shipped network if there is one, else by a tiny one."""
    monkeypatch.setenv("PINCEL_MODELS", krita_stage[1]["PINCEL_MODELS"])
    with Engine(device="cpu") as inside:
        expected = inside.generate(seed=3)
    shipped = json.loads((paths.shipped("weights") / "defaults.json").read_text())["generate"]["any"]
    krita.new(photo(HEIGHT, WIDTH))
    krita.run("generate", seed=3)
    assert krita.error() is None, krita.ask("run.text")
    assert krita.ask("run.info['generator']") == shipped == expected.info["generator"]
    made = "hub.host.layer(doc, run.added)"
    x, y, width, height = krita.ask(f"(lambda b: [b.x(), b.y(), b.width(), b.height()])({made}.bounds())")
    assert (height, width) == expected.array.shape[:2]
    channels = 2 if krita.ask(f"{made}.colorModel()") == "GRAYA" else 4
    result = krita.pixels(made, channels=channels, rect=[x, y, width, height])
    assert (result[..., -1] == 255).all()
    assert np.array_equal(result[..., channels - 2 :: -1], expected.array.reshape(height, width, -1)[..., :3])
    krita.undo()
    assert krita.ask("len(doc.rootNode().childNodes())") == 1
