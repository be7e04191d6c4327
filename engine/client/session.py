"""A client's session with the engine: questions and jobs. One thread; it waits only where a timeout says so.

    with Session.connect("my-script", "1.0", start=True) as session:
        [result] = session.submit("colorize", {"seed": 7}, {"source": pixels}).wait()

A connection that was lost fails the jobs that were open, and is made anew by the next question or submit; no job is
ever sent twice.
"""

import time

from .catalogue import from_dict
from .connecting import RESULT_MAX, TIMEOUT, Connecting
from .errors import Cancelled, EngineNotAnswering, MessageTooLarge, OptionError, PincelError
from .job import Job
from .protocol import FROM_ENGINE, HEADER_MAX, UNKNOWN, unpack

ANSWER_SECONDS = 5.0
FREE_SECONDS = 30.0
# Between two steps at most this counts as listening: a host that was busy heard nothing, but that is no silence.
_GAP = 1.0


class Question:
    """A question that was sent (Session.ask). done; answer: the fields that came back, or None; error: a PincelError."""

    def __init__(self, type):
        self.type, self.answer, self.error = type, None, None

    @property
    def done(self):
        return self.answer is not None or self.error is not None

    def take(self, header):
        if header["type"] == "error":
            self.error = from_dict(header["error"])
        else:
            self.answer = {k: v for k, v in header.items() if k not in ("type", "id", "session", "seq")}


