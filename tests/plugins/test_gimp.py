"""The installed GIMP 3 plug-in over a GIMP in memory, with a real engine and tiny networks: every way in and out."""

from __future__ import annotations

import importlib.util
import runpy
import sys

import numpy as np
import pytest

from engine.client.options import TASKS
from engine.install import common
from engine.install.gimp import EDITOR
from tests.house.tree import ROOT
from tests.server.harness import EngineProcess

LUMA = np.array([0.299, 0.587, 0.114])
OURS = ("layers", "results", "dialog", common.CLIENT)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    process = EngineProcess(tmp_path_factory.mktemp("engine"), real=True)
    yield process
    process.finish()


@pytest.fixture(scope="module")
def gi(tmp_path_factory):
    """The fake gi, with the plug-in loaded: gi.Gimp.plugins[0]."""
    folder = common.install(EDITOR, EDITOR.named(tmp_path_factory.mktemp("profile") / "3.0"))
    spec = importlib.util.spec_from_file_location("gi", ROOT / "tests/fakes/gi.py")
    made = importlib.util.module_from_spec(spec)
    kept = {name: sys.modules.pop(name, None) for name in ("gi", "gi.repository")}
    sys.modules["gi"] = made
    spec.loader.exec_module(made)
    path = list(sys.path)
    try:
        made.names = runpy.run_path(str(folder / "pincel.py"))
        yield made
    finally:
        sys.path[:] = path
        for name in [n for n in sys.modules if n.partition(".")[0] in OURS]:
            del sys.modules[name]
        sys.modules.update({name: module for name, module in kept.items() if module is not None})


@pytest.fixture
def gimp(gi, engine, monkeypatch):
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", engine.environ["PINCEL_RUNTIME_DIR"])
    monkeypatch.setenv("PINCEL_ENGINE", "/bin/false")
    gi.Gimp.said.clear()
    gi.Gimp.bar.clear()
    return gi.Gimp


@pytest.fixture
def grey(photo):
    return np.ascontiguousarray(photo[:60, :80, 0])


def image(gimp, array, canvas=None, at=(0, 0), precision="U8_NON_LINEAR", alpha=None):
    """(image, layer) with the array [H, W] (grey) or [H, W, 3], u8."""
    height, width = array.shape[:2]
    base = "GRAY" if array.ndim == 2 else "RGB"
    made = gimp.Image(*(canvas or (width, height)), gimp.ImageBaseType[base], gimp.Precision[precision])
    kind = gimp.ImageType[f"{base}{'A' * (alpha is not None)}_IMAGE"]
    layer = gimp.Layer(made, "photo", width, height, kind, gimp.LayerMode.NORMAL)
    layer.array[..., :3] = (array if array.ndim == 3 else array[..., None]) / 255
    layer.array[..., 3] = 1 if alpha is None else alpha / 255
    layer.set_offsets(*at)
    made.layers.append(layer)
    return made, layer


def run(gimp, task, made, drawables, **given):
    """(status name, error or the returned layer)"""
    plugin = gimp.plugins[0]
    procedure = plugin.do_create_procedure(f"plug-in-pincel-{task}")
    config = procedure.config(**{name.replace("_", "-"): value for name, value in given.items()})
    values = procedure.run(procedure, gimp.RunMode.NONINTERACTIVE, made, drawables, config, procedure.data)
    return values[0].name, values[1]


def u8(layer):
    return np.rint(layer.array[..., :3] * 255)


def names(layers):
    return [layer.name for layer in layers]


def test_every_task_is_a_procedure(gimp):
    plugin = gimp.plugins[0]
    assert plugin.do_query_procedures() == [f"plug-in-pincel-{name}" for name in TASKS]
    assert plugin.help[0] == "pincel" and plugin.do_set_i18n("x") is False


def test_colorize(gimp, grey):
    made, layer = image(gimp, grey)
    status, result = run(gimp, "colorize", made, [layer], seed=4)
    assert (status, result.name, names(made.layers)) == (
        "SUCCESS",
        "Colorize Photo, seed 4",
        ["Colorize Photo, seed 4", "photo"],
    )
    assert made.base == gimp.ImageBaseType.RGB and made.log == ["start", "end"] and made.chosen == [result]
    assert np.array_equal(np.rint(u8(result) @ LUMA), grey)
    assert gimp.bar[0] == "Pincel: Colorize Photo" and gimp.bar[-1] == "end"


