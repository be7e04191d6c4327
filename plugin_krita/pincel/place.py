"""Results into the document: nodes are filled a band at a time over several turns of the event loop, then added whole.

A node that is filled before it is added makes one undo step. Masks, groups and layers of another colour space than the
document's are put together in a scratch document and cloned (see scratch.py).
"""

from . import colours
from .host import gone, said
from .pincel_client.errors import Cancelled, InputError
from .pincel_client.region import Rect, cut
from .qt import QtCore
from .together import Together

BAND_BYTES = 4 * 1024 * 1024
NORMAL, COLOUR_MODE, MULTIPLY = "normal", "color", "multiply"
_TURNS = 100  # of the event loop, that Krita may take for a step


class Leaf:
    """A layer to be: name, pixels (Pixels), rect (where on the canvas), space (of Krita), mode (blending), mask (bytes of
    1 byte a pixel for `rect`, or None), part (the Rect of the pixels that is meant, as large as `rect`; None: all)."""

    def __init__(self, name, pixels, rect, space, mode=NORMAL, mask=None, part=None):
        self.name, self.pixels, self.rect, self.space, self.mode, self.mask = name, pixels, rect, space, mode, mask
        self.part = part or Rect(0, 0, pixels.width, pixels.height)


class Placing:
    """Call step() until done. Leaves become layers, in a group if `group` names one; they are put above the layer with the
    id `beside`, or below it if `below` is true; at the top where there is no such layer any more.

    document: the user's Document; after the last step `added` is the new layer's id. error: a PincelError, or None.
    mode: the group's blending mode. growth: a Growth of the canvas, or None; multiply: set the layer `beside` to Multiply.
    together: what keeps these steps together when they are undone (a Together), or None where there is but one.
    """

    def __init__(
        self, host, document, leaves, beside=None, below=False, group=None, mode=NORMAL, growth=None, multiply=False
    ):
        self.host, self.document, self.leaves = host, document, leaves
        self.beside, self.below, self.group, self.mode = beside, below, group, mode
        self.growth, self.multiply, self.together = growth, multiply, None
        self.done, self.error, self.added, self.notices = False, None, None, []
        self._scratch, self._work, self._touched = None, None, False

    def step(self):
        """Do about 10 ms of work, or one call of Krita's; whether all is done. Raises nothing."""
        if self.done:
            return True
        try:
            if not self.host.alive(self.document):
                raise gone()
            if self._work is None:
                self._work = self._steps()
            next(self._work)
        except StopIteration:
            self._end()
        except Exception as error:
            self._end(said(error))
        return self.done

    def cancel(self):
        """Leave the document as it is; what has begun to change it is brought to its end."""
        if not self.done and not self._touched:
            self._end(Cancelled())

    def fail(self, error):
        """End it where it stands, since it will get no more turns."""
        if not self.done:
            self._end(error)

    def _end(self, error=None):
        self.done, self.error = True, error
        self._work = None
        if self._scratch is not None:
            self.host.drop(self._scratch)
            self._scratch = None

    def _steps(self):
        own = self.host.space(self.document)
        if self.group is not None or any(leaf.mask is not None or leaf.space != own for leaf in self.leaves):
            self._scratch = self.host.open_kra("scratch", 1, 1)
            yield
        maker = self._scratch or self.document
        nodes = []
        for leaf in self.leaves:
            nodes.append(self._node(maker, leaf))
            yield from fill(nodes[-1], leaf)
            if leaf.mask is not None:
                self._mask(nodes[-1], leaf)
                yield
        top = nodes[0]
        if self.group is not None:
            top = maker.createGroupLayer(self.group)
            for node in nodes:
                top.addChildNode(node, None)
        if self._scratch is not None:
            maker.waitForDone()
            top = top.clone()
        yield
        yield from self._into_document(top)

    def _node(self, maker, leaf):
        node = maker.createNode(leaf.name, "paintlayer")
        if node is None:
            raise gone()
        if maker is self._scratch and not node.setColorSpace(*leaf.space):
            raise InputError("Krita cannot make a layer of %s %s (%s)." % leaf.space)
        if leaf.mode != NORMAL:
            node.setBlendingMode(leaf.mode)
        return node

    def _mask(self, node, leaf):
        mask = self._scratch.rootNode().childNodes()[0].childNodes()[0].clone()
        mask.setPixelData(QtCore.QByteArray(leaf.mask), *leaf.rect)
        node.addChildNode(mask, None)

    def _into_document(self, top):
        """Put the layer that is ready into the document, and do what belongs to it before and after."""
        host, document = self.host, self.document
        lines = host.layer(document, self.beside) if self.beside else None
        before = [self.growth] if self.growth is not None else []
        if self.multiply and lines is not None and lines.blendingMode() != MULTIPLY:
            before.append(Multiply(host, document, self.beside))
        lowest = self.below and lines is not None and host.id(lines.parentNode().childNodes()[0]) == self.beside
        lower = lowest and lines.type() != "grouplayer" and host.is_active(document)
        together = Together(host, document, [step.done for step in before], self._is_below if lower else None)
        self._touched = True
        for step in before:
            yield from self._noted(together, step.do)
        if lowest and not lower:
            self._instead()
        yield from self._noted(together, lambda: self._add(top, lines))
        together.added = self.added
        if self.group is not None:  # Krita composes a group that comes with its layers only when asked
            document.refreshProjection()
        if lower:
            yield from self._lower(together)
        self.together = together if together.several else None

    def _noted(self, together, step):
        """Do a step and wait until the undo history has it, which it has some turns of the event loop later."""
        words = self.host.undo_words(self.document)
        step()
        self.document.waitForDone()
        for _ in range(5):
            yield
            if self.host.undo_words(self.document) != words:
                break
        together.note()

    def _add(self, top, beside):
        document, host = self.document, self.host
        parent, above = (beside.parentNode() if beside is not None else document.rootNode()), beside
        if beside is not None and self.below:
            siblings = parent.childNodes()
            index = [host.id(node) for node in siblings].index(self.beside)
            above = siblings[index - 1] if index else beside
        if self.mode != NORMAL:
            top.setBlendingMode(self.mode)
        if not parent.addChildNode(top, above):
            raise InputError("Krita did not take the new layer.", "Is the group locked? Choose another layer.")
        self.added = host.id(top)
        # The view learns of the node one turn later.
        QtCore.QTimer.singleShot(0, lambda: host.alive(document) and document.setActiveNode(top))

    def _instead(self):
        """Krita's Python has no way to put a layer under the lowest one, but multiplying is commutative."""
        self.mode = MULTIPLY
        self.notices.append(
            "The lines are the lowest layer: the colours were put above them in Multiply, which looks the same."
        )

    def _lower(self, together):
        """Lower the new layer by one, as the arrow in the Layers docker does: that works with the chosen layer only."""
        host, document = self.host, self.document
        chosen = False
        for _ in range(_TURNS):
            yield
            node = host.active_layer(document)
            chosen = host.is_active(document) and node is not None and host.id(node) == self.added
            made = host.layer(document, self.added)
            if chosen or made is None or not host.is_active(document):
                break
            document.setActiveNode(made)
        words = host.undo_words(document)
        if chosen:
            host.press("move_layer_down")
            for _ in range(_TURNS):
                yield
                document.waitForDone()  # Krita waits for more of the same before it records the step
                if self._is_below() and host.undo_words(document) != words:
                    together.note()
                    return
        made = host.layer(document, self.added)
        if made is not None and not self._is_below():
            self._instead()
            made.setBlendingMode(MULTIPLY)

    def _is_below(self):
        """Whether the new layer lies somewhere under the layer `beside`, in the same group."""
        node = self.host.layer(self.document, self.added)
        ids = [self.host.id(n) for n in node.parentNode().childNodes()] if node is not None else []
        return self.beside in ids and ids.index(self.added) < ids.index(self.beside)


