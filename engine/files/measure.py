"""How large a picture file is in pixels, from its head alone, for forecasts."""

from __future__ import annotations

import os

import tifffile

from engine.files import check
from engine.files.read import OPENERS


def measure(path: str | os.PathLike[str]) -> tuple[int, int, int]:
    """(width, height, bytes of a pixel as read() will give it) of a picture file; orientation is not looked at.

    Raises what read() raises for a file that is missing or no picture.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    with check.opened(path) as (file, form), check.coded(name):
        if form == "TIFF":
            with tifffile.TiffFile(file) as tiff:
                page = tiff.pages[0]
                sample = max(1, min(4, page.bitspersample // 8))
                return int(page.imagewidth), int(page.imagelength), int(page.samplesperpixel) * sample
        image = OPENERS[form](file)
        return int(image.width), int(image.height), len(image.getbands()) * (2 if image.mode.startswith("I;16") else 1)
