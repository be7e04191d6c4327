"""The plug-in for GIMP 2.10 over a gimpfu that holds images in memory, under this Python and under 2.7 where there is one."""

from __future__ import annotations

import ast
import glob
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.client.options import TASKS
from engine.install import common
from engine.install.gimp import EDITOR
from tests.house.tree import ROOT
from tests.server.harness import EngineProcess

LUMA = np.array([0.299, 0.587, 0.114])


def python27():
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    return next(iter(sorted(glob.glob(f"{root}/versions/2.7.*/bin/python"))), None)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    process = EngineProcess(tmp_path_factory.mktemp("engine"), real=True)
    yield process
    process.finish()


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    return common.install(EDITOR, EDITOR.named(tmp_path_factory.mktemp("profile") / "2.10"))


@pytest.fixture(params=["this Python", "2.7"])
def run(request, engine, plugin, tmp_path):
    python = sys.executable if request.param == "this Python" else python27()
    if python is None:
        pytest.skip("this machine has no Python 2.7")

    def run(task, array, selection=None, at=(0, 0), kind="layer", locked=False, shown=None, later=None, **values):
        raw = tmp_path / "raw"
        raw.write_bytes(array.tobytes())
        asked = {"task": task, "values": values, "raw": str(raw), "selection": selection, "at": at}
        asked.update(kind=kind, locked=locked, shown=shown, later=later)
        asked.update(width=array.shape[1], height=array.shape[0], grey=array.ndim == 2)
        environ = {k: v for k, v in engine.environ.items() if not k.startswith("PYTHON")}
        script = ROOT / "tests/plugins/run_gimpfu.py"
        done = subprocess.run(
            [python, "-B", script, ROOT / "tests/fakes", plugin, json.dumps(asked)],
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        if "error" in said:
            return said, None
        out = np.frombuffer(Path(f"{raw}.out").read_bytes(), np.uint8)
        if out.size:
            out = out.reshape(said["size"][1], said["size"][0], said["channels"])
        return said, out

    return run


@pytest.fixture
def grey(photo):
    return np.ascontiguousarray(photo[:60, :80, 0])


def test_a_grey_image_becomes_coloured(run, grey):
    said, out = run("colorize", grey, seed=3.0)
    assert said["menu"] == "<Image>/Filters/Pincel" and said["label"] == "Colorize Photo..."
    assert said["procedures"] == sorted(f"plug-in-pincel-{name}" for name in TASKS)
    assert said["layers"] == ["Colorize Photo, seed 3", "photo"] and said["undo"] == ["start", "end"]
    assert np.array_equal(np.rint(out @ LUMA), grey)
    assert any("Computing" in text or "Loading" in text or "Pincel" in text for text in said["bar"])


def test_a_selection_on_a_layer_with_an_offset(run, grey):
    said, _ = run("colorize", np.dstack([grey] * 3), selection=[15, 15, 45, 40], at=(10, 5), place=1)
    assert (said["size"], said["at"], said["mode"]) == ([30, 25], [15, 15], 26)
    assert said["mask"] == ["mask", 4, [15, 15], 30, 25]


def test_replacing_keeps_what_is_not_selected(run, grey):
    photo = np.dstack([grey] * 3)
    said, out = run("colorize", photo, selection=[20, 10, 50, 40], place=2, saturation=3.0)
    assert said["layers"] == ["photo"]
    changed = (out != photo).any(-1)
    assert changed[10:40, 20:50].mean() > 0.5 and changed.sum() == changed[10:40, 20:50].sum()


def test_upscale_and_the_canvas(run, grey):
    said, _ = run("upscale", grey[:20, :24], scale=2.0, grow=True)
    assert (said["size"], said["canvas"], said["channels"]) == ([48, 40], [48, 40], 1)


def test_variants(run, grey):
    said, _ = run("colorize", grey, variants=2.0)
    assert said["layers"] == ["Colorize Photo (2)", "photo"]
    assert said["children"] == [["Colorize Photo, seed 0", True], ["Colorize Photo, seed 1", False]]


def test_an_error_is_one_sentence(run, grey):
    said, _ = run("colorize", grey, place=2, variants=2.0)
    assert said["error"].startswith("Only one picture can replace") and said["layers"] == ["photo"]
    said, _ = run("colorize", grey, hints="nobody")
    assert said["error"].startswith("There is no layer called nobody.")


REFUSED = {
    "an enlarged part": (
        "upscale",
        {"selection": [10, 10, 40, 40], "place": 1},
        "A selected part cannot be replaced by an enlarged one. Choose Select > None, or a new layer as the result.",
    ),
    "locked pixels": (
        "colorize",
        {"locked": True, "place": 2},
        "The pixels of photo are locked. Unlock them, or choose a new layer.",
    ),
    "a group": (
        "colorize",
        {"kind": "group", "place": 2},
        "The pixels of a layer group cannot be replaced. Choose a new layer as the result, or another layer.",
    ),
    "a channel": ("colorize", {"kind": "channel"}, "the mask is a channel, not a layer. Select the layer to work on."),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_succeed_is_refused_before_the_work(run, grey, case):
    task, given, sentence = REFUSED[case]
    said, _ = run(task, np.dstack([grey] * 3), **given)
    assert said["error"] == sentence
    assert (said["layers"], said["undo"], said["bar"]) == (["photo"], [], [])


def test_gimp_3_refuses_in_the_same_words():
    def words(path):
        tree = ast.parse((ROOT / "plugin_gimp" / path).read_text(encoding="utf-8"))
        [check] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "check"]
        texts = [node.value for node in ast.walk(check) if isinstance(node, ast.Constant)]
        return sorted(text for text in texts if isinstance(text, str) and text[-1:] == "." and text[:5] != "Raise")

    assert words("pincel_210/bridge.py") == words("pincel/results.py")
    assert len(words("pincel/results.py")) == 6


def test_for_a_mask_its_layer_is_meant(run, grey):
    said, out = run("colorize", np.dstack([grey] * 3), kind="mask")
    assert said["layers"] == ["Colorize Photo, seed 0", "photo"]
    assert np.array_equal(np.rint(out @ LUMA), grey)


LATER = {"none": [], "over": [0, 0, 25, 20], "elsewhere": [50, 30, 80, 60]}


@pytest.mark.parametrize("later", LATER)
@pytest.mark.parametrize("first", [None, [20, 10, 50, 40]], ids=["all", "part"])
def test_replaced_is_what_was_selected_when_the_layer_was_read(run, grey, first, later):
    photo = np.dstack([grey] * 3)
    said, out = run("colorize", photo, selection=first, later=LATER[later], place=2, saturation=3.0)
    left, top, right, bottom = first or (0, 0, 80, 60)
    changed = (out != photo).any(-1)
    assert changed[top:bottom, left:right].mean() > 0.5
    assert changed.sum() == changed[top:bottom, left:right].sum()
    assert (said["selection"], said["channels_left"]) == (LATER[later] or None, 0)
    assert said["undo"] == ["start", "end"]


@pytest.mark.parametrize("later", LATER)
def test_a_new_layer_is_masked_by_what_was_selected_when_the_layer_was_read(run, grey, later):
    said, _ = run("colorize", np.dstack([grey] * 3), selection=[15, 15, 45, 40], at=(10, 5), later=LATER[later])
    assert said["mask"] == ["mask", 0, [15, 15], 30, 25]
    assert set(said["values"]) == {255} and said["selection"] == (LATER[later] or None)


@pytest.mark.parametrize("selection", [None, [15, 15, 45, 40]], ids=["all", "part"])
@pytest.mark.parametrize("task", ["colorize", "upscale"])
def test_a_layers_own_mask_hides_in_the_result_what_it_hides(run, grey, task, selection):
    scale = 2 if task == "upscale" else 1
    given = {"scale": 2.0} if task == "upscale" else {}
    shown = [20, 0, 40, 30]
    said, _ = run(task, np.dstack([grey] * 3), selection=selection, at=(10, 5), shown=shown, **given)
    left, top, right, bottom = selection or (10, 5, 90, 65)
    expected = np.zeros((bottom - top, right - left), int)
    expected[max(0, shown[1] - top) : shown[3] - top, max(0, shown[0] - left) : shown[2] - left] = 255
    width, height = scale * (right - left), scale * (bottom - top)
    assert said["mask"][3:] == [width, height] == said["size"]
    assert np.array_equal(np.reshape(said["values"], (height, width)), expected.repeat(scale, 0).repeat(scale, 1))