class Multiply:
    """A step: set the layer of that id to Multiply."""

    def __init__(self, host, document, id):
        self.host, self.document, self.id = host, document, id

    def do(self):
        self.host.layer(self.document, self.id).setBlendingMode(MULTIPLY)

    def done(self):
        layer = self.host.layer(self.document, self.id)
        return layer is not None and layer.blendingMode() == MULTIPLY


class Growth:
    """A step: make the canvas fit an enlarged layer; with `others` by scaling the whole picture, whose place moves along.

    leaf: what was made of the Rect `inside` of the picture; its own place is moved at once."""

    def __init__(self, host, document, leaf, inside, others):
        self.host, self.document, self.others = host, document, others
        canvas = host.canvas(document)
        if others:
            across, down = leaf.rect.width / float(inside.width), leaf.rect.height / float(inside.height)
            self.width, self.height = round(canvas.width * across), round(canvas.height * down)
            leaf.rect.x, leaf.rect.y = round(leaf.rect.x * across), round(leaf.rect.y * down)
        else:
            self.width, self.height = max(canvas.width, leaf.rect.right), max(canvas.height, leaf.rect.bottom)

    def do(self):
        document = self.document
        if self.others:
            document.scaleImage(self.width, self.height, int(document.xRes()), int(document.yRes()), "Bicubic")
        else:
            document.resizeImage(0, 0, self.width, self.height)

    def done(self):
        canvas = self.host.canvas(self.document)
        return (canvas.width, canvas.height) == (self.width, self.height)


def fill(node, leaf):
    """Write a Leaf's pixels into a node, some bands at each step of this generator."""
    pixels, rect, part = leaf.pixels, leaf.rect, leaf.part
    rows = max(1, BAND_BYTES * pixels.height // max(1, pixels.nbytes))
    for first in range(0, part.height, rows):
        count = min(rows, part.height - first)
        if part.width == pixels.width:
            band = colours.krita_bytes(pixels, leaf.space, part.y + first, part.y + first + count)
        else:
            cropped = cut(pixels, Rect(part.x, part.y + first, part.width, count))
            band = colours.krita_bytes(cropped, leaf.space, 0, count)
        node.setPixelData(QtCore.QByteArray(band), rect.x, rect.y + first, rect.width, count)
        yield


class NewDocument:
    """Call step() until done: Pixels as the one layer of a new document, shown in a tab of its own."""

    def __init__(self, host, name, leaf):
        self.host, self.name, self.leaf = host, name, leaf
        self.done, self.error, self.added, self.notices = False, None, None, []
        self.document, self._work = None, None

    def step(self):
        if self.done:
            return True
        try:
            if self._work is None:
                self._work = self._steps()
            next(self._work)
        except StopIteration:
            self.done = True
        except Exception as error:
            self._drop(said(error))
        return self.done

    def cancel(self):
        self.fail(Cancelled())

    def fail(self, error):
        if not self.done:
            self._drop(error)

    def _drop(self, error):
        self.done, self.error = True, error
        if self.document is not None:
            self.host.drop(self.document)

    def _steps(self):
        leaf = self.leaf
        document = self.document = self.host.open_kra("new", leaf.rect.width, leaf.rect.height, leaf.space)
        yield
        node = document.createNode(leaf.name, "paintlayer")
        node.setColorSpace(*leaf.space)
        yield from fill(node, leaf)
        root = document.rootNode()
        empty = root.childNodes()[0]
        root.addChildNode(node, empty)
        empty.remove()
        document.setName(self.name)
        document.waitForDone()
        yield
        self.host.show(document)
        self.added = self.host.id(node)