@pytest.mark.parametrize("precision", ["U8_NON_LINEAR", "U16_NON_LINEAR", "FLOAT_NON_LINEAR"])
def test_precisions(gimp, grey, precision):
    made, layer = image(gimp, np.dstack([grey] * 3), precision=precision)
    status, result = run(gimp, "colorize", made, [layer])
    assert status == "SUCCESS"
    assert np.abs(result.array[..., :3] @ LUMA - layer.array[..., 0]).max() < {"U8_NON_LINEAR": 0.5 / 255}.get(
        precision, 1e-4
    )


def test_selection_offset_group_and_mask(gimp, grey):
    made, layer = image(gimp, np.dstack([grey] * 3), canvas=(100, 100), at=(-10, 20))
    group = gimp.GroupLayer.new(made, "G")
    made.layers[:] = [group]
    group.children.append(layer)
    layer.parent = group
    layer.add_mask(layer.create_mask(gimp.AddMaskType.WHITE))
    layer.mask.array[:, :30] = 0.5
    made.selection = (0, 30, 40, 60)
    status, result = run(gimp, "colorize", made, [layer.mask])
    assert status == "SUCCESS" and names(group.children) == ["Colorize Photo, seed 0", "photo"]
    assert (result.offsets, result.array.shape[:2]) == ((0, 30), (30, 40))
    assert np.array_equal(np.rint(u8(result) @ LUMA), grey[10:40, 10:50])
    assert np.allclose(result.mask.array[:, :20, 0], 0.5, atol=0.01) and np.allclose(result.mask.array[:, 20:, 0], 1)


def test_replace_new_image_colour_layer_and_variants(gimp, grey):
    photo = np.dstack([grey] * 3)
    made, layer = image(gimp, photo)
    made.selection = (20, 10, 50, 40)
    assert run(gimp, "colorize", made, [layer], place="replace", saturation=3.0) == ("SUCCESS", layer)
    changed = (u8(layer) != photo).any(-1)
    assert changed[10:40, 20:50].mean() > 0.5 and changed.sum() == changed[10:40, 20:50].sum()
    made, layer = image(gimp, grey)
    status, result = run(gimp, "colorize", made, [layer], place="new-image", variants=2)
    assert status == "SUCCESS" and names(made.layers) == ["photo"] and made.base == gimp.ImageBaseType.GRAY
    assert [c.visible for c in result.children] == [True, False] and result.image is not made
    status, result = run(gimp, "colorize", made, [layer], place="color-layer")
    assert result.mode == gimp.LayerMode.LCH_COLOR


@pytest.mark.parametrize("later", [None, (0, 0, 25, 20), (50, 30, 80, 60)], ids=["none", "over", "elsewhere"])
@pytest.mark.parametrize("first", [None, (20, 10, 50, 40)], ids=["all", "part"])
def test_what_was_selected_when_the_layer_was_read_counts(gimp, grey, monkeypatch, first, later):
    photo = np.dstack([grey] * 3)
    left, top, right, bottom = first or (0, 0, 80, 60)
    for place in ("replace", "layer"):
        made, layer = image(gimp, photo, canvas=(90, 70))
        made.selection = first
        monkeypatch.setattr(gimp, "progress_init", lambda text, made=made: setattr(made, "selection", later))
        status, result = run(gimp, "colorize", made, [layer], place=place, saturation=3.0)
        assert status == "SUCCESS", result
        assert (made.selection, made.channels, made.log) == (later, [], ["start", "end"])
        if place == "replace":
            changed = (u8(layer) != photo).any(-1)
            assert changed[top:bottom, left:right].mean() > 0.5
            assert changed.sum() == changed[top:bottom, left:right].sum()
        else:
            assert (result.mask is None) == (first is None)
            assert first is None or (result.mask.array == 1).all()


def test_a_picture_beyond_the_selection_is_masked_there(gimp):
    """What is drawn from nothing lies over the selection's middle, and may be larger than it."""
    made = gimp.Image(60, 50, gimp.ImageBaseType.RGB, gimp.Precision.U8_NON_LINEAR)
    made.selection = (4, 30, 14, 40)
    status, result = run(gimp, "generate", made, [], size=16)
    assert status == "SUCCESS", result
    (x, y), inside = result.offsets, np.zeros((16, 16), bool)
    inside[30 - y : 40 - y, 4 - x : 14 - x] = True
    assert result.array.shape[:2] == (16, 16) and (x, y) == (1, 27)
    assert np.array_equal(result.mask.array[..., 0] > 0, inside)


