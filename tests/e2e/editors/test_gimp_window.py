"""GIMP 3 with its window, used as a person does it: menu search, dialog, progress, Cancel, Undo, Redo. Keeps screenshots.

$PINCEL_TEST_SHOTS names the folder for them; else they go to the test's own.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.editors import gimp as real
from tests.e2e.editors.engines import Engine, environment, until
from tests.e2e.editors.pictures import Pictures

MAIN = r"\[.*\]|GNU Image|– GIMP"


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    _, why = real.where()
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    if why or missing:
        pytest.skip(why or f"{' and '.join(missing)} not installed")
    folder = tmp_path_factory.mktemp("window")
    environ = environment(folder, Path(os.environ["PINCEL_MODELS"]))
    engine = Engine(environ)
    engine.start()
    gimp = real.Gimp(folder, environ, window=True)
    gimp.engine = engine
    yield gimp
    gimp.close()
    engine.stop()


@pytest.fixture(scope="module")
def shots(window):
    folder = Path(os.environ.get("PINCEL_TEST_SHOTS") or window.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def photo(window):
    from skimage import data

    pictures = Pictures(window)
    pictures.new(np.ascontiguousarray(data.camera()[..., None]))
    window.do("img.clean_all(); display = Gimp.Display.new(img); Gimp.displays_flush()")
    yield pictures
    window.do("img.clean_all(); display.delete()")


def choose(window, words, title):
    """A command by GIMP's search, "/", and its dialog."""
    screen = window.screen
    screen.focus(MAIN)
    screen.do("mousemove", "500", "500", "key", "slash")
    screen.focus("^Search Actions$")
    screen.do("type", "--delay", "40", words)
    screen.do("sleep", "1", "key", "Return")
    return screen.focus(f"^{title}$")


def images(window):
    return window.ask("names(img.get_layers())")


def fingerprint(pictures):
    channels = 1 if pictures.gimp.ask("img.get_base_type().value_nick") == "gray" else 3
    array, facts = pictures.take("img.get_layers()[-1]", channels)
    return channels, facts, array.tobytes()


def test_from_the_menu_through_the_dialog_and_one_undo(photo, window, shots):
    before = fingerprint(photo)
    choose(window, "colorize photo", "Colorize Photo")
    window.screen.do("windowmove", window.screen.window("^Colorize Photo$"), "270", "190", "sleep", "1")
    window.screen.shot(shots / "dialog.png")
    window.screen.do("key", "Return")
    until(lambda: images(window) == ["Colorize Photo, seed 0", "photo"], "the new layer")
    window.screen.do("sleep", "1")
    window.screen.shot(shots / "after.png")
    after = window.ask("img.get_base_type().value_nick")
    window.screen.focus(MAIN)
    window.screen.do("key", "ctrl+z")
    until(lambda: images(window) == ["photo"], "undo")
    assert fingerprint(photo) == before and after == "rgb"
    window.screen.do("key", "ctrl+y")
    until(lambda: images(window) == ["Colorize Photo, seed 0", "photo"], "redo")
    window.screen.do("key", "ctrl+z")
    until(lambda: images(window) == ["photo"], "undo")
    assert fingerprint(photo) == before


def test_cancel_in_the_status_bar(photo, window, shots):
    before = fingerprint(photo)
    choose(window, "upscale", "Upscale")
    window.screen.do("key", "Return")
    until(window.engine.working, "the job's start")
    until(lambda: computing(window), "the first tile")
    window.screen.do("sleep", "1")
    window.screen.shot(shots / "progress.png")
    # The button is the last thing in the status bar.
    words = window.screen.do("getwindowgeometry", "--shell", window.screen.window(MAIN))
    size = dict(word.split("=") for word in words)
    place = (str(int(size["X"]) + int(size["WIDTH"]) - 52), str(int(size["Y"]) + int(size["HEIGHT"]) - 18))
    window.screen.do("mousemove", *place, "click", "1")
    until(lambda: not window.engine.working(), "the job's end", patience=5.0)
    window.screen.do("sleep", "1")
    assert images(window) == ["photo"] and fingerprint(photo) == before


def computing(window):
    """Whether a worker has begun (not only loaded its network)."""
    with window.engine.session() as session:
        return any(worker["state"] == "busy" for worker in session.status()["workers"])
