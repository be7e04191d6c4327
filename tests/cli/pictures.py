"""Pictures and ways to run the command line that its tests share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from engine.cli.app import run


def grey(path: Path, width: int = 50, height: int = 41, **save) -> Path:
    """A small grey photograph-like picture at path, in the format of its ending."""
    rows, columns = np.mgrid[0:height, 0:width]
    values = 128 + 60 * np.sin(rows / 7) * np.cos(columns / 9) + 40 * (columns > width // 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path, **save)
    return path


def pincel(*arguments) -> int:
    """Run the command in this process, without asking for a running engine, and return its exit status."""
    return run([str(a) for a in arguments])


def events(text: str) -> list[dict]:
    """The JSON lines of a run; every line must be one."""
    return [json.loads(line) for line in text.splitlines()]
