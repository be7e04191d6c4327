"""A Krita in plain Python for the plug-in's tests: documents, layers, selections, undo; just what the plug-in calls.

It keeps Krita's rules that matter: pixels outside a layer are zeros, groups have no pixels of their own but a projection, data
that is too short is ignored, createNode in a closed document gives None, every call that changes the document is a step of its
own in the undo history of the document in front. put_into_modules() makes it importable as `krita`; the Qt version is the one
that is asked for.
"""

from __future__ import annotations

import sys
import types

from tests.fakes.krita_nodes import Node


class Selection:
    def __init__(self):
        self._box, self._data = (0, 0, 0, 0), b""

    def select(self, x, y, w, h, value):
        self._box, self._data = (x, y, w, h), bytes([value]) * (w * h)

    def x(self):
        return self._box[0]

    def y(self):
        return self._box[1]

    def width(self):
        return self._box[2]

    def height(self):
        return self._box[3]

    def pixelData(self, x, y, w, h):
        bx, by, bw, bh = self._box
        rows = []
        for row in range(y, y + h):
            rows.append(
                bytes(
                    self._data[(row - by) * bw + c - bx] if by <= row < by + bh and bx <= c < bx + bw else 0
                    for c in range(x, x + w)
                )
            )
        return b"".join(rows)


class Document:
    def __init__(self, app, width, height, model="RGBA", depth="U8", profile="sRGB-elle-V2-srgbtrc.icc", name=""):
        self.app, self._qt, self._size, self._name = app, app._qt, (width, height), name
        self._model, self._depth, self._profile = model, depth, profile
        self._open, self._undo, self._redo, self._annotations, self._selection, self._file = True, [], [], {}, None, ""
        self._root = Node(self, "root", "grouplayer")
        self._active = None
        self.busy = False
        app._documents.append(self)

    # what the tests use
    def put(self, name, data, x, y, w, h, kind="paintlayer", parent=None):
        node = Node(self, name, kind)
        (parent or self._root).addChildNode(node, None)
        if kind == "grouplayer":
            pass
        elif kind == "paintlayer":
            node.setPixelData(data, x, y, w, h)
        else:
            node._box, node._data = (x, y, w, h), data
        self._active = node
        self._undo.clear()
        return node

    def did(self, words, back, forth):
        self._undo.append((words, back, forth))
        self._redo.clear()

    def undo(self):
        self._redo.append(self._undo.pop())
        self._redo[-1][1]()

    def redo(self):
        self._undo.append(self._redo.pop())
        self._undo[-1][2]()

    # what Krita has
    def rootNode(self):
        return self._root if self._open else None

    def activeNode(self):
        return self._active

    def setActiveNode(self, node):
        self._active = node

    def name(self):
        return self._name

    def setName(self, name):
        self._name = name

    def setFileName(self, name):
        self._file = name

    def width(self):
        return self._size[0]

    def height(self):
        return self._size[1]

    def xRes(self):
        return 72.0

    yRes = xRes

    def colorModel(self):
        return self._model

    def colorDepth(self):
        return self._depth

    def colorProfile(self):
        return self._profile

    def waitForDone(self):
        pass

    refreshProjection = waitForDone

    def tryBarrierLock(self):
        return not self.busy

    def unlock(self):
        pass

    def createNode(self, name, kind):
        return Node(self, name, kind) if self._open else None

    def createGroupLayer(self, name):
        return self.createNode(name, "grouplayer")

    def selection(self):
        return self._selection

    def setSelection(self, selection):
        self._selection = selection

    def annotation(self, kind):
        return self._qt.QtCore.QByteArray(self._annotations.get(kind, b""))

    def setAnnotation(self, kind, words, data):
        self._annotations[kind] = bytes(data)

    def setBatchmode(self, on):
        pass

    def setModified(self, on):
        pass

    def scaleImage(self, width, height, xres, yres, way):
        assert isinstance(xres, int) and isinstance(yres, int)  # as Krita's own binding wants it
        self._resize(width, height, "Scale Image")
        self.scaled = way

    def resizeImage(self, x, y, width, height):
        self._resize(width, height, "Resize Image")

    def _resize(self, width, height, words):
        def set(size):
            self._size = size

        before = self._size
        set((width, height))
        self.did(words, lambda: set(before), lambda: set((width, height)))

    def close(self):
        self._open = False
        self.app._documents.remove(self)
        if self.app._front is self:
            self.app._front = self.app._documents[-1] if self.app._documents else None


class Window:
    def __init__(self, app):
        self.app = app

    def addView(self, document):
        self.app._front = document


class Action:
    """One of Krita's menu entries: of the document in front."""

    def __init__(self, app, name):
        self.app, self.name = app, name

    def text(self):
        steps = getattr(self.app._front, {"edit_undo": "_undo", "edit_redo": "_redo"}[self.name])
        return f"{'Undo' if self.name == 'edit_undo' else 'Redo'} {steps[-1][0] if steps else ''}"

    def trigger(self):
        document = self.app._front
        if self.name == "move_layer_down":
            document.activeNode().lower()
        elif self.name == "edit_undo" and document._undo:
            document.undo()
        elif self.name == "edit_redo" and document._redo:
            document.redo()


class Krita:
    _running = None

    def __init__(self, qt):
        self._qt, self._documents, self._front = qt, [], None
        self.window = Window(self)
        Krita._running = self

    @classmethod
    def instance(cls):
        return cls._running

    def documents(self):
        return list(self._documents)

    def activeDocument(self):
        return self._front

    def setActiveDocument(self, document):
        self._front = document

    def action(self, name):
        return Action(self, name)

    def activeWindow(self):
        return self.window

    def openDocument(self, path):
        """The plug-in opens its own files only: an empty group with a mask."""
        import zipfile
        from xml.etree import ElementTree

        with zipfile.ZipFile(path) as file:
            image = next(e for e in ElementTree.fromstring(file.read("maindoc.xml")) if e.tag.endswith("IMAGE"))
        model, depth = image.get("colorspacename"), "U8"
        for suffix, known in (("F16", "F16"), ("F32", "F32"), ("16", "U16")):
            if model.endswith(suffix):
                model, depth = model[: -len(suffix)], known
                break
        size = int(image.get("width")), int(image.get("height"))
        document = Document(self, *size, model, depth, image.get("profile"), image.get("name"))
        group = Node(document, "mask", "grouplayer")
        document._root.addChildNode(group, None)
        group.addChildNode(Node(document, "Selection", "transparencymask"), None)
        return document


def put_into_modules(major=6):
    """`import krita` gives this fake on PyQt of that major version, from now on; the fake Krita that runs."""
    import importlib

    qt = types.SimpleNamespace(
        QtCore=importlib.import_module(f"PyQt{major}.QtCore"), QtGui=importlib.import_module(f"PyQt{major}.QtGui")
    )
    module = types.ModuleType("krita")
    module.Krita, module.Selection = Krita, Selection
    module.qVersion = qt.QtCore.qVersion
    sys.modules["krita"] = module
    return Krita(qt)
