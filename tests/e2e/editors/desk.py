"""GIMP with its window, used as a person does it: commands by the search, dialogs by keys, undo; what is in the image."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np

from tests.e2e.editors.engines import Engine, until
from tests.e2e.editors.gimp import Gimp
from tests.e2e.editors.pictures import Pictures

SIZE = ("1100", "780")  # of GIMP's window, the Layers dialog docked in it
AREA = (0, 0, 1100, 780)
MAIN = r"\[.*\]|GNU Image|– GIMP"

# Everything that an undo step could leave different, as one value.
STATE = """
import gi, hashlib
gi.require_version("Babl", "0.1")
from gi.repository import Babl
def content(drawable):
    place = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    data = drawable.get_buffer().get(place, 1.0, Babl.get_name(drawable.get_format()), Gegl.AbyssPolicy.NONE)
    return [list(drawable.get_offsets())[1:], place.width, place.height, hashlib.sha256(bytes(data)).hexdigest()]
def item(layer):
    mask = layer.get_mask()
    return [layer.get_id(), layer.get_name(), layer.get_mode().value_nick, layer.get_opacity(), layer.get_visible(),
            content(layer), mask and content(mask), [item(c) for c in layer.get_children()] if layer.is_group() else []]
def state(image):
    profile = image.get_effective_color_profile()
    return [image.get_base_type().value_nick, image.get_precision().value_nick, image.get_width(), image.get_height(),
            list(image.get_resolution()), profile.get_label(), content(image.get_selection()),
            [item(layer) for layer in image.get_layers()]]
"""


class Desk:
    """A GIMP with a window, and the engine that it works with. shots: the folder for screenshots."""

    def __init__(self, gimp: Gimp, engine: Engine, shots: Path) -> None:
        self.gimp, self.engine, self.shots, self.screen = gimp, engine, shots, gimp.screen
        self.settings = gimp.profile / "plug-in-settings"
        gimp.do(STATE)

    def show(self, array: np.ndarray, **how: object) -> Pictures:
        """A new image `img` with the array as its layer, in the window."""
        pictures = Pictures(self.gimp)
        pictures.new(array, **how)
        self.gimp.do("img.clean_all(); display = Gimp.Display.new(img); Gimp.displays_flush()")
        main = self.screen.focus(MAIN)
        self.screen.do("windowsize", main, *SIZE, "key", "ctrl+l", "sleep", "1")
        return pictures

    def put_away(self) -> None:
        self.gimp.do("img.clean_all(); display.delete()")

    def choose(self, words: str, title: str) -> str:
        """A command by GIMP's search, "/", and its dialog: the window's id."""
        for _ in range(4):
            self.screen.focus(MAIN)
            self.screen.do("mousemove", "500", "400", "key", "slash")
            with contextlib.suppress(TimeoutError):
                self.screen.window("^Search Actions$", 8)
                break
        self.screen.focus("^Search Actions$")
        self.screen.do("type", "--delay", "40", words)
        self.screen.do("sleep", "1", "key", "Return")
        return self.screen.focus(f"^{title}$")

    def keys(self, *keys: str) -> None:
        """Keys one after the other, with time for GIMP to follow."""
        for key in keys:
            self.screen.do("key", key, "sleep", "0.7")

    def click(self, x: int, y: int) -> None:
        self.screen.do("mousemove", str(x), str(y), "sleep", "0.7", "click", "1", "sleep", "0.7")

    def shot(self, name: str) -> None:
        self.screen.shot(self.shots / f"{name}.png", AREA)

    def layers(self) -> list:
        return self.gimp.ask("names(img.get_layers())")

    def state(self) -> list:
        """All of the image that somebody could miss after an undo."""
        return self.gimp.ask("state(img)")

    def key_in_window(self, key: str, layers: list) -> None:
        """A key for GIMP's main window, after which the layers are these."""
        self.screen.focus(MAIN)
        self.screen.do("key", key)
        until(lambda: self.layers() == layers, f"{key}, after which the layers are {layers}")

    def saved(self, task: str, kind: str) -> dict[str, str]:
        """What GIMP wrote down of a procedure: kind "last" after a run, "default" by the button Save Settings."""
        path = self.settings / f"GimpProcedureConfigRun-plug-in-pincel-{task}.{kind}"
        until(path.exists, f"{path.name}'s being written")
        return dict(re.findall(r'^\(([\w-]+) "?(.*?)"?\)$', path.read_text(), re.M))

    def forget(self) -> None:
        """No last values and no presets."""
        for path in self.settings.glob("GimpProcedureConfigRun-plug-in-pincel-*"):
            path.unlink()


def catch_pages(folder: Path) -> None:
    """What would show a page in a browser writes down its address, in folder/opened."""
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
