"""Steps of Krita's undo history that belong together: one Undo of the artist's takes all of them back, one Redo brings all.

Krita records what a plug-in does call by call: growing the canvas, setting Multiply and lowering a layer are steps of their
own beside adding the layer, and its Python has no way to join them. So their Undo is watched: when the last of them was
undone, and the next step to undo is the one before it, Undo is pressed once more. What tells steps apart are their words in
the Edit menu together with what can be seen in the document: a layer that was deleted by hand is not mistaken for an undo.
"""

STILL = 3  # turns without a change, after which Krita is done with what was asked of it


class Together:
    """added: the id of the layer that the steps are about. befores: functions that say whether each step before adding it is
    in force; lowered: a function that says so of the step after it, or None. Call note() after each step, then tick()."""

    def __init__(self, host, document, befores, lowered=None):
        self.host, self.document, self.befores, self.lowered = host, document, list(befores), lowered
        self.added, self.whole = None, len(self.befores) + 1 + (lowered is not None)
        self._undo, self._redo = [], {}
        self._seen, self._way = self.whole, 0
        self._words, self._still = None, STILL

    def note(self):
        """Remember the words of the step that was done just now; call it a turn of the event loop later."""
        self._undo.append(self.host.undo_words(self.document))

    @property
    def several(self):
        """Whether there is anything to keep together."""
        return self.whole > 1 and None not in self._undo and len(self._undo) == self.whole

    def _in_force(self):
        if self.host.layer(self.document, self.added) is not None:
            return self.whole - (self.lowered is not None and not self.lowered())
        count = 0
        while count < len(self.befores) and self.befores[count]():
            count += 1
        return count

    def tick(self):
        """Look whether some but not all of the steps were undone or redone, and go on with the rest."""
        if not self.host.is_active(self.document):
            return
        words = self.host.undo_words(self.document), self.host.redo_words(self.document)
        if words != self._words or (self.restless and not self.host.settled(self.document)):
            # What was undone shows in the document and in the menu one after the other.
            self._words, self._still = words, 0
            return
        self._still += 1
        if self._still == STILL:
            self._go_on()

    @property
    def restless(self):
        """Whether it wants to be called again soon."""
        return self._still < STILL

    def _go_on(self):
        count = self._in_force()
        way = self._way or (count > self._seen) - (count < self._seen)
        self._seen, self._way = count, 0
        if way < 0:
            self._redo[count] = self._words[1]
            if count and self._words[0] == self._undo[count - 1]:
                self._way = way
        elif way > 0 and count < self.whole and self._words[1] == self._redo.get(count):
            self._way = way
        if self._way:
            self._still = 0
            self.host.press("edit_undo" if way < 0 else "edit_redo")
