"""The buffers of the GIMP 3 in memory: pixels in and out by rectangles, in the formats that our plug-in asks for.

Pixels are kept as the real one does: display-encoded sRGB [H, W, 4], rounded to the image's precision when they are set.
"""

from __future__ import annotations

import numpy as np


class Rectangle:
    @classmethod
    def new(cls, x, y, width, height):
        made = cls()
        made.x, made.y, made.width, made.height = x, y, width, height
        return made


_COUNT = {"Y'": 1, "Y'A": 2, "R'G'B'": 3, "R'G'B'A": 4, "Y": 1}
_KIND = {"u8": (np.uint8, 255), "u16": (np.uint16, 65535), "float": (np.float32, 1)}


class Buffer:
    def __init__(self, drawable, array):
        self.drawable, self.array = drawable, array

    def get(self, rect, scale, format, abyss):
        model, kind = format.split()
        whole = np.zeros((rect.height, rect.width, 4))
        height, width = self.array.shape[:2]
        y0, y1, x0, x1 = (
            max(rect.y, 0),
            min(rect.y + rect.height, height),
            max(rect.x, 0),
            min(rect.x + rect.width, width),
        )
        if y0 < y1 and x0 < x1:
            whole[y0 - rect.y : y1 - rect.y, x0 - rect.x : x1 - rect.x] = self.array[y0:y1, x0:x1]
        wanted = {1: whole[..., :1], 2: whole[..., [0, 3]], 3: whole[..., :3], 4: whole}[_COUNT[model]]
        dtype, top = _KIND[kind]
        return (np.rint(wanted * top) if top > 1 else wanted).astype(dtype).tobytes()

    def set(self, rect, format, data):
        model, kind = format.split()
        dtype, top = _KIND[kind]
        given = np.frombuffer(data, dtype).reshape(rect.height, rect.width, -1) / top
        place = self.array[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        assert place.shape[:2] == given.shape[:2], "outside the buffer"
        colours = given[..., :1] if _COUNT[model] < 3 else given[..., :3]
        steps = self.drawable.image.steps
        place[..., :3] = np.rint(colours * steps) / steps if steps else colours
        place[..., 3] = given[..., -1] if model.endswith("A") else 1.0

    def flush(self):
        pass
