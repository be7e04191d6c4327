"""One request on its way through Krita: read the layer, let the engine work, put the result into the document.

A stepper for the hub's timer. What is read is read at once, when the artist presses the button; what is written is written
a band at a time, when the result is there; in between the artist paints on.
"""

import time

from . import colours, controls_krita, flats, place, thumbs
from .host import gone
from .pincel_client import controls, region
from .pincel_client.errors import Cancelled, PincelError
from .pincel_client.work import Work, say

SMALL = 320  # the longer side of the pictures for comparing
READING, WAITING, WORKING, PLACING, DONE = "reading", "waiting", "working", "placing", "done"


class Run:
    """task: a Task; values: {control name: value} of the docker. Call step(session) until done.

    state: one of the above. text, fraction: for a progress bar, fraction None where unknown. results: list of Pixels, or
    None; chosen: the number of the variant that was put into the document, None before. error: a PincelError, or None.
    before, after: small QImages of the source and of each result. added: the new layer's id. notices: sentences.
    together: a Together of the steps that one Undo takes back, or None.
    """

    def __init__(self, host, document, task, values):
        self.host, self.document, self.task, self.values = host, document, task, dict(values)
        self.key, self.state, self.error = host.key(document), READING, None
        self.results = self.chosen = self.added = self.before = self.info = None
        self.after, self.notices, self.layer_name, self.together = [], [], "", None
        self.began, self.seconds = time.time(), None
        self._work = self._placing = self._plan = self._mask = None
        self._read()

    @property
    def done(self):
        return self.state == DONE

    # ---- reading -------------------------------------------------------------------------------------------------

    def _read(self):
        """Everything that is wanted of the document. Ends the run with the error that comes up."""
        host, document, wanted = self.host, self.document, self.values
        try:
            asked = {c.name: wanted[c.name] for c in controls.controls(self.task) if c.name in wanted}
            asked["place"] = controls_krita.shared_place(asked.get("place"))
            self.request = controls.collect(self.task, asked)
            document.waitForDone()
            selected = host.selection(document)
            pictures = self._pictures(selected)
            self._work_arguments = (self._plan.options if self._plan else self.request.options, pictures)
            self.before = self._small(pictures["source"], self._plan.inside) if self._plan else None
            self.state = WAITING
        except PincelError as error:
            self._end(error)

    def _pictures(self, selected):
        """The pictures to send; sets the plan, the source's space, and the mask that the result will have."""
        host, document = self.host, self.document
        node = host.active_layer(document)
        self.beside = host.id(node) if node is not None else None
        if not self.task.source:
            self.space = host.space(document)
            self._middle = selected or host.canvas(document)
            return {}
        if self.values.get("of") == controls_krita.DOCUMENT:
            node, extent = document.rootNode(), host.canvas(document)
            children = document.rootNode().childNodes()
            self.beside, self.layer_name = host.id(children[-1]) if children else None, document.name() or "Picture"
        else:
            extent = host.ground(document, node, self.task)
            self.layer_name = node.name()
        self.space = host.space(node)
        self._plan = region.Plan(self.task, self.request.options, extent, selected)
        pictures = {"source": host.read(document, node, self._plan.read)}
        for name, id in self.request.layers.items():
            layer = host.layer(document, id)
            if layer is None:
                raise Cancelled("The layer that was chosen for %s is gone." % name, "Choose another one in the docker.")
            # Hints lie over the source, pixel by pixel; a reference is a picture of its own, wherever it lies.
            where = self._plan.read if name == "hints" else host.extent(document, layer)
            pictures[name] = host.read(document, layer, where)
        if selected is not None:
            self._mask = host.mask(document, self._plan.inside)
        return pictures

    def _small(self, pixels, inside):
        part = region.Rect(inside.x - self._plan.read.x, inside.y - self._plan.read.y, inside.width, inside.height)
        return self.host.image(thumbs.small(pixels, SMALL, part), self.space)

    def _hidden(self, below):
        """Whether the line layer's own paper would hide colours that are put below it."""
        lines = self.host.layer(self.document, self.beside) if below and not self.request.multiply else None
        if lines is None or lines.blendingMode() == place.MULTIPLY or self.before is None:
            return False
        return min(thumbs.rows_of(self.before, 4 * self.before.width())[3::4]) == 255

    # ---- the engine ----------------------------------------------------------------------------------------------

    def step(self, session):
        """Go on a little; session: an open Session or None where there is none yet. Raises nothing."""
        try:
            if self.state in (WAITING, WORKING) and not self.host.alive(self.document):
                self.cancel()
                self._end(gone())
            elif self.state == WAITING and session is not None:
                options, pictures = self._work_arguments
                self._work = Work(None, self.task.name, options, pictures, session=session)
                self._work_arguments, self.state = None, WORKING
            elif self.state == WORKING and self._work.done:  # a turn of its own, beside that which took the last bytes
                self._worked()
            elif self.state == WORKING:
                self._work.step(0.0)
            elif self.state == PLACING and self._placing.step():
                self.added, self.error = self._placing.added, self._placing.error
                self.notices += self._placing.notices
                self.together = getattr(self._placing, "together", None)
                self._end(self.error)
        except PincelError as error:
            self._end(error)

    def _worked(self):
        if self._work.error is not None:
            self._end(self._work.error)
            return
        self.results, self.info, self.notices = self._work.results, self._work.info, list(self._work.notices)
        self.seconds = time.time() - self.began
        self._work = None
        for pixels in self.results:
            part = self._plan.part(pixels) if self._plan else None
            space = colours.space_for(pixels, self.space)
            self.after.append(self.host.image(thumbs.small(pixels, SMALL, part), space))
        if len(self.results) == 1 and self.values.get("place") != controls_krita.PREVIEW:
            self.put(0)
        else:
            self._end()

    # ---- the result ----------------------------------------------------------------------------------------------

    def put(self, number):
        """Put a variant into the document; None: all of them, in a group. Step until done again."""
        self.chosen, self.error = number, None
        numbers = range(len(self.results)) if number is None else [number]
        try:
            if not self.host.alive(self.document):
                raise gone()
            wanted = self.values.get("place")
            if wanted == controls_krita.FLATS:
                leaf = self._leaf(numbers[0])
                name, multiply = self._name(numbers[0]), self.request.multiply
                self._placing = flats.Flats(self.host, self.document, leaf, self.beside, name, multiply)
            elif wanted == controls.NEW_IMAGE:
                leaf = self._leaf(numbers[0], masked=False)
                leaf.rect = region.Rect(0, 0, leaf.part.width, leaf.part.height)
                self._placing = place.NewDocument(self.host, self._name(numbers[0]), leaf)
            else:
                self._placing = self._into_document(numbers, wanted)
            self.state = PLACING
        except PincelError as error:
            self._end(error)

    def _into_document(self, numbers, wanted):
        leaves = [self._leaf(n) for n in numbers]
        mode = place.COLOUR_MODE if wanted == controls.COLOUR else place.NORMAL
        group = self.task.title if len(leaves) > 1 else None
        for leaf in leaves:
            leaf.mode = mode if group else place.NORMAL
        growth = None
        if self._plan is not None and self._plan.enlarges and self.values.get("grow"):
            growth = place.Growth(self.host, self.document, leaves[0], self._plan.inside, self.values.get("others"))
            growth = None if growth.done() else growth
        below = wanted == controls.BELOW
        if colours.grey_document(self.host.space(self.document)) and leaves[0].space[0] != "GRAYA":
            self.notices.append(
                "This document is grey: choose Image > Convert Image Color Space… and RGB/Alpha to see the colours."
            )
        if self._hidden(below):
            self.notices.append("The paper of the line layer hides them: set that layer to Multiply, here or by hand.")
        mode = place.NORMAL if group else mode
        return place.Placing(
            self.host, self.document, leaves, self.beside, below, group, mode, growth, below and self.request.multiply
        )

    def _leaf(self, number, masked=True):
        pixels = self.results[number]
        space = colours.space_for(pixels, self.space)
        if self._plan is None:
            rect = region.fitting(pixels.width, pixels.height, self._middle)
            return place.Leaf(self._name(number), pixels, rect, space)
        part, inside = self._plan.part(pixels), self._plan.inside
        rect, mask = region.Rect(inside.x, inside.y, part.width, part.height), self._mask if masked else None
        if mask is not None and (part.width, part.height) != (inside.width, inside.height):
            mask = thumbs.enlarged_mask(mask, inside.width, inside.height, part.width, part.height)
        return place.Leaf(self._name(number), pixels, rect, space, mask=mask, part=part)

    def _name(self, number):
        seeds = (self.info or {}).get("seeds", ())
        words = "%s, seed %d" % (self.task.title, seeds[number]) if number < len(seeds) else self.task.title
        return "%s (%s)" % (self.layer_name, words) if self.layer_name else words

    # ---- ends ----------------------------------------------------------------------------------------------------

    def cancel(self):
        """Stop as soon as possible; nothing is put into the document."""
        if self._work is not None and not self._work.done:
            self._work.cancel()
        elif self.state == WAITING:
            self._end(Cancelled())
        elif self.state == PLACING:
            self._placing.cancel()

    def fail(self, error, whatever=False):
        """End what waits for the engine, since there is none; with `whatever` also what is under way."""
        if self.state in (READING, WAITING) or (whatever and not self.done):
            if self._work is not None:
                self._work.cancel()
            if self._placing is not None:
                self._placing.fail(error)
            self._end(error)

    def close(self):
        """Stop without waiting: Krita is about to quit."""
        if self._work is not None:
            self._work.close()
        if self.state == PLACING:
            self._placing.cancel()
        if not self.done:
            self._end(Cancelled())

    def _end(self, error=None):
        self.error, self.state = error, DONE
        self._work = self._placing = None

    @property
    def fraction(self):
        return self._work.fraction if self._work is not None else 1.0 if self.state in (PLACING, DONE) else None

    @property
    def text(self):
        if self.state == WORKING:
            return self._work.text
        if self.state == DONE:
            return say(self.error) if self.error is not None else " ".join(["Done."] + self.notices)
        return {READING: "Reading the layer", WAITING: "Waiting for the engine", PLACING: "Making the layer"}[
            self.state
        ]
