"""What a job would take, for a line in an editor's dialog: asked of an open session without waiting for the answer."""

import time

from .errors import PincelError
from .words import forecast

PIXEL = 4  # bytes of a pixel that a layer mostly has


class Foretelling:
    """Call look() whenever there is time. text: "About 40 s, 1.2 GB"; "" where the engine knows nothing yet."""

    def __init__(self):
        self.text = ""
        self._question = self._asked = None

    def look(self, session, wanted):
        """Take an answer that came; ask where something else is wanted than before. Whether the text changed. Raises nothing.

        session: an open Session, moved on by somebody else's steps, or None. wanted: (task's name, options, width, height) of
        the job, None for none.
        """
        before = self.text
        if session is None or session.lost or wanted is None:
            self.text, self._question, self._asked = "", None, None
        elif self._question is None:
            self._ask(session, wanted)
        elif self._question.done:
            answer, self._question = self._question.answer, None
            known = answer is not None and answer["seconds"] is not None
            words = forecast(answer["seconds"], answer["bytes"]) if known else ""
            self.text = words[:1].upper() + words[1:]
        return self.text != before

    def again(self):
        """The answer may be another one now: a job was done."""
        self._asked = None

    def _ask(self, session, wanted):
        task, options, width, height = wanted
        asked = (id(session), task, sorted(options.items(), key=str), width, height)
        if asked == self._asked:
            return
        self._asked = asked
        try:
            self._question = session.ask(
                "forecast", task=task, options=options, width=width, height=height, pixel=PIXEL
            )
        except PincelError:
            self._question = None  # an option that is being typed, or a connection that went: the next look asks anew

    def wait(self, session, wanted, seconds):
        """Look until there is an answer, for at most so long; the text."""
        end = time.monotonic() + seconds
        self.look(session, wanted)
        while self._question is not None and time.monotonic() < end:
            session.step(0.02)
            self.look(session, wanted)
        return self.text
