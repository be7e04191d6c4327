"""The real GIMP 2.10 console, as Debian ships it without Python: the gimpfu plug-in over ctypes, by its pixels."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.color import deltaE_ciede2000, rgb2lab

from engine.client import controls
from engine.client.options import TASKS
from tests.e2e.editors import drawing
from tests.e2e.editors.engines import Engine, environment
from tests.e2e.editors.pictures import LUMA
from tests.house.tree import ROOT


def why_not():
    program = shutil.which("gimp-console-2.10") or shutil.which("gimp-console")
    if program is None:
        return "GIMP is not installed"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return "" if "version 2.10" in said else f"GIMP here is not 2.10: {said.strip()}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    if why_not():
        pytest.skip(why_not())
    folder = tmp_path_factory.mktemp("gimp210")
    environ = environment(folder)
    profile = folder / "home/.config/GIMP/2.10"
    profile.mkdir(parents=True)
    install = [sys.executable, "-m", "engine", "install", "gimp", "--folder", str(profile)]
    subprocess.run(install, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    engine = Engine(environ)
    engine.start()
    yield folder, {**environ, "HOME": str(folder / "home"), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    engine.stop()


def scheme(task, **given):
    """A call of the procedure on `image` and `layer` in Script-Fu."""
    words = []
    for control in controls.controls(TASKS[task]):
        value = given.get(control.name, control.default)
        if control.kind == "choice":
            value = [v for v, _ in control.choices].index(value)
        if control.kind in ("layer", "generator", "numbers"):
            words.append(f'"{value or ""}"')  # a layer's name
        else:
            words.append(str(int(value) if control.kind in ("bool", "choice") else float(value)))
    return f"(plug-in-pincel-{task} RUN-NONINTERACTIVE image layer {' '.join(words)})"


def run(stage, array, *commands):
    """(what the image looks like afterwards as an array, what GIMP printed) for Script-Fu on a picture."""
    folder, environ = stage
    Image.fromarray(array).save(folder / "in.png")
    out = folder / "out.png"
    out.unlink(missing_ok=True)
    script = f"""
(let* ((image (car (gimp-file-load RUN-NONINTERACTIVE "{folder}/in.png" "in.png")))
       (layer (car (gimp-image-get-active-layer image))))
  {" ".join(commands)}
  (let ((seen (car (gimp-image-duplicate image))))
    (if (> (car (gimp-image-get-layers seen)) 1) (gimp-image-merge-visible-layers seen CLIP-TO-IMAGE))
    (file-png-save RUN-NONINTERACTIVE seen (car (gimp-image-get-active-layer seen)) "{out}" "out" 0 9 0 0 0 0 0)))
"""
    done = subprocess.run(
        ["gimp-console", "-idf", "-b", re.sub(r"\s+", " ", script), "-b", "(gimp-quit 1)"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    return np.asarray(Image.open(out).convert("RGB")) if out.exists() else None, said


def test_colorize_a_grey_image(stage, grey):
    seen, said = run(stage, grey, scheme("colorize", seed=7))
    assert seen is not None, said
    assert np.array_equal(np.rint(seen @ LUMA), grey)
    assert np.abs(seen.astype(int) - grey[..., None]).mean() > 1


def test_a_feathered_selection(stage, grey):
    photo = np.repeat(grey[..., None], 3, 2)
    select = "(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 40 30 60 50) (gimp-selection-feather image 4)"
    seen, said = run(stage, photo, select, scheme("colorize", saturation=2.0))
    assert seen is not None, said
    changed = (seen != photo).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed[40:70, 50:90].mean() > 0.9
    assert rows.min() >= 20 and rows.max() < 90 and columns.min() >= 30 and columns.max() < 110
    replaced, said = run(stage, photo, select, scheme("colorize", saturation=2.0, place="replace"))
    assert np.array_equal(replaced[~changed], photo[~changed]), said


def test_upscale_a_layer_with_the_canvas(stage, grey):
    seen, said = run(stage, grey[:40, :52], scheme("upscale", scale=2.0, grow=True))
    assert seen is not None and seen.shape == (80, 104, 3), said


@pytest.mark.parametrize("place", ["layer", "below"])
def test_colour_line_art_by_hints_in_a_layer_of_that_name(stage, place):
    lines, strokes = drawing.line_art(), drawing.hints()
    Image.fromarray(strokes).save(stage[0] / "strokes.png")
    hints = f"""
(let ((hints (car (gimp-file-load-layer RUN-NONINTERACTIVE image "{stage[0]}/strokes.png"))))
  (gimp-image-insert-layer image hints 0 0)
  (gimp-item-set-name hints "strokes")
  (gimp-item-set-visible hints FALSE))
