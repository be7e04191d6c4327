"""A private X server: windows found and keys pressed with xdotool, screenshots read from its framebuffer file."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

from PIL import Image


class Xvfb:
    """folder: for the framebuffer and the log. display: ":N" once it is made. size: of the screen, in pixels."""

    def __init__(self, folder: Path, size: tuple[int, int] = (1280, 860)) -> None:
        missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
        if missing:
            raise FileNotFoundError(f"{' and '.join(missing)} not installed")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = os.pipe()
        screen = f"{size[0]}x{size[1]}x24"
        with (folder / "xvfb.log").open("w") as log:
            self.process = subprocess.Popen(
                f"Xvfb -displayfd {theirs} -screen 0 {screen} -nolisten tcp -noreset -fbdir {folder}".split(),
                pass_fds=(theirs,),
                stderr=log,
            )
        os.close(theirs)
        with os.fdopen(ours) as said:  # the number and the line's end come apart: wait for both
            self.display = ":" + said.readline().strip()
        end = time.monotonic() + 20
        while not self.do("getdisplaygeometry"):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Xvfb does not answer:\n{(folder / 'xvfb.log').read_text()}")
            time.sleep(0.1)

    def do(self, *words: str) -> list[str]:
        """Run xdotool and give the words that it said."""
        environ = {"DISPLAY": self.display, "PATH": os.environ["PATH"]}
        done = subprocess.run(["xdotool", *words], env=environ, text=True, capture_output=True, check=False)
        return done.stdout.split()

    def window(self, name: str, patience: float = 30.0) -> str:
        """The id of a visible window whose title matches."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            found = self.do("search", "--onlyvisible", "--name", name)
            if found:
                return found[-1]
            time.sleep(0.1)
        raise TimeoutError(f"no window {name!r}; there are {self.titles()}")

    def titles(self) -> list[str]:
        found = self.do("search", "--onlyvisible", "--name", ".")
        return [" ".join(self.do("getwindowname", window)) for window in found]

    def focus(self, name: str) -> str:
        """Without a window manager nobody else does it."""
        window = self.window(name)
        time.sleep(0.3)
        self.do("windowfocus", window)
        time.sleep(0.3)
        return window

    def shot(self, path: Path, box: tuple[int, int, int, int] | None = None) -> Image.Image:
        """The screen, or a part of it, as PNG (X window dump, version 7, as Xvfb keeps it in a file)."""
        data = (self.folder / "Xvfb_screen0").read_bytes()
        head = struct.unpack(">25I", data[:100])
        offset, width, height, line, colours = head[0], head[4], head[5], head[12], head[19]
        rows = data[offset + colours * 12 :]
        picture = Image.frombuffer("RGB", (width, height), rows[: line * height], "raw", "BGRX", line, 1)
        picture = picture.crop(box) if box else picture
        picture.save(path)
        return picture

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)
