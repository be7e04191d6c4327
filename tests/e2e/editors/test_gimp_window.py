"""GIMP 3 with its window, used as a person does it: menu, dialog, progress, Cancel, Undo, Redo, Help. Keeps screenshots."""

from __future__ import annotations

import numpy as np
import pytest

from engine.client.options import TASKS
from tests.e2e.editors.desk import MAIN
from tests.e2e.editors.engines import until

CANCEL = (800, 762)  # the button at the end of the status bar


@pytest.fixture
def photo(request, desk):
    """The desk with a photograph on it."""
    from skimage import data

    larger = getattr(request, "param", 1)
    desk.engine.start()
    desk.forget()
    desk.show(np.ascontiguousarray(data.camera().repeat(larger, 0).repeat(larger, 1)[..., None]))
    yield desk
    desk.put_away()


def test_from_the_menu_through_the_dialog_and_one_undo(photo):
    before = photo.state()
    photo.screen.do("mousemove", "426", "12", "click", "1", "sleep", "2", "key", "Up", "sleep", "1", "key", "Right")
    photo.screen.do("sleep", "2")
    photo.shot("menu")  # Filters > Pincel
    photo.keys("Escape", "Escape", "Escape")
    dialog = photo.choose("colorize photo", "Colorize Photo")
    photo.screen.do("windowmove", dialog, "330", "200", "sleep", "4")
    photo.shot("dialog")
    photo.keys("Return")
    until(lambda: photo.layers() == ["Colorize Photo, seed 0", "photo"], "the new layer")
    photo.screen.do("sleep", "1")
    photo.shot("after")
    after = photo.state()
    assert after[0] == "rgb" and before[0] == "gray"
    photo.key_in_window("ctrl+z", ["photo"])
    assert photo.state() == before
    photo.key_in_window("ctrl+y", ["Colorize Photo, seed 0", "photo"])
    assert photo.state() == after
    photo.key_in_window("ctrl+z", ["photo"])
    assert photo.state() == before


@pytest.mark.parametrize("photo", [6], indirect=True)  # work enough that nobody is too late: 151 megapixels
def test_cancel_in_the_status_bar(photo):
    before = photo.state()
    photo.choose("upscale", "Upscale")
    photo.keys("Return")
    until(photo.engine.working, "the job's start")
    until(lambda: computing(photo), "the first tile")
    photo.screen.do("sleep", "2")
    photo.shot("progress")
    photo.click(*CANCEL)
    until(lambda: not photo.engine.working(), "the job's end", patience=5.0)
    photo.screen.do("sleep", "1")
    assert photo.layers() == ["photo"] and photo.state() == before
    assert "GIMP Message" not in photo.screen.titles()  # who cancelled needs no message


def test_an_indexed_image_gets_an_offer(photo):
    photo.gimp.do(
        "img.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, '')\n"
        "Gimp.displays_flush()"
    )
    before = photo.state()
    photo.choose("colorize photo", "Pincel")
    photo.screen.do("sleep", "1")
    photo.shot("indexed")
    photo.keys("Escape")
    photo.screen.do("sleep", "2")
    assert photo.state() == before
    photo.choose("colorize photo", "Pincel")
    photo.keys("Return")
    photo.screen.focus("^Colorize Photo$")
    photo.keys("Return")
    until(lambda: photo.layers() == ["Colorize Photo, seed 0", "photo"], "the new layer")
    assert photo.state()[0] == "rgb"
    photo.key_in_window("ctrl+z", ["photo"])
    assert photo.state() == before and before[0] == "indexed"


@pytest.mark.parametrize("task", TASKS)
def test_help_opens_our_page_at_its_place(photo, task):
    opened = photo.gimp.folder / "opened"
    opened.unlink(missing_ok=True)
    photo.choose(TASKS[task].title.lower(), TASKS[task].title)
    photo.keys("alt+h")
    try:
        address = until(lambda: opened.exists() and opened.read_text().strip(), "the page")
    finally:
        photo.screen.focus(f"^{TASKS[task].title}$")
        photo.keys("Escape")
    page = photo.gimp.profile / "plug-ins/pincel/help/en/index.html"
    assert address.endswith(f"{page}#{task}") and f'id="{task}"' in page.read_text()


def test_an_error_is_shown_and_nothing_is_inserted(photo):
    before = photo.state()
    photo.engine.stop()
    command = photo.gimp.profile / "plug-ins/pincel/pincel_client/engine-command.json"
    kept = command.read_text()
    command.write_text('["/bin/false"]')
    try:
        photo.choose("colorize photo", "Colorize Photo")
        photo.keys("Return")
        photo.screen.focus("^GIMP Message$")
        photo.shot("error")
        photo.keys("Return")
    finally:
        command.write_text(kept)
    until(lambda: "GIMP Message" not in photo.screen.titles(), "the message's end")
    assert photo.state() == before
    photo.screen.focus(MAIN)


def computing(desk):
    """Whether a worker has begun (not only loaded its network)."""
    with desk.engine.session() as session:
        return any(worker["state"] == "busy" for worker in session.status()["workers"])