"""
    drawn = np.repeat(lines[..., None], 3, 2)
    seen, said = run(stage, drawn, hints, scheme("sketch", hints="strokes", place=place))
    assert seen is not None, said
    assert (seen[lines == 0] == 0).all()
    paper = (strokes[..., 3] > 0) & (lines == 255)
    off = deltaE_ciede2000(rgb2lab(seen[paper]), rgb2lab(strokes[..., :3][paper]))
    assert off.mean() < 1 and off.max() < 2


def test_an_indexed_image_gets_a_sentence(stage, grey):
    convert = '(gimp-image-convert-indexed image CONVERT-DITHER-NONE CONVERT-PALETTE-GENERATE 16 FALSE FALSE "")'
    seen, said = run(stage, grey, convert, scheme("colorize"))
    assert seen is None and "Choose Image > Mode > RGB" in said


REFUSED = {
    "an enlarged part": (
        "(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 40 30 60 50)",
        "upscale",
        "A selected part cannot be replaced by an enlarged one.",
    ),
    "locked pixels": ("(gimp-item-set-lock-content layer TRUE)", "colorize", "The pixels of Background are locked."),
    "a group": (
        """(let ((group (car (gimp-layer-group-new image))))
             (gimp-image-insert-layer image group 0 0)
             (gimp-image-reorder-item image layer group 0)
             (set! layer group))""",
        "colorize",
        "The pixels of a layer group cannot be replaced.",
    ),
    "a channel": (
        '(set! layer (car (gimp-channel-new image 160 120 "C" 50 \'(0 0 0)))) (gimp-image-insert-channel image layer 0 0)',
        "colorize",
        "C is a channel, not a layer.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_succeed_gets_a_sentence(stage, grey, case):
    first, task, sentence = REFUSED[case]
    seen, said = run(stage, grey, first, scheme(task, place="replace"))
    assert seen is None and sentence in said


def test_for_a_mask_its_layer_is_meant(stage, grey):
    masked = """(let ((mask (car (gimp-layer-create-mask layer ADD-MASK-WHITE))))
                  (gimp-layer-add-mask layer mask) (set! layer mask))"""
    seen, said = run(stage, np.repeat(grey[..., None], 3, 2), masked, scheme("colorize"))
    assert seen is not None, said
    assert np.array_equal(np.rint(seen @ LUMA), grey)


FIRST = "(gimp-image-select-ellipse image CHANNEL-OP-REPLACE 40 30 60 50) (gimp-selection-feather image 8)"
# What the user does while the engine works: in Script-Fu, and as the plug-in itself can do it.
LATER = {
    "none": ("(gimp-selection-none image)", "pdb.gimp_selection_none(image)"),
    "another": (
        "(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 70 10 50 60) (gimp-selection-feather image 5)",
        "pdb.gimp_image_select_rectangle(image, 2, 70, 10, 50, 60); pdb.gimp_selection_feather(image, 5)",
    ),
}
# The selection, as GIMP's message: the mean and spread of its values.
TELL = """(let ((seen (gimp-drawable-histogram (car (gimp-image-get-selection image)) HISTOGRAM-VALUE 0 1)))
            (gimp-message (string-append "selected " (number->string (car seen)) " " (number->string (cadr seen)))))"""


@pytest.fixture
def meanwhile(stage):
    """A function: have the installed plug-in itself do something when the engine is through."""
    program = stage[0] / "home/.config/GIMP/2.10/plug-ins/pincel_210/pincel_210.py"
    kept, inserts = program.read_text(), "        made = insert("
    assert kept.count(inserts) == 1
    yield lambda code: program.write_text(kept.replace(inserts, f"        {code}\n{inserts}"))
    program.write_text(kept)


@pytest.mark.parametrize("precision", ["PRECISION-U8-GAMMA", "PRECISION-U16-LINEAR"])
@pytest.mark.parametrize("later", LATER)
def test_what_was_selected_when_the_layer_was_read_counts(stage, grey, meanwhile, later, precision):
    photo = np.repeat(grey[..., None], 3, 2)
    deep = f"(gimp-image-convert-precision image {precision})" if precision != "PRECISION-U8-GAMMA" else ""
    theirs, code = LATER[later]
    for place in ("replace", "layer"):
        work = scheme("colorize", saturation=2.0, place=place)
        expected, said = run(stage, photo, deep, FIRST, work, theirs, TELL)
        wanted = re.search("selected .*", said)[0]
        meanwhile(code)
        after, said = run(stage, photo, deep, FIRST, work, TELL)
        meanwhile("pass")
        assert after is not None and re.search("selected .*", said)[0] == wanted, said
        # What was selected is kept in 8 bits, which in deeper images may round another way.
        assert np.abs(after.astype(int) - expected).max() <= (1 if deep else 0)
        assert np.array_equal((after != photo).any(-1), (expected != photo).any(-1)) or deep
        assert (after[45:65, 60:80] != photo[45:65, 60:80]).any(-1).mean() > 0.9


@pytest.mark.parametrize("scale", [1, 2])
def test_a_layers_own_mask_hides_in_the_result_what_it_hides(stage, grey, scale):
    masked = """(gimp-image-select-rectangle image CHANNEL-OP-REPLACE 0 0 80 120)
                (gimp-layer-add-alpha layer)
                (gimp-layer-add-mask layer (car (gimp-layer-create-mask layer ADD-MASK-SELECTION)))
                (gimp-image-select-rectangle image CHANNEL-OP-REPLACE 60 0 60 120)"""
    bare = (
        "(gimp-layer-remove-mask layer MASK-DISCARD) (gimp-selection-none image) (gimp-drawable-fill layer FILL-WHITE)"
    )
    work = scheme("upscale", scale=2.0) if scale == 2 else scheme("colorize")
    photo = np.repeat(grey[..., None], 3, 2)
    seen, said = run(stage, photo, masked, work, bare)
    assert seen is not None, said
    shown = (seen < 250).any(-1)  # where the result hides, the layer below is white now
    right = 60 + scale * 20
    assert not shown[:, :60].any() and not shown[:, right + 1 :].any()
    assert shown[:, 60 : right - 1].mean() > 0.95
    if scale == 1:
        assert np.array_equal(np.rint(seen @ LUMA)[:, 60:80], grey[:, 60:80])
