"""What goes wrong in a real GIMP 3: each time one sentence with its remedy, an error status, and an image as it was."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.editors.engines import until
from tests.e2e.editors.pictures import Pictures

LONG = {"scale": 8.0, "quality": "best"}  # minutes of work


@pytest.fixture
def pictures(console):
    made = Pictures(console)
    yield made
    console.do("if 'img' in globals(): img.delete(); del img")


@pytest.fixture
def photo(pictures, grey):
    pictures.new(np.ascontiguousarray(np.repeat(grey[..., None], 3, 2)))
    return pictures


def unharmed(pictures):
    assert pictures.gimp.ask("[names(img.get_layers()), img.get_base_type().value_nick]")[0][-1] == "photo"
    return len(pictures.tree()) == 1


class Aside:
    """A procedure that runs while the test goes on."""

    def __init__(self, pictures, task, **given):
        self.said = None
        self.thread = threading.Thread(target=self._run, args=(pictures, task, given), daemon=True)
        self.thread.start()

    def _run(self, pictures, task, given):
        self.said = pictures.run(task, **given)

    def end(self):
        self.thread.join(60)
        assert self.said is not None, "the procedure does not return"
        return self.said


def plugin_processes(gimp):
    """The process ids of that GIMP's running plug-ins: a chroot's are ours to see too."""
    program = str(gimp.profile / "plug-ins/pincel/pincel.py").encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if program in words[:3] and b"-run" in words:
            found.append(int(folder.name))
    return found


def test_the_plugin_starts_the_engine_itself(photo, nobody):
    assert photo.run("colorize") == ["success", ""]
    assert nobody.answers()


def test_no_engine_and_none_to_be_started(photo, nobody):
    command = photo.gimp.profile / "plug-ins/pincel/pincel_client/engine-command.json"
    kept = command.read_text()
    command.unlink()
    try:
        status, sentence = photo.run("colorize")
    finally:
        command.write_text(kept)
    assert status == "execution-error"
    assert sentence == (
        "The program `pincel` was not found. "
        "Install Pincel, or set PINCEL_ENGINE to the full path of its `pincel` command."
    )
    assert unharmed(photo)


def test_an_engine_that_does_not_start(photo, nobody):
    command = photo.gimp.profile / "plug-ins/pincel/pincel_client/engine-command.json"
    kept = command.read_text()
    command.write_text('["/bin/false"]')
    try:
        status, sentence = photo.run("colorize")
    finally:
        command.write_text(kept)
    assert status == "execution-error"
    assert sentence.startswith("The engine ended as it started (status 1).") and "pincel serve" in sentence
    assert unharmed(photo)


def test_the_engine_is_killed_in_the_middle(photo, engine):
    work = Aside(photo, "upscale", **LONG)
    until(engine.working, "the job's start")
    engine.kill()
    status, sentence = work.end()
    assert status == "execution-error"
    assert "engine" in sentence and sentence.endswith(".")
    assert unharmed(photo)
    assert photo.run("colorize") == ["success", ""]  # and the next one finds or starts another


def test_cancel_is_the_death_of_the_plugin_and_the_job_ends_within_a_second(photo, engine):
    work = Aside(photo, "upscale", **LONG)
    until(engine.working, "the job's start")
    [process] = plugin_processes(photo.gimp)
    os.kill(process, signal.SIGKILL)  # what GIMP's Cancel button does
    died = time.monotonic()
    until(lambda: not engine.working(), "the job's end", patience=5.0)  # a busy machine; see what is printed
    print(f"the engine dropped the job after {time.monotonic() - died:.2f} s")
    assert work.end()[0] != "success"
    assert unharmed(photo)
    assert photo.run("colorize") == ["success", ""]


def test_an_indexed_image_is_explained_and_converted_when_asked(photo, engine):
    photo.gimp.do(
        "img.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, '')"
    )
    status, sentence = photo.run("colorize")
    assert status == "execution-error"
    assert sentence == (
        "This image is indexed: its palette cannot hold the result. Choose Image > Mode > RGB, "
        "or have Pincel do it (convert-indexed), or let the result be a new image."
    )
    assert photo.gimp.ask("img.get_base_type().value_nick") == "indexed" and unharmed(photo)
    assert photo.run("colorize", place="new-image") == ["success", ""]
    assert photo.gimp.ask("img.get_base_type().value_nick") == "indexed" and unharmed(photo)
    photo.gimp.do("made.get_image().delete()")
    assert photo.run("colorize", convert_indexed=True) == ["success", ""]
    assert photo.gimp.ask("img.get_base_type().value_nick") == "rgb"
    assert photo.tree() == ["Colorize Photo, seed 0", "photo"]


BEFORE = {
    "two layers": ("layer(img, 5, 5, T.RGB_IMAGE)", "[l, img.get_layers()[0]]", {}, "2 layers are selected."),
    "a channel": (
        "c = Gimp.Channel.new(img, 'C', 9, 9, 50, Gegl.Color.new('red')); img.insert_channel(c, None, 0)",
        "[c]",
        {},
        "C is a channel, not a layer.",
    ),
    "a selection elsewhere": (
        "l.set_offsets(50, 0); img.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 20, 20)",
        "[l]",
        {},
        "The selection does not touch the layer.",
    ),
    "a locked layer": ("l.set_lock_content(True)", "[l]", {"place": "replace"}, "The pixels of photo are locked."),
    "a group": (
        "g = Gimp.GroupLayer.new(img, 'G'); img.insert_layer(g, None, 0); layer(img, 9, 9, T.RGB_IMAGE, g)",
        "[g]",
        {"place": "replace"},
        "The pixels of a layer group cannot be replaced.",
    ),
    "hints without alpha": (
        "h = layer(img, 9, 9, T.RGB_IMAGE, name='h')",
        "[l]",
        {"hints": "=h"},
        "The layer h has no alpha channel to say where its hints are.",
    ),
    "the layer as its own hints": ("", "[l]", {"hints": "=l"}, "The hints must be another layer of the same image."),
    "several for one place": ("", "[l]", {"place": "replace", "variants": 2}, "Only one picture can replace"),
    "an unknown network": ("", "[l]", {"generator": "rembrandt"}, "rembrandt"),
}


@pytest.mark.parametrize("case", BEFORE)
def test_what_cannot_be_done_is_said(photo, engine, case):
    code, layers, given, sentence = BEFORE[case]
    photo.gimp.do(code)
    before = photo.tree()
    status, said = photo.run("colorize", layers=layers, **given)
    assert status == "execution-error"
    assert sentence in said and said.endswith(".") and len(said) > len(sentence) + 10
    assert photo.tree() == before


def test_a_layer_group_is_read_as_it_is_seen(photo, engine):
    photo.gimp.do("""
g = Gimp.GroupLayer.new(img, "G"); img.insert_layer(g, None, 0)
layer(img, 80, 60, T.RGB_IMAGE, g, (10, 10)).fill(Gimp.FillType.WHITE)
""")
    assert photo.run("upscale", layers="[g]", scale=2.0) == ["success", ""]
    after, facts = photo.take("made", 3)
    assert facts[1:] == [160, 120, 10, 10] and after.min() > 240
