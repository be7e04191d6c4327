"""Rectangles on an editor's canvas: what of a layer is sent, what of the result is kept, and where it is put.

Shared by the plug-ins. A Plan is made from the layer's rectangle and the selection's bounds, both in canvas pixels:

    plan = Plan(task, options, layer, selection)     # selection None: nothing is selected, the layer is meant
    ... send the pixels of plan.read with plan.options ...
    pixels = plan.keep(result)                       # the part of a result that belongs to plan.inside
    ... put them at plan.place(pixels) and mask them with the selection over plan.inside ...
"""

from .errors import EmptyPicture
from .pixels import CHANNELS, DTYPES, Pixels

# A selection is sent with what lies around it: a colouring depends on it, an enlargement's edges do.
CONTEXT_LEAST = 64
CONTEXT_ENLARGING = 16


class Rect:
    """x, y, width, height in whole pixels; x and y may be negative."""

    def __init__(self, x, y, width, height):
        self.x, self.y, self.width, self.height = int(x), int(y), int(width), int(height)

    @property
    def right(self):
        return self.x + self.width

    @property
    def bottom(self):
        return self.y + self.height

    @property
    def empty(self):
        return self.width <= 0 or self.height <= 0

    def __eq__(self, other):
        return isinstance(other, Rect) and tuple(self) == tuple(other)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(tuple(self))

    def __iter__(self):
        return iter((self.x, self.y, self.width, self.height))

    def __repr__(self):
        return "Rect(%d, %d, %d, %d)" % tuple(self)

    def intersect(self, other):
        """The common part; empty where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Rect(x, y, min(self.right, other.right) - x, min(self.bottom, other.bottom) - y)

    def union(self, other):
        """The smallest rectangle around both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Rect(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def grown(self, by):
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def moved(self, x, y):
        return Rect(self.x + x, self.y + y, self.width, self.height)


class Plan:
    """How a task works on a layer.

    read: the Rect whose pixels are sent. inside: the Rect that the user meant, a part of read. options: the task's
    options, with the size made to fit what is read. Raises EmptyPicture where the selection misses the layer.
    """

    def __init__(self, task, options, layer, selection=None):
        self.inside = layer if selection is None else layer.intersect(selection)
        if self.inside.empty:
            raise EmptyPicture(
                "The selection does not touch the layer.", "Select a part of the layer, or choose Select > None."
            )
        self.options, names = dict(options), [option.name for option in task.options]
        self.enlarges = "scale" in names
        self.read = self._with_context(layer)
        self._across = self._down = 1.0
        self._size = (self.inside.width, self.inside.height)
        if self.enlarges:
            self._enlarge(task.complete(options))

    def _with_context(self, layer):
        if self.inside == layer:
            return layer
        longest = max(self.inside.width, self.inside.height)
        by = CONTEXT_ENLARGING if self.enlarges else max(CONTEXT_LEAST, longest // 2)
        return self.inside.grown(by).intersect(layer)

    def _enlarge(self, values):
        """The size that `inside` is to get, and so the size to ask for what is read."""
        inside, width, height = self.inside, values["width"], values["height"]
        if width is None and height is None:
            width, height = round(inside.width * values["scale"]), round(inside.height * values["scale"])
        elif height is None:
            height = max(1, round(inside.height * width / inside.width))
        elif width is None:
            width = max(1, round(inside.width * height / inside.height))
        self._size = (int(width), int(height))
        self._across, self._down = width / inside.width, height / inside.height
        if self.read != inside:
            self.options.pop("scale", None)
            self.options["width"] = round(self.read.width * self._across)
            self.options["height"] = round(self.read.height * self._down)

    def part(self, result):
        """The Rect of a result (Pixels of what was read), in its own coordinates, that belongs to `inside`."""
        if self.read == self.inside:
            return Rect(0, 0, result.width, result.height)
        width, height = min(self._size[0], result.width), min(self._size[1], result.height)
        x = round((self.inside.x - self.read.x) * self._across)
        y = round((self.inside.y - self.read.y) * self._down)
        return Rect(min(x, result.width - width), min(y, result.height - height), width, height)

    def keep(self, result):
        """That part of a result as Pixels."""
        return result if self.read == self.inside else cut(result, self.part(result))

    def place(self, pixels):
        """The Rect on the canvas for kept pixels: the top left corner stays where it is."""
        return Rect(self.inside.x, self.inside.y, pixels.width, pixels.height)


def cut(pixels, rect):
    """The Pixels inside a rectangle (in the picture's own coordinates, within it)."""
    step = CHANNELS[pixels.channels] * DTYPES[pixels.dtype]
    line, rows = pixels.width * step, memoryview(pixels.data).cast("B")
    data = b"".join(rows[y * line + rect.x * step : y * line + rect.right * step] for y in range(rect.y, rect.bottom))
    return _like(pixels, data, rect.width, rect.height)


def paste(pixels, onto, x, y):
    """The Pixels `onto` with `pixels`, of the same kind, laid over it at x, y; what does not fit is cut off."""
    step = CHANNELS[onto.channels] * DTYPES[onto.dtype]
    target = bytearray(onto.data)
    part = Rect(x, y, pixels.width, pixels.height).intersect(Rect(0, 0, onto.width, onto.height))
    rows = memoryview(pixels.data).cast("B")
    for row in range(part.y, part.bottom if not part.empty else part.y):
        begin = ((row - y) * pixels.width + part.x - x) * step
        at = (row * onto.width + part.x) * step
        target[at : at + part.width * step] = rows[begin : begin + part.width * step]
    return _like(onto, bytes(target), onto.width, onto.height)


def _like(pixels, data, width, height):
    return Pixels(data, width, height, pixels.channels, pixels.dtype, pixels.transfer, pixels.alpha, pixels.icc)


def fitting(width, height, around):
    """The Rect of a picture of that size, centred on another Rect: for pictures that had no source."""
    return Rect(around.x + (around.width - width) // 2, around.y + (around.height - height) // 2, width, height)
