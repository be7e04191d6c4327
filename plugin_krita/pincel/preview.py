"""A live, small preview while hints are painted: watched by thumbnails, begun when the brush rests, superseding the last.

It is shown in the docker, never on the canvas. The layers are read and reduced a band of rows at a time, and not while a
stroke is being painted.
"""

import hashlib
import time

from . import colours, thumbs
from .pincel_client import controls, region
from .pincel_client.errors import Cancelled, PincelError
from .pincel_client.pixels import Pixels
from .pincel_client.work import Work
from .qt import Qt, QtGui

SIDE = 256  # the longer side of what is sent
REST_SECONDS, LOOK_SECONDS = 0.35, 0.25
_BAND_PIXELS = 1 << 18


class Reduced:
    """A layer's Rect made small: call step() until `pixels` is there."""

    def __init__(self, host, document, node, rect, side=SIDE):
        self.host, self.document, self.node, self.rect, self.pixels = host, document, node, rect, None
        factor = min(1.0, side / float(max(rect.width, rect.height)))
        self._width, self._height = max(1, round(rect.width * factor)), max(1, round(rect.height * factor))
        self._bands, self._row = [], 0

    def step(self):
        """Read the next band. Raises what Host.read raises."""
        rows = max(1, _BAND_PIXELS * self._height // (self.rect.width * self.rect.height))
        last = min(self._height, self._row + rows)
        top, bottom = (round(n * self.rect.height / self._height) for n in (self._row, last))
        rect = region.Rect(self.rect.x, self.rect.y + top, self.rect.width, bottom - top)
        band = eight_bits(self.host.read(self.document, self.node, rect))
        self._transfer = band.transfer
        self._bands.append(smaller(band, self._width, last - self._row))
        self._row = last
        if last == self._height:
            data = b"".join(self._bands)
            self.pixels = Pixels(data, self._width, self._height, "BGRA", "u8", self._transfer)


def eight_bits(pixels):
    """Pixels as BGRA u8: what a preview needs."""
    data = bytes(pixels.data)
    if pixels.dtype == "u16":
        data = data[1::2]
    elif pixels.dtype != "u8":
        word = memoryview(data).cast("e" if pixels.dtype == "f16" else "f")
        data = bytes([0 if v < 0.002 else 255 if v > 1 else int(v * 255.5) for v in word])
    if pixels.channels == "GRAYA":
        grey, out = data[0::2], bytearray(2 * len(data))
        out[0::4] = out[1::4] = out[2::4] = grey
        out[3::4] = data[1::2]
        data = bytes(out)
    elif pixels.channels == "RGBA":
        out = bytearray(data)
        out[0::4], out[2::4] = data[2::4], data[0::4]
        data = bytes(out)
    return Pixels(data, pixels.width, pixels.height, "BGRA", "u8", pixels.transfer)


def smaller(pixels, width, height):
    """The bytes of BGRA u8 Pixels, smoothly scaled."""
    format = QtGui.QImage.Format.Format_ARGB32
    image = QtGui.QImage(pixels.data, pixels.width, pixels.height, 4 * pixels.width, format)
    ways = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    return thumbs.rows_of(image.scaled(width, height, *ways).convertToFormat(format), 4 * width)


class Preview:
    """One preview on its way; for the hub's `ghosts`. before, after: QImages, when done without an error."""

    def __init__(self, host, document, task, values, node, layers):
        self.host, self.document, self.task, self.key = host, document, task, host.key(document)
        self.done, self.error, self.before, self.after = False, None, None, None
        asked = {c.name: values[c.name] for c in controls.controls(task) if c.name in values and c.name != "place"}
        asked.update({name: 1 for name in controls.COUNTS if name in asked})
        self._options = controls.collect(task, asked).options
        rect = host.ground(document, node, task)
        self._parts = {"source": Reduced(host, document, node, rect)}
        for name, layer in layers.items():
            self._parts[name] = Reduced(host, document, layer, rect)
        self._work = None

    def step(self, session):
        if self.done:
            return
        try:
            if not self.host.alive(self.document):
                self.close()
                return
            unread = [part for part in self._parts.values() if part.pixels is None]
            if unread:
                if self.host.settled(self.document):
                    unread[0].step()
            elif self._work is None and session is not None:
                pictures = {name: part.pixels for name, part in self._parts.items()}
                self._work = Work(None, self.task.name, self._options, pictures, session=session)
            elif self._work is not None and self._work.step(0.0):
                self._finish()
        except PincelError as error:
            self.fail(error)

    def _finish(self):
        self.error, self.done = self._work.error, True
        if self.error is None:
            self.before = self.host.image(self._parts["source"].pixels, colours.SRGB8)
            self.after = self.host.image(self._work.results[0], colours.SRGB8)

    def fail(self, error, whatever=False):
        """End it; the engine need not finish a job that nobody waits for."""
        if self._work is not None:
            self._work.cancel()
        self.error, self.done = error, True

    def close(self):
        """Give it up: a newer one takes its place."""
        self.fail(Cancelled())


class Watch:
    """Decides when a preview is due. Called at every turn of the hub.

    wanted: a function that gives (document, task, values, hints layer's id) while previews are wanted, else None.
    """

    def __init__(self, hub, wanted):
        self.hub, self.wanted = hub, wanted
        self.preview, self._seen, self._changed, self._looked = None, None, None, 0.0
        hub.tickers.append(self.tick)

    def tick(self):
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        asked = self.wanted()
        if asked is None:
            self._seen = self._changed = None
            return
        document, task, values, hints = asked
        host = self.hub.host
        layer = host.layer(document, hints)
        if layer is None or not host.settled(document):
            return
        seen = (host.key(document), hints, task.name, sorted(map(str, values.items())), fingerprint(layer))
        if seen != self._seen:
            self._seen, self._changed = seen, now
        elif self._changed is not None and now - self._changed >= REST_SECONDS:
            self._changed = None
            self._begin(document, task, values, layer)

    def _begin(self, document, task, values, layer):
        if self.preview is not None and not self.preview.done:
            self.preview.close()
        node = self.hub.host.active_layer(document)
        if node is None or self.hub.host.id(node) == self.hub.host.id(layer):
            node = self._below(document, layer)  # the hints are being painted: the lines are what lies under them
        if node is None:
            return
        try:
            self.preview = Preview(self.hub.host, document, task, values, node, {"hints": layer})
        except PincelError:
            return
        self.hub.ghosts.append(self.preview)
        self.hub.wake()

    def _below(self, document, layer):
        siblings = layer.parentNode().childNodes() if layer.parentNode() is not None else []
        ids = [self.hub.host.id(node) for node in siblings]
        index = ids.index(self.hub.host.id(layer)) if siblings else 0
        return siblings[index - 1] if index else None


def fingerprint(layer):
    """Changes when what is painted on the layer does."""
    image = layer.thumbnail(96, 96)
    bounds = layer.bounds()
    bits = thumbs.rows_of(image, image.bytesPerLine()) if not image.isNull() else b""
    where = (bounds.x(), bounds.y(), bounds.width(), bounds.height())
    return hashlib.md5(bits + repr(where).encode("ascii")).hexdigest()
