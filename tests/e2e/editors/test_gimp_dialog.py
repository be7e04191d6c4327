"""GIMP's own ProcedureDialog for our tasks: last values, presets, reset, the live list of generators, a layer as hints."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.editors import drawing
from tests.e2e.editors.engines import until


@pytest.fixture
def photo(desk, grey):
    """The desk with a photograph on it, and GIMP without settings of ours."""
    desk.engine.start()
    desk.forget()
    desk.show(np.ascontiguousarray(grey[..., None]))
    yield desk
    desk.forget()
    desk.put_away()


def seeded(desk, seed):
    """A layer with that seed is on top; taken back, so that the next run begins as this one."""
    until(lambda: desk.layers() == [f"Colorize Photo, seed {seed}", "photo"], f"a layer with the seed {seed}")
    desk.key_in_window("ctrl+z", ["photo"])


def fill(desk, seed):
    desk.keys("alt+e", "ctrl+a", *str(seed), "Tab")  # S_eed


def test_last_values_presets_and_reset(photo):
    photo.choose("colorize photo", "Colorize Photo")
    fill(photo, 42)
    photo.keys("alt+o")
    seeded(photo, 42)
    assert photo.saved("colorize", "last")["seed"] == "42"
    # The last values are there the next time, and GIMP's Repeat takes them without asking.
    photo.choose("colorize photo", "Colorize Photo")
    photo.keys("Return")
    seeded(photo, 42)
    photo.key_in_window("ctrl+f", ["Colorize Photo, seed 42", "photo"])
    seeded(photo, 42)
    # Save Settings, then Reset to Factory Defaults.
    photo.choose("colorize photo", "Colorize Photo")
    fill(photo, 7)
    photo.keys("alt+s")
    assert photo.saved("colorize", "default")["seed"] == "7"
    photo.keys("alt+r", "Tab", "Return", "alt+o")
    seeded(photo, 0)
    # Load Saved Settings; and who cancels changes no last values.
    photo.choose("colorize photo", "Colorize Photo")
    fill(photo, 99)
    photo.keys("Escape")
    assert photo.saved("colorize", "last")["seed"] == "0"
    photo.choose("colorize photo", "Colorize Photo")
    photo.keys("alt+l", "alt+o")
    seeded(photo, 7)


def test_the_list_of_generators_is_the_running_engines(photo):
    """What the list offers is read through Save Settings, which writes down the value that is chosen."""
    with photo.engine.session() as session:
        there = {model["name"] for model in session.models if model["task"] == "colorize"}
    photo.choose("colorize photo", "Colorize Photo")
    photo.screen.do("sleep", "1")
    offered = []
    for _ in range(len(there) + 2):
        photo.keys("alt+s")
        offered.append(photo.saved("colorize", "default")["generator"])
        photo.keys("alt+g", "Down")
    photo.keys("Escape")
    assert offered[0] == "auto" and set(offered) == {"auto", *there} and offered[-1] == offered[-2]
    photo.forget()
    photo.engine.stop()
    photo.choose("colorize photo", "Colorize Photo")
    photo.keys("alt+g", "Down", "alt+s")
    assert photo.saved("colorize", "default")["generator"] == "auto"
    photo.keys("Escape")


def test_colour_line_art_below_the_lines_with_hints_chosen_in_the_dialog(desk):
    desk.engine.start()
    desk.forget()
    lines, strokes = drawing.line_art((640, 480)), drawing.hints((640, 480))
    pictures = desk.show(np.ascontiguousarray(np.repeat(lines[..., None], 3, 2)))
    pictures.add("h", strokes, "strokes")
    desk.gimp.do("l.set_name('lines'); img.set_selected_layers([l]); img.clean_all(); Gimp.displays_flush()")
    try:
        before = desk.state()
        dialog = desk.choose("colour line art", "Colour Line Art")
        desk.screen.do("windowmove", dialog, "590", "100", "sleep", "3")
        desk.click(738, 417)  # Hints: Browse...
        desk.screen.focus("^Choose drawable: Hints$")
        desk.click(380, 83)  # strokes
        desk.click(298, 300)  # OK
        desk.screen.focus("^Colour Line Art$")
        desk.click(885, 462)  # Result
        desk.click(795, 494)  # Colours in a layer below the lines
        desk.shot("lines-dialog")
        desk.click(1038, 578)  # OK
        until(lambda: desk.layers() == ["strokes", "lines", "Colour Line Art, seed 0"], "the colours")
        desk.screen.do("sleep", "2")
        desk.shot("lines-after")
        after = desk.state()
        assert [layer[2] for layer in after[-1]] == ["normal", "multiply", "normal"]
        assert after[-1][1][5] == before[-1][1][5]  # the line layer's bytes
        colours, _ = pictures.take("img.get_layers()[2]", 3)
        off = np.abs(colours[strokes[..., 3] > 0].astype(int) - strokes[strokes[..., 3] > 0][:, :3])
        assert off.mean() < 3
        desk.key_in_window("ctrl+z", ["strokes", "lines"])
        assert desk.state() == before
    finally:
        desk.forget()
        desk.put_away()
