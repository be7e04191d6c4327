"""A request on its way, from "is there an engine?" to the pictures, as one stepper with words for a progress bar.

Shared by the plug-ins. GIMP loops on it in the plug-in's own process, Krita calls it from a timer:

    work = Work(("gimp", "0.1.0"), "colorize", {"seed": 7}, {"source": pixels})
    while not work.step(0.1):
        bar(work.fraction, work.text)      # fraction None: it is not known how long this lasts
    if work.error: say(work.sentence)      # one sentence and its remedy
    else: work.results, work.notices
"""

from .connecting import Connecting
from .errors import Cancelled, PincelError
from .session import Session
from .words import duration

# Seconds within which an engine must be there: a first start may have to read all of PyTorch from a slow disk.
START_SECONDS = 90.0
_PHASES = {
    "start": "Starting",
    "load": "Loading the network",
    "read": "Reading the picture",
    "net": "Computing",
    "blend": "Putting the colours on",
    "write": "Finishing",
    "done": "Done",
}


class Work:
    """program: (name, version) of the plug-in. task: a name. options, pictures: see Session.submit.

    session: an open Session that is used and left open; without one, one is made, an engine started if start is true,
    and closed at the end. results: a list of Pixels, info: what made them. error: a PincelError, or None.
    """

    def __init__(self, program, task, options, pictures, session=None, start=True, environ=None):
        self._asked = (task, options, pictures)
        self.session, self._own = session, session is None
        self._connecting = Connecting(program, start, START_SECONDS, environ) if self._own else None
        self.job = self.results = self.info = self.error = None

    @property
    def done(self):
        return self.results is not None or self.error is not None

    def step(self, timeout=0.0):
        """Go on for at most about `timeout` seconds; whether all is over. Raises nothing."""
        if self.done:
            return True
        try:
            if self.session is None:
                link = self._connecting.step(timeout)
                if link is None:
                    return False
                self.session = Session(link)
            if self.job is None:
                self.job = self.session.submit(*self._asked)
            elif self.job.step(timeout):
                self.results, self.info, self.error = self.job.result, self.job.info, self.job.error
        except PincelError as error:
            self.error = error
        if self.done:
            self._end()
        return self.done

    def cancel(self):
        """Stop. The job may need some more steps until it is done."""
        if self.job is not None and not self.done:
            self.job.cancel()
        elif not self.done:
            self.error = Cancelled()
            self._end()

    def close(self):
        """Stop without waiting for an answer: for an editor that is about to quit."""
        if not self.done:
            self.cancel()
            if self.session is not None:
                self.session.step(0.0)
            self.error = self.error or Cancelled()
            self._end()

    def _end(self):
        if self._own and self.session is not None:
            self.session.close()
        elif self._own and self._connecting is not None:
            self._connecting.close()

    # ---- in words ------------------------------------------------------------------------------------------------

    @property
    def fraction(self):
        """From 0 to 1 while the job runs, None before."""
        return self.job.progress.fraction if self.job is not None and self.job.progress is not None else None

    @property
    def text(self):
        """What is being done, e.g. "Computing, 3 of 12, about 5 s left"."""
        if self.job is None:
            return "Looking for the engine" if self._connecting is None or not self.starting else "Starting the engine"
        if self.job.state == "sent":
            return "Sending the picture"
        if self.job.state == "queued":
            return "Waiting: %d before this one" % self.job.position if self.job.position else "Waiting for its turn"
        progress = self.job.progress
        if progress is None:
            return "Starting"
        words = [_PHASES.get(progress.phase, progress.phase.capitalize())]
        if progress.steps > 1:
            words.append("%d of %d" % (min(progress.step + 1, progress.steps), progress.steps))
        if progress.eta is not None and progress.eta >= 1.5:
            words.append("about %s left" % duration(progress.eta))
        return ", ".join(words)

    @property
    def starting(self):
        """Whether an engine was started and is being waited for."""
        return self.session is None and self._connecting is not None and self._connecting.starting

    @property
    def notices(self):
        """Sentences that the user should read with the result."""
        return list((self.info or {}).get("notices", ()))

    @property
    def sentence(self):
        """The error and its remedy in one line, "" without one."""
        return "" if self.error is None else say(self.error)


def say(error):
    """What an editor shows of a PincelError: the sentence and the remedy."""
    return ("%s %s" % (error.sentence, error.remedy)).strip()
