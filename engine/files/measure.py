"""How large a picture file is in pixels, from its head alone, for forecasts."""

from __future__ import annotations

import os

import tifffile

from engine.files import check, convert, png, tiff
from engine.files.read import OPENERS


def measure(path: str | os.PathLike[str]) -> tuple[int, int, int]:
    """(width, height, bytes of a pixel as read(path, convert=True) will give it) of a picture file; orientation is not
    looked at.

    Raises what read() raises for a file that is missing or no picture.
    """
    path = os.fspath(path)
    name = os.path.basename(path)
    with check.opened(path) as (file, form), check.coded(name):
        if form == "TIFF":
            with tifffile.TiffFile(file) as opened:
                page = opened.pages[0]
                return int(page.imagewidth), int(page.imagelength), tiff.pixel_bytes(page)
        head = file.read(26)
        file.seek(0)
        image = OPENERS[form](file)
        pixel = convert.pixel_bytes(image)
        if form == "PNG" and head[24] == 16:  # of most of which Pillow makes 8 bits
            pixel = 2 * (png.CHANNELS[head[25]] + ("transparency" in image.info))
        return int(image.width), int(image.height), pixel