def test_upscale_with_a_selection_and_a_growing_canvas(gimp, grey):
    made, layer = image(gimp, grey)
    made.selection = (70, 50, 80, 60)
    status, result = run(gimp, "upscale", made, [layer], scale=2.0, grow=True)
    assert (status, result.array.shape[:2], result.offsets) == ("SUCCESS", (20, 20), (70, 50))
    assert (made.width, made.height) == (90, 70) and result.mask.array.shape[:2] == (20, 20)
    assert made.base == gimp.ImageBaseType.GRAY


def test_colours_below_the_lines(gimp, grey):
    made, layer = image(gimp, np.where(grey > 128, 255, 0).astype(np.uint8))
    status, result = run(gimp, "sketch", made, [layer], place="below")
    assert status == "SUCCESS", result
    assert names(made.layers)[0] == "photo" and layer.mode == gimp.LayerMode.MULTIPLY


def test_hints_come_from_where_they_lie(gimp, grey):
    made, layer = image(gimp, np.dstack([grey] * 3), at=(5, 5))
    hints = gimp.Layer(made, "hints", 12, 12, gimp.ImageType.RGBA_IMAGE, gimp.LayerMode.NORMAL)
    hints.array[:] = (1, 0, 0, 1)
    hints.set_offsets(0, 0)
    made.layers.insert(0, hints)
    assert run(gimp, "colorize", made, [layer], hints=hints)[0] == "SUCCESS"
    hints.kind = gimp.ImageType.RGB_IMAGE
    status, sentence = run(gimp, "colorize", made, [layer], hints=hints)
    assert status == "EXECUTION_ERROR" and "has no alpha channel" in sentence


def test_grey_hints_are_remarked_on(gimp, grey):
    made, layer = image(gimp, grey)
    hints = gimp.Layer(made, "hints", 12, 12, gimp.ImageType.GRAYA_IMAGE, gimp.LayerMode.NORMAL)
    hints.array[:] = (0.5, 0.5, 0.5, 1)
    made.layers.insert(0, hints)
    assert run(gimp, "colorize", made, [layer], hints=hints)[0] == "SUCCESS"
    assert gimp.said == [
        "The layer hints is grey, so it asks for greys. For colours choose Image > Mode > RGB before you paint."
    ]


REFUSED = {
    "no layer": (lambda g, img, layer: [], {}, "0 layers are selected. Select the one layer"),
    "a channel": (lambda g, img, layer: [g.Channel(img, "C", 3, 3)], {}, "C is a channel, not a layer."),
    "elsewhere": (lambda g, img, layer: setattr(img, "selection", (90, 90, 95, 95)), {}, "does not touch the layer."),
    "indexed": (lambda g, img, layer: setattr(img, "base", g.ImageBaseType.INDEXED), {}, "This image is indexed"),
    "locked": (lambda g, img, layer: setattr(layer, "locked", True), {"place": "replace"}, "of photo are locked."),
    "network": (lambda g, img, layer: None, {"generator": "none.such"}, "none.such"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_leave_the_image_alone(gimp, grey, case):
    made, layer = image(gimp, np.dstack([grey] * 3), canvas=(100, 100))
    change, given, sentence = REFUSED[case]
    drawables = change(gimp, made, layer)
    status, said = run(gimp, "colorize", made, [layer] if drawables is None else drawables, **given)
    assert status == "EXECUTION_ERROR" and sentence in said and said.endswith(".")
    assert made.layers == [layer] and made.log == []


@pytest.mark.parametrize("broken", ["insert_layer", "get_item_position", "set_selected_layers", "convert_rgb"])
def test_the_undo_group_is_closed_whatever_breaks(gimp, grey, broken):
    made, layer = image(gimp, grey)
    made.breaks = broken
    status, said = run(gimp, "colorize", made, [layer])
    assert status == "EXECUTION_ERROR" and f"{broken} broke" in said and "pincel doctor" in said
    assert made.log == ["start", "end"]


def test_no_engine_and_none_that_starts(gimp, grey, monkeypatch, tmp_path):
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", str(tmp_path))
    made, layer = image(gimp, grey)
    status, said = run(gimp, "colorize", made, [layer])
    assert (
        status == "EXECUTION_ERROR" and said.startswith("The engine ended as it started") and "`pincel serve`" in said
    )
    monkeypatch.delenv("PINCEL_ENGINE")
    monkeypatch.setenv("FLATPAK_ID", "org.gimp.GIMP")
    status, said = run(gimp, "colorize", made, [layer])
    assert said == (
        "No engine is running, and a program inside a flatpak cannot start one outside. "
        "Run `pincel serve` in a terminal, then try again."
    )
    assert made.layers == [layer] and made.log == []
