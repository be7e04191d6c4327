"""Krita as the plug-in sees it: documents, layers, selections and pixels. With place.py the only user of libkis.

Documents are libkis' Document objects, layers are named by their unique id (text), which survives as long as they do.
Called in the GUI thread only.
"""

import contextlib
import os
import shutil
import tempfile
import traceback

import krita

from . import colours
from .pincel_client.controls import BELOW, places
from .pincel_client.errors import Cancelled, EmptyPicture, InputError, InternalError, PincelError
from .pincel_client.pixels import Pixels
from .pincel_client.region import Rect
from .qt import QtCore, QtGui
from .scratch import write_kra

ANNOTATION = "pincel/state"
# What has pixels of its own or of its children. Masks stand for the layer they belong to.
_READABLE = ("paintlayer", "grouplayer", "vectorlayer", "filllayer", "clonelayer", "filelayer")


def gone():
    """The error of work whose document was closed."""
    return Cancelled("The document was closed.", "Open it again and start anew.")


def said(error):
    """An exception as the PincelError that the user reads: what Krita itself raises is a fault of ours."""
    if isinstance(error, PincelError):
        return error
    traceback.print_exception(type(error), error, error.__traceback__)
    return InternalError("The plug-in failed: %r." % error)


class Host:
    """The running Krita."""

    def __init__(self):
        self.app = krita.Krita.instance()
        self._transfers = {}
        self._folder = None

    # ---- documents -----------------------------------------------------------------------------------------------

    def active(self):
        """The document in front, or None."""
        return self.app.activeDocument()

    def alive(self, document):
        return document is not None and document in self.app.documents()

    def key(self, document):
        """A text that names an open document; "" for none or for one that was closed."""
        root = document.rootNode() if document is not None else None
        return root.uniqueId().toString() if root is not None else ""

    def space(self, thing):
        """(model, depth, profile) of a document or a layer."""
        return (thing.colorModel(), thing.colorDepth(), thing.colorProfile())

    def canvas(self, document):
        return Rect(0, 0, document.width(), document.height())

    def settled(self, document):
        """Whether no stroke is being painted and nothing is being computed in the document."""
        if not document.tryBarrierLock():
            return False
        document.unlock()
        return True

    # ---- Krita's undo history ------------------------------------------------------------------------------------

    def is_active(self, document):
        return self.app.activeDocument() == document

    def undo_words(self, document):
        """What Edit > Undo says would be undone in the document; None if it is not in front."""
        return self.app.action("edit_undo").text() if self.is_active(document) else None

    def redo_words(self, document):
        return self.app.action("edit_redo").text() if self.is_active(document) else None

    def press(self, action):
        """Trigger an action of Krita's menus, by name."""
        self.app.action(action).trigger()

    # ---- what is kept in a document ------------------------------------------------------------------------------

    def load_state(self, document):
        """What save_state kept in the document: text, "" if nothing."""
        return bytes(document.annotation(ANNOTATION)).decode("utf-8", "replace")

    def save_state(self, document, text):
        document.setAnnotation(ANNOTATION, "Pincel: options and history", QtCore.QByteArray(text.encode("utf-8")))

    # ---- layers --------------------------------------------------------------------------------------------------

    def active_layer(self, document):
        """The chosen layer, for a mask the layer that it belongs to; None without one."""
        node = document.activeNode()
        while node is not None and node.type().endswith("mask"):
            node = node.parentNode()
        return node

    def id(self, node):
        return node.uniqueId().toString()

    def layer(self, document, id):
        """The layer of that id, or None."""
        return next((node for node in self._nodes(document.rootNode()) if self.id(node) == id), None)

    def layers(self, document):
        """[(id, name)] of all layers that can be read, from the top of the stack downwards."""
        return [(self.id(node), node.name()) for node in self._nodes(document.rootNode()) if node.type() in _READABLE]

    def _nodes(self, parent):
        for node in reversed(parent.childNodes() if parent is not None else []):
            yield node
            yield from self._nodes(node)

    def extent(self, document, node):
        """The Rect of the layer's pixels on the canvas. Raises InputError for what has none."""
        if node is None or node.type() not in _READABLE:
            raise InputError(
                "A %s cannot be read." % (node.type() if node is not None else "document without a chosen layer"),
                "Choose a paint, group, vector, fill, clone or file layer in the Layers docker.",
            )
        bounds = node.bounds()
        rect = Rect(bounds.x(), bounds.y(), bounds.width(), bounds.height()).intersect(self.canvas(document))
        if rect.empty:
            raise EmptyPicture(
                "The layer %s has no pixels on the canvas." % node.name(), "Choose a layer that shows something."
            )
        return rect

    def ground(self, document, node, task):
        """The Rect that a task works on: the layer's pixels; for lines on a transparent layer the canvas, which is their
        paper."""
        rect = self.extent(document, node)
        if BELOW in places(task) and not self._opaque(node, rect):
            return self.canvas(document)
        return rect

    def _opaque(self, node, rect):
        """Whether nothing is transparent in some of a layer's rows."""
        space = self.space(node)
        colours.check(space, node.name())
        for y in range(rect.y, rect.bottom, max(1, rect.height // 32)):
            if not colours.opaque(bytes(node.projectionPixelData(rect.x, y, rect.width, 1)), space):
                return False
        return True

    def selection(self, document):
        """The Rect of the selection on the canvas; None without one."""
        chosen = document.selection()
        if chosen is None or chosen.width() <= 0 or chosen.height() <= 0:
            return None
        rect = Rect(chosen.x(), chosen.y(), chosen.width(), chosen.height()).intersect(self.canvas(document))
        return None if rect.empty else rect

    def mask(self, document, rect):
        """How far each pixel of a Rect is selected: 1 byte a pixel; None where nothing is selected."""
        chosen = document.selection()
        return bytes(chosen.pixelData(*rect)) if chosen is not None else None

    # ---- pixels --------------------------------------------------------------------------------------------------

    def read(self, document, node, rect):
        """The layer as it looks by itself (its masks and children included, its opacity not): Pixels of a Rect.

        Raises UnsupportedMode for colour models that Pincel does not know, and gone().
        """
        space = self.space(node)
        colours.check(space, node.name())
        channels, dtype = colours.layout(space)
        data = bytes(node.projectionPixelData(*rect))
        canvas = self.canvas(document)
        if not data:
            raise gone()
        return Pixels(
            data,
            rect.width,
            rect.height,
            channels,
            dtype,
            self.transfer(space),
            x=rect.x,
            y=rect.y,
            canvas=(canvas.width, canvas.height),
        )

    def transfer(self, space):
        """ "linear" or "srgb": by the profile's name, else measured once by letting Krita convert a mid grey."""
        known = colours.transfer_by_name(space[2])
        if known is None and space not in self._transfers:
            half = {"U8": b"\x80", "U16": b"\x00\x80", "F16": b"\x00\x38", "F32": b"\x00\x00\x00\x3f"}[space[1]]
            with self.scratch() as document:
                node = document.createNode("grey", "paintlayer")
                node.setColorSpace(*space)
                node.setPixelData(half * (2 if space[0] == "GRAYA" else 4), 0, 0, 1, 1)
                node.setColorSpace(*colours.SRGB8)
                # Linear 0.5 is 188 in sRGB; anything display-encoded stays near 128.
                self._transfers[space] = "linear" if bytes(node.pixelData(0, 0, 1, 1))[1] > 165 else "srgb"
        return known or self._transfers[space]

    def image(self, pixels, space):
        """A QImage of small Pixels for the docker: integers by table, floats as Krita itself converts them."""
        if pixels.dtype in ("f16", "f32"):
            with self.scratch() as document:
                node = document.createNode("small", "paintlayer")
                node.setColorSpace(*space)
                data = colours.krita_bytes(pixels, space, 0, pixels.height)
                node.setPixelData(data, 0, 0, pixels.width, pixels.height)
                node.setColorSpace(*colours.SRGB8)
                data = bytes(node.pixelData(0, 0, pixels.width, pixels.height))
        else:
            data = colours.display_bytes(pixels)
        format = QtGui.QImage.Format.Format_ARGB32
        return QtGui.QImage(data, pixels.width, pixels.height, 4 * pixels.width, format).copy()

    # ---- documents of our own ------------------------------------------------------------------------------------

    def open_kra(self, name, width, height, space=colours.SRGB8):
        """A new Document without a window; its one layer, an empty group "mask", has an empty transparency mask.

        createDocument() would leave these sizes as the user's defaults for new pictures.
        """
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="pincel-krita-")
        path = os.path.join(self._folder, "%s.kra" % name)
        write_kra(path, name, width, height, space)
        document = self.app.openDocument(path)
        with contextlib.suppress(OSError):
            os.unlink(path)
        if document is None:
            raise InputError("Krita could not open a document of its own.", "Restart Krita and try again.")
        document.setBatchmode(True)
        return document

    @contextlib.contextmanager
    def scratch(self):
        """A Document for conversions, invisible and closed afterwards."""
        document = self.open_kra("scratch", 1, 1)
        try:
            yield document
        finally:
            self.drop(document)

    def drop(self, document):
        """Close a document of ours without a question."""
        document.setModified(False)
        document.close()

    def show(self, document):
        """Give a document of ours a window's view; from then on it is the user's, without a file name."""
        self.app.activeWindow().addView(document)
        document.setFileName("")
        document.setBatchmode(False)
        document.setModified(True)

    def close(self):
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
