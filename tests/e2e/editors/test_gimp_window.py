"""GIMP 3 with its window, used as a person does it: menu search, dialog, progress, Cancel, Undo, Redo. Keeps screenshots.

$PINCEL_TEST_SHOTS names the folder for them; else they go to the test's own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.editors import gimp as real
from tests.e2e.editors.engines import Engine, environment, until
from tests.e2e.editors.pictures import Pictures

SIZE = ("1100", "780")  # of GIMP's window, the Layers dialog docked in it
AREA = (0, 0, 1100, 780)
CANCEL = ("800", "762")  # the button at the end of its status bar
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
    catch_pages(folder)
    gimp = real.Gimp(folder, environ, window=True)
    gimp.engine = engine
    yield gimp
    gimp.close()
    engine.stop()


def catch_pages(folder):
    """What would show a page in a browser writes down its address."""
    share = folder / "home/.local/share/applications"
    share.mkdir(parents=True)
    script = folder / "browser"
    script.write_text(f'#!/bin/sh\necho "$1" > {folder}/opened\n')
    script.chmod(0o755)
    (share / "catch.desktop").write_text(
        f"[Desktop Entry]\nType=Application\nName=Catch\nExec={script} %u\nMimeType=text/html;x-scheme-handler/file;\n"
    )
    kinds = "".join(
        f"{kind}=catch.desktop\n" for kind in ("text/html", "x-scheme-handler/file", "x-scheme-handler/https")
    )
    (share / "mimeapps.list").write_text(f"[Default Applications]\n{kinds}")


@pytest.fixture(scope="module")
def shots(window):
    folder = Path(os.environ.get("PINCEL_TEST_SHOTS") or window.folder)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def photo(request, window):
    from skimage import data

    pictures, larger = Pictures(window), getattr(request, "param", 1)
    pictures.new(np.ascontiguousarray(data.camera().repeat(larger, 0).repeat(larger, 1)[..., None]))
    window.do("img.clean_all(); display = Gimp.Display.new(img); Gimp.displays_flush()")
    main = window.screen.focus(MAIN)
    window.screen.do("windowsize", main, *SIZE, "key", "ctrl+l", "sleep", "1")
    yield pictures
    window.do("img.clean_all(); display.delete()")


def choose(window, words, title):
    """A command by GIMP's search, "/", and its dialog."""
    screen = window.screen
    for _ in range(4):
        screen.focus(MAIN)
        screen.do("mousemove", "500", "400", "key", "slash")
        with contextlib.suppress(TimeoutError):
            screen.window("^Search Actions$", 8)
            break
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
    window.screen.do("mousemove", "426", "12", "click", "1", "sleep", "2", "key", "Up", "sleep", "1", "key", "Right")
    window.screen.do("sleep", "2")
    window.screen.shot(shots / "menu.png", AREA)  # Filters > Pincel
    window.screen.do("key", "Escape", "key", "Escape", "key", "Escape", "sleep", "1")
    choose(window, "colorize photo", "Colorize Photo")
    window.screen.do("windowmove", window.screen.window("^Colorize Photo$"), "330", "200", "sleep", "4")
    window.screen.shot(shots / "dialog.png", AREA)
    window.screen.do("key", "Return")
    until(lambda: images(window) == ["Colorize Photo, seed 0", "photo"], "the new layer")
    window.screen.do("sleep", "1")
    window.screen.shot(shots / "after.png", AREA)
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


@pytest.mark.parametrize("photo", [4], indirect=True)  # work enough that nobody is too late
def test_cancel_in_the_status_bar(photo, window, shots):
    before = fingerprint(photo)
    choose(window, "upscale", "Upscale")
    window.screen.do("key", "Return")
    until(window.engine.working, "the job's start")
    until(lambda: computing(window), "the first tile")
    window.screen.do("sleep", "4")
    window.screen.shot(shots / "progress.png", AREA)
    window.screen.do("mousemove", *CANCEL, "click", "1")
    until(lambda: not window.engine.working(), "the job's end", patience=5.0)
    window.screen.do("sleep", "1")
    assert images(window) == ["photo"] and fingerprint(photo) == before


def test_an_indexed_image_gets_an_offer(photo, window, shots):
    window.do(
        "img.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, '')\n"
        "Gimp.displays_flush()"
    )
    choose(window, "colorize photo", "Pincel")
    window.screen.do("sleep", "1")
    window.screen.shot(shots / "indexed.png", AREA)
    window.screen.do("key", "Escape")
    window.screen.do("sleep", "2")
    assert window.ask("img.get_base_type().value_nick") == "indexed" and images(window) == ["photo"]
    choose(window, "colorize photo", "Pincel")
    window.screen.do("key", "Return")
    window.screen.focus("^Colorize Photo$")
    window.screen.do("key", "Return")
    until(lambda: images(window) == ["Colorize Photo, seed 0", "photo"], "the new layer")
    assert window.ask("img.get_base_type().value_nick") == "rgb"
    window.screen.focus(MAIN)
    window.screen.do("key", "ctrl+z")
    until(lambda: images(window) == ["photo"], "undo")
    assert window.ask("img.get_base_type().value_nick") == "indexed"


def test_help_opens_our_page(photo, window):
    opened = window.folder / "opened"
    choose(window, "colorize photo", "Colorize Photo")
    window.screen.do("key", "alt+h")
    try:
        address = until(lambda: opened.exists() and opened.read_text().strip(), "the page")
    finally:
        window.screen.focus("^Colorize Photo$")
        window.screen.do("key", "Escape", "sleep", "1")
    assert address.endswith("plug-ins/pincel/help/en/index.html#colorize")


def computing(window):
    """Whether a worker has begun (not only loaded its network)."""
    with window.engine.session() as session:
        return any(worker["state"] == "busy" for worker in session.status()["workers"])
