"""The plug-in's one heart: a timer that moves the engine's session and all runs on, a few milliseconds at a time.

Nothing here waits. The docker and the actions ask the hub for things and are told of changes by its signal.
"""

import time
import traceback

from . import __version__
from .pincel_client.connecting import Connecting
from .pincel_client.errors import EngineNotRunning, InternalError, PincelError
from .pincel_client.options import TASKS
from .pincel_client.session import Session
from .pincel_client.work import START_SECONDS, say
from .qt import QtCore, Signal
from .run import Run

PROGRAM = ("krita", __version__)
BUSY_MS, IDLE_MS = 15, 250
LOOK_SECONDS, STATUS_SECONDS = 3.0, 2.0
KEPT = 30  # results whose steps of undo are kept together
OFF, STARTING, READY, BUSY, FAILED = "off", "starting", "ready", "busy", "failed"


class Hub(QtCore.QObject):
    """host: a Host. environ: instead of os.environ, where the engine is looked for.

    session: an open Session, or None. engine: one of the words above; sentence: why it failed. tasks: {name: Task}. runs:
    under way; ghosts: previews under way; tickers: called at every turn; together: the undo steps of results (together.py).
    Signals: changed (anything worth drawing anew), finished(run).
    """

    changed = Signal()
    finished = Signal(object)

    def __init__(self, host, environ=None):
        super().__init__()
        self.host, self.environ = host, environ
        self.session, self.engine, self.sentence = None, OFF, ""
        self.tasks = TASKS
        self.runs, self.ghosts, self.tickers, self.together = [], [], [], []
        self.states = {}  # of each document's key, for the dockers of all windows
        self.device, self.memory = "", 0
        self._connecting = self._question = self._free = None
        self._may_start, self._fault = False, ""
        self._looked = self._asked = 0.0
        self._turn = 0
        self.timer = QtCore.QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(IDLE_MS)

    # ---- what is asked of it -------------------------------------------------------------------------------------

    def run(self, document, task, values):
        """Start a Run on a document and give it. The engine is started if need be."""
        run = Run(self.host, document, task, values)
        self.add(run)
        return run

    def add(self, run):
        """Move a run on until it is done; one that a docker brought back to life too."""
        if run not in self.runs:
            self.runs.append(run)
        self.wake()

    def start(self):
        """Look for the engine and start one if none runs."""
        if self.session is None and not (self._connecting is not None and self._may_start):
            self._connect(start=True)
        self.wake()

    def free(self):
        """Ask the engine to give its memory back."""
        if self.session is not None and not self.session.lost:
            self._free = self._ask("free")
            self.wake()

    def _ask(self, type):
        """A Question, or None where the connection was lost just now: the next turn notices."""
        try:
            return self.session.ask(type)
        except PincelError:
            return None

    def wake(self):
        self.timer.setInterval(BUSY_MS)
        self.changed.emit()

    def run_of(self, key):
        """The run that is under way for a document's key, or None."""
        return next((run for run in self.runs if run.key == key and not run.done), None)

    def close(self):
        """Krita quits: open jobs are dropped, the engine goes on and gives up their work."""
        self.timer.stop()
        for run in self.runs + self.ghosts:
            run.close()
        self.runs, self.ghosts = [], []
        if self._connecting is not None:
            self._connecting.close()
        if self.session is not None:
            self.session.close()
        self.host.close()

    # ---- the timer -----------------------------------------------------------------------------------------------

    def tick(self):
        """One turn of the timer. A fault of ours must not become a dialog at each turn: it ends what it happened in."""
        try:
            self._tick()
        except Exception as fault:
            if self._fault != repr(fault):
                traceback.print_exc()
            self._fault = repr(fault)
            for run in self.runs + self.ghosts:
                run.fail(InternalError("The plug-in failed: %s." % self._fault), whatever=True)
            self.sentence = "The plug-in failed: %s." % self._fault
            self.changed.emit()

    def _tick(self):
        """The connection, one of the runs, what the docker wants done regularly."""
        before = (self.engine, self.device, self.memory, self.sentence)
        self._keep_connection()
        live = self.runs + self.ghosts
        if live:
            self._turn += 1
            self._step(live[self._turn % len(live)])
        elif self.session is not None:
            self.session.step(0.0)
        self.together = [steps for steps in self.together if self.host.alive(steps.document)][-KEPT:]
        for ticker in self.tickers + [steps.tick for steps in self.together]:
            ticker()
        self._look_after_status()
        restless = self.runs or self.ghosts or any(steps.restless for steps in self.together)
        self.timer.setInterval(BUSY_MS if restless or self.engine == STARTING else IDLE_MS)
        if live or before != (self.engine, self.device, self.memory, self.sentence):
            self.changed.emit()

    def _step(self, run):
        if not run.done:
            if self.session is None and self.engine in (OFF, FAILED) and self._connecting is None:
                self._connect(start=True)
            run.step(self.session)
        if run.done:
            self._asked = 0.0  # the engine's line is not to say busy for longer than it is
            (self.runs if run in self.runs else self.ghosts).remove(run)
            if getattr(run, "together", None) is not None:
                self.together.append(run.together)
                run.together = None
            self.finished.emit(run)

    def _keep_connection(self):
        if self.session is not None and self.session.lost:
            self.session, self.engine, self.device, self.memory, self._question = None, OFF, "", 0, None
        if self.session is None and self._connecting is None:
            if time.monotonic() - self._looked < LOOK_SECONDS:
                return
            self._connect(start=False)
        if self._connecting is not None:
            try:
                link = self._connecting.step(0.0)
            except EngineNotRunning as error:
                self._connecting = None
                if self.engine == STARTING:
                    self._failed(error)
                elif self.engine != FAILED:
                    self.engine = OFF
            except PincelError as error:
                self._failed(error)
            else:
                if link is not None:
                    self._connecting = None
                    self._connected(Session(link))

    def _connect(self, start):
        if self._connecting is not None:
            self._connecting.close()
        self._looked = time.monotonic()
        self._connecting = Connecting(PROGRAM, start, START_SECONDS, self.environ)
        self._may_start = start
        if start:
            self.engine, self.sentence = STARTING, ""

    def _connected(self, session):
        self.session, self.engine, self.sentence = session, READY, ""
        self.device = ", ".join(session.devices)
        self._asked = 0.0

    def _failed(self, error):
        """No engine: the runs that wait for one get to know it."""
        self._connecting, self.engine, self.sentence = None, FAILED, say(error)
        for run in list(self.runs + self.ghosts):
            if not run.done:
                run.fail(error)
                self._step(run)
        self.changed.emit()

    def _look_after_status(self):
        """Ask the engine now and then what it is doing, and take the answer when it is there."""
        if self.session is None:
            return
        question = self._question
        if question is not None and question.done:
            if question.answer is not None:
                workers = question.answer["workers"]
                busy = any(worker["state"] == "busy" for worker in workers) or question.answer["queue"]
                self.engine = BUSY if busy else READY
                self.device = ", ".join(sorted({w["device"] for w in workers})) or ", ".join(self.session.devices)
                self.memory = sum(worker["memory"] or 0 for worker in workers)
            self._question = None
        elif question is None and time.monotonic() - self._asked > STATUS_SECONDS and not self.session.lost:
            self._asked = time.monotonic()
            self._question = self._ask("status")