class Session:
    """Made by connect(), or from the Link that Connecting gives.

    engine_version: text. tasks, models: lists of dicts, limits: dict, devices: list, as the engine's welcome had them.
    listened: seconds of listening so far; moved_at: its value when bytes of a message moved last.
    """

    def __init__(self, link):
        self.listened = self.moved_at = 0.0
        self._jobs, self._answers, self._count = {}, {}, 0
        self._take_up(link)

    @classmethod
    def connect(cls, name, version, start=False, timeout=TIMEOUT, environ=None, at=None):
        """A session with this user's engine. name, version: of the calling program. start: start one if none runs.
        at: a Connection, instead of this user's engine.

        Raises EngineNotRunning, EngineStart, EngineNotAnswering, WrongKey or ProtocolMismatch.
        """
        connecting = Connecting((name, version), start, timeout, environ, at)
        while True:
            link = connecting.step(0.1)
            if link is not None:
                return cls(link)

    def _take_up(self, link):
        self._link, self._error, self._stepped = link, None, time.monotonic()
        welcome = link.welcome
        self.engine_version, self.devices = welcome["version"], welcome["devices"]
        self.tasks, self.models, self.limits = welcome["tasks"], welcome["models"], welcome["limits"]

    @property
    def lost(self):
        """Whether the connection is over."""
        return self._error is not None

    def close(self):
        """End the session; jobs that are open are cancelled, the engine drops them."""
        self._lose(Cancelled("The session was closed."))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # ---- questions -----------------------------------------------------------------------------------------------

    def ask(self, type, **fields):
        """Send a question ("status", "free"...) without waiting: a Question, which the session's steps complete."""
        question = Question(type)
        self._answers[self.send(type, **fields)] = question
        return question

    def ping(self):
        """The seconds that the engine took to answer."""
        begin = time.monotonic()
        self._ask("ping")
        return time.monotonic() - begin

    def list_models(self):
        """The weights that the engine has, as dicts: name, task, title, default, licence, sha256, bytes."""
        self.models = self._ask("list")["models"]
        return self.models

    def status(self):
        """A dict of queue, workers, keep_alive and uptime, see PROTOCOL.md, section 5."""
        return self._ask("status")

    def forecast(self, task, options, width=0, height=0, pixel=4):
        """What such a job is expected to take, by what others took: a dict of seconds, bytes (both None where no such job
        was done yet), phases and jobs, see PROTOCOL.md, section 5. width, height: the source's; pixel: its bytes a pixel."""
        return self._ask("forecast", task=task, options=options, width=width, height=height, pixel=pixel)

    def free(self):
        """End the idle workers, so that their memory returns."""
        self._ask("free", FREE_SECONDS)

    def stop(self):
        """Ask the engine to end. Jobs of everybody end as engine.stopping."""
        self._ask("stop")

    # ---- jobs ----------------------------------------------------------------------------------------------------

    def submit(self, task, options, pictures):
        """A Job for the task; options: those that differ from the defaults; pictures: {"source": Pixels, ...}, or {} for a
        task without a source.

        Returns at once; the job's steps send the pictures, which must not change meanwhile. Raises OptionError,
        MessageTooLarge, or what connecting anew raises. The engine's own refusals end the job.
        """
        size = HEADER_MAX + sum(p.nbytes + len(p.icc) for p in pictures.values())
        limit = self.limits.get("max_bytes")
        if isinstance(limit, int) and size > limit:
            raise MessageTooLarge("The pictures have %d bytes, the engine takes %d." % (size, limit), limit=limit)
        id = self.send("submit", pictures, task=task, options=options)
        self._jobs[id] = Job(self, id)
        return self._jobs[id]

    def forget(self, job):
        """The job has ended; what still comes for it is passed over."""
        self._jobs.pop(job.id, None)

    # ---- the wire ------------------------------------------------------------------------------------------------

    def step(self, timeout=0.0):
        """Send and receive for at most `timeout` seconds, or until something came. Losses end up in the jobs."""
        dealer, moved = self._link.dealer, self._link.dealer.moved
        if self._error is None:
            try:
                parts = dealer.recv(timeout)
                self._listen()
                while parts is not None:
                    self._route(unpack(self._link.connection.key, parts, FROM_ENGINE, RESULT_MAX))
                    parts = dealer.recv(0.0)
            except PincelError as error:
                self._lose(error)
        if dealer.moved != moved:
            self.moved_at = self.listened

    def send(self, type, buffers=None, **fields):
        """Queue a message and give its id. A lost connection is made anew, except for a cancel: its job is lost too."""
        self.step(0.0)
        if self._error is not None:
            if type == "cancel":
                return UNKNOWN
            self._reconnect()
        self._count += 1
        id = "r%d" % self._count
        try:
            parts = self._link.numbering.pack(type, id, buffers, **fields)
        except (TypeError, ValueError, RecursionError):
            raise OptionError("The options are not plain values: numbers, texts, true and false.") from None
        self._link.dealer.send(parts)
        return id

    def _ask(self, type, timeout=ANSWER_SECONDS, **fields):
        """The fields of the answer to a question. Raises the engine's error, or EngineNotAnswering."""
        question = self.ask(type, **fields)
        end = self.listened + timeout
        while not question.done:
            if self.listened > end:
                self._answers = {id: q for id, q in self._answers.items() if q is not question}
                raise EngineNotAnswering("The engine did not answer within %g seconds." % timeout)
            self.step(0.1)
        if question.error is not None:
            raise question.error
        return question.answer

    def _listen(self):
        now = time.monotonic()
        self.listened += min(_GAP, now - self._stepped)
        self._stepped = now

    def _route(self, message):
        """Give a message to whom it is for. What was asked in no session, or by nobody, is about the connection."""
        if message.session or message.type != "error":
            self._link.numbering.accept(message)
        if message.id in self._jobs:
            self._jobs[message.id].take(message)
        elif message.id in self._answers:
            self._answers.pop(message.id).take(message.header)
        elif message.id == UNKNOWN and message.type == "error":
            raise from_dict(message.header["error"])

    def _lose(self, error):
        """The connection is over: so are the open jobs."""
        if self._error is None:
            self._error = error
            self._link.dealer.close()
        for job in list(self._jobs.values()):
            job.fail(error)
        for question in self._answers.values():
            question.error = error
        self._answers.clear()

    def _reconnect(self):
        if isinstance(self._error, Cancelled):
            raise EngineNotAnswering("The session was closed.", "Open a new session.")
        link = self._link
        connecting = Connecting(timeout=ANSWER_SECONDS, **link.again)
        link = None
        while link is None:
            link = connecting.step(0.1)
        self._take_up(link)
