"""The layers of the fake Krita (krita.py): boxes of bytes in a colour space, with children."""

from __future__ import annotations

import struct
import uuid

SIZES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4}


class Uid:
    def __init__(self):
        self._text = f"{{{uuid.uuid4()}}}"

    def toString(self):
        return self._text


class Node:
    def __init__(self, document, name, kind):
        self.document, self._name, self._kind = document, name, kind
        self._space = (document._model, document._depth, document._profile)
        self._uid, self._parent, self._children = Uid(), None, []
        self._mode, self._box, self._data = "normal", (0, 0, 0, 0), b""
        self.writes = 0

    def name(self):
        return self._name

    def type(self):
        return self._kind

    def uniqueId(self):
        return self._uid

    def parentNode(self):
        return self._parent

    def childNodes(self):
        return list(self._children)

    def colorModel(self):
        return self._space[0]

    def colorDepth(self):
        return self._space[1]

    def colorProfile(self):
        return self._space[2]

    def blendingMode(self):
        return self._mode

    def setBlendingMode(self, mode):
        before, self._mode = self._mode, mode
        if self._attached():
            self.document.did("Composition Mode Change", lambda: self._set(before), lambda: self._set(mode))

    def _set(self, mode):
        self._mode = mode

    def bounds(self):
        box = self._box
        if self._kind == "grouplayer" and self._children:
            boxes = [c.bounds() for c in self._children]
            left, top = min(b.x() for b in boxes), min(b.y() for b in boxes)
            right, bottom = max(b.x() + b.width() for b in boxes), max(b.y() + b.height() for b in boxes)
            box = (left, top, right - left, bottom - top)
        return self.document._qt.QtCore.QRect(*box)

    @property
    def _pixel(self):
        return 1 if self._kind == "transparencymask" else CHANNELS[self._space[0]] * SIZES[self._space[1]]

    def pixelData(self, x, y, w, h):
        if self._kind in ("grouplayer", "vectorlayer", "filelayer"):
            return b""
        return self._window(x, y, w, h)

    def projectionPixelData(self, x, y, w, h):
        if not self.document._open:
            return b""
        for node in reversed([self, *self._children]):  # the topmost child that has pixels stands for the group
            if node._data:
                return node._window(x, y, w, h)
        return bytes(w * h * self._pixel)

    def _window(self, x, y, w, h):
        size, (bx, by, bw, bh) = self._pixel, self._box
        out = bytearray(w * h * size)
        for row in range(max(y, by), min(y + h, by + bh)):
            left, right = max(x, bx), min(x + w, bx + bw)
            if left < right:
                at = ((row - by) * bw + left - bx) * size
                to = ((row - y) * w + left - x) * size
                out[to : to + (right - left) * size] = self._data[at : at + (right - left) * size]
        return bytes(out)

    def setPixelData(self, data, x, y, w, h):
        data = bytes(data)
        if len(data) < w * h * self._pixel or self._kind == "grouplayer":
            return
        self.writes += 1
        bx, by, bw, bh = self._box
        left, top = (min(bx, x), min(by, y)) if self._data else (x, y)
        right, bottom = (max(bx + bw, x + w), max(by + bh, y + h)) if self._data else (x + w, y + h)
        whole = bytearray(self._window(left, top, right - left, bottom - top))
        size = self._pixel
        for row in range(h):
            at = ((row + y - top) * (right - left) + x - left) * size
            whole[at : at + w * size] = data[row * w * size : (row + 1) * w * size]
        self._box, self._data = (left, top, right - left, bottom - top), bytes(whole)

    def setColorSpace(self, model, depth, profile):
        if self._data and (model, depth, profile) != self._space:
            self._data = _convert(self._data, self._space, (model, depth, profile))
        self._space = (model, depth, profile)
        return True

    def thumbnail(self, width, height):
        """An image of some pixels of the layer; only its size, and that it changes with the layer, count here."""
        gui = self.document._qt.QtGui
        made = gui.QImage(width, height, gui.QImage.Format.Format_ARGB32)
        made.fill(0)
        _, _, bw, bh = self._box
        for y in range(height if self._data else 0):
            for x in range(width):
                at = ((y * bh // height) * bw + x * bw // width) * self._pixel
                value = _eight(self._data[at : at + self._pixel], self._space)
                made.setPixel(x, y, value[3] << 24 | value[2] << 16 | value[1] << 8 | value[0])
        return made

    def addChildNode(self, child, above):
        if above is not None and above._parent is not self:
            return False
        at = self._children.index(above) + 1 if above is not None else len(self._children)

        def add():
            self._children.insert(at, child)
            child._adopt(self)

        add()
        if self._attached():
            self.document.did("Add Layer", child._leave, add)
        return True

    def lower(self):
        """What the arrow in the Layers docker does, between layers of one group."""
        siblings, at = self._parent._children, self._parent._children.index(self)

        def swap():
            siblings[at - 1], siblings[at] = siblings[at], siblings[at - 1]

        swap()
        self.document.did("Lower Nodes", swap, swap)

    def _attached(self):
        return self is self.document._root or (self._parent is not None and self._parent._attached())

    def _adopt(self, parent):
        self._parent = parent
        self._join(parent.document)

    def _join(self, document):
        self.document = document
        for child in self._children:
            child._join(document)

    def _leave(self):
        self._parent._children.remove(self)
        self._parent = None

    def remove(self):
        parent, at = self._parent, self._parent._children.index(self)

        def back():
            parent._children.insert(at, self)
            self._adopt(parent)

        attached = self._attached()
        self._leave()
        if attached:
            self.document.did("Remove Layer", back, self._leave)

    def clone(self):
        made = Node(self.document, self._name, self._kind)
        made._space, made._mode, made._box, made._data = self._space, self._mode, self._box, self._data
        for child in self._children:
            copy = child.clone()
            copy._parent = made
            made._children.append(copy)
        return made

    def setName(self, name):
        self._name = name


def _eight(pixel, space):
    """One pixel as (blue, green, red, alpha), 0 to 255."""
    model, depth, profile = space
    form = {"U8": "B", "U16": "H", "F16": "e", "F32": "f"}[depth]
    values = struct.unpack(f"<{CHANNELS[model]}{form}", pixel)
    top = {"U8": 255, "U16": 65535}.get(depth, 1.0)
    values = [min(1.0, max(0.0, v / top)) for v in values]
    if "g10" in profile:
        values[:-1] = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in values[:-1]]
    if model == "GRAYA":
        values = [values[0]] * 3 + [values[1]]
    elif depth in ("F16", "F32"):
        values = [values[2], values[1], values[0], values[3]]
    return [round(255 * v) for v in values]


def _convert(data, source, target):
    """Pixels from one space to 8-bit sRGB, or as they are where only bytes of the same kind are asked for."""
    assert target[:2] == ("RGBA", "U8"), "the fake converts to 8-bit sRGB only"
    size = CHANNELS[source[0]] * SIZES[source[1]]
    return b"".join(bytes(_eight(data[at : at + size], source)) for at in range(0, len(data), size))
