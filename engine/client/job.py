"""A picture's way through the engine, as a stepper: no threads, so that it suits an editor's timer as well as a loop."""

from .catalogue import from_dict
from .errors import Cancelled, EngineError, EngineNotAnswering, PincelError

# Seconds of listening without a word about a job, of which one every 0.5 s is promised, after which it is given up.
SILENCE = 15.0


class Progress:
    """One report. phase: what is being done; step of steps in it; fraction: 0..1 of the job, never falling, 1 only with
    the result; eta: seconds still to go, or None where that is not known."""

    def __init__(self, phase, step, steps, fraction, eta):
        self.phase, self.step, self.steps, self.fraction, self.eta = phase, step, steps, fraction, eta


class Job:
    """Made by Session.submit. Call step() until it is true, or wait().

    state: "sent", "queued", "running", and at last exactly one of "result", "error", "cancelled". progress: a Progress, or
    None before the first. position: in the queue, 0 is next. At the end: result, a list of Pixels, and info, what made
    them; or error, a PincelError (Cancelled where the user stopped it).
    """

    def __init__(self, session, id):
        self.session, self.id = session, id
        self.state, self.progress, self.position, self.device, self.attempt = "sent", None, None, None, 0
        self.result, self.info, self.error = None, None, None
        self._heard = session.listened
        self._cancelling = False

    @property
    def done(self):
        return self.state in ("result", "error", "cancelled")

    def step(self, timeout=0.0):
        """Move the job on for at most `timeout` seconds; whether it is done. Raises nothing: see `error`."""
        if not self.done:
            self.session.step(timeout)
        if not self.done and self.session.listened - max(self._heard, self.session.moved_at) > SILENCE:
            self.cancel()
            self.fail(EngineNotAnswering("The engine said nothing about the job for %g seconds." % SILENCE))
        return self.done

    def wait(self, on_progress=None, timeout=0.1, cancelled=None):
        """Step until the end; the result (list of Pixels). on_progress gets each new Progress. Raises the job's error.

        cancelled: asked after each step; where it says true the job is cancelled, and its end awaited. Whatever is raised in
        between, Ctrl-C for one, cancels the job too.
        """
        told = None
        try:
            while not self.step(timeout):
                if on_progress is not None and self.progress is not None and self.progress is not told:
                    told = self.progress
                    on_progress(told)
                if cancelled is not None and cancelled():
                    self.cancel()
        except BaseException:
            self.cancel()
            self.session.step(0.0)
            raise
        if self.error is not None:
            raise self.error
        if on_progress is not None:
            on_progress(self.progress)
        return self.result

    def cancel(self):
        """Ask the engine to stop; go on stepping until the job is done. It may still end with a result."""
        if not self.done and not self._cancelling:
            self._cancelling = True
            self.session.send("cancel", job=self.id)

    # ---- what the session tells it -------------------------------------------------------------------------------

    def take(self, message):
        """A message of the engine about this job."""
        if self.done:
            return
        self._heard = self.session.listened
        header = message.header
        if message.type == "queued":
            self.state, self.position = "queued", header["position"]
        elif message.type == "started":
            self.state, self.position = "running", None
            self.device, self.attempt = header["device"], header["attempt"]
        elif message.type == "progress":
            before = self.progress.fraction if self.progress else 0.0
            fraction = max(before, min(0.999, float(header["fraction"])))
            self.state = "running"
            self.progress = Progress(header["phase"], header["step"], header["steps"], fraction, header["eta"])
        elif message.type == "result":
            self._finish(message)
        elif message.type == "error":
            self.fail(from_dict(header["error"]))
        elif message.type == "cancelled":
            self.fail(Cancelled())

    def _finish(self, message):
        try:
            pictures = list(message.pictures(side_max=None).values())
        except PincelError as error:
            self.fail(error)
            return
        if not pictures:
            self.fail(EngineError("The engine sent a result without a picture."))
            return
        self.result, self.info = pictures, message.header["info"]
        self.progress = Progress("done", 1, 1, 1.0, 0.0)
        self._end("result")

    def fail(self, error):
        """End the job with this error, unless it has ended."""
        if not self.done:
            self.error = error
            self._end("cancelled" if isinstance(error, Cancelled) else "error")

    def _end(self, state):
        self.state = state
        self.session.forget(self)
