"""From nothing to an open session, as a stepper: find the engine or start it, connect, say hello, check who answers."""

import secrets
import time

from .catalogue import from_dict
from .connection import find, mismatch
from .errors import EngineNotAnswering, EngineNotRunning, PincelError, ProtocolMismatch
from .launcher import Starting
from .protocol import FROM_ENGINE, VERSION, Numbering, unpack

HELLO_SECONDS = 5.0
TIMEOUT = 30.0
# A result may be larger than what the engine takes: upscaling by 16 makes 256 times the pixels.
RESULT_MAX = 2**35


class Link:
    """An open connection: its Dealer, the Numbering of its session, the engine's welcome, and `again`: what Connecting
    needs to make it again."""

    def __init__(self, dealer, numbering, welcome, connection, again):
        self.dealer, self.numbering, self.welcome = dealer, numbering, welcome
        self.connection, self.again = connection, again


class Connecting:
    """Call step() until it gives a Link, for Session(link).

    program: (name, version) of the caller. start: start an engine where none runs. timeout: seconds for it all.
    environ: instead of os.environ, says where the connection file is looked for. at: a Connection that is used instead of
    any file.
    """

    def __init__(self, program, start=False, timeout=TIMEOUT, environ=None, at=None):
        self.program, self.environ, self._at = program, environ, at
        self._start, self._starting = start, None
        self._end = time.monotonic() + timeout
        self._left = self._find()[0]
        self._tried, self._error = set(), None
        self._dealer = self._connection = None

    def step(self, timeout=0.0):
        """The Link, or None when it needs longer than `timeout` seconds.

        Raises EngineNotRunning (none runs and start is False), EngineStart (none can be started), EngineNotAnswering,
        WrongKey, ProtocolMismatch, or what the engine answered to the hello.
        """
        end = time.monotonic() + timeout
        while True:
            link = self._next(end) if self._dealer is None else self._listen(end)
            if link is not None or time.monotonic() >= end:
                return link

    @property
    def starting(self):
        """Whether an engine was started and is being waited for."""
        return self._starting is not None

    def close(self):
        """Give up. A started engine goes on."""
        if self._dealer is not None:
            self._dealer.close()

    def _find(self):
        return find(self.environ) if self._at is None else ([self._at], {})

    def _next(self, end):
        """Turn to the next connection file. Without one: start an engine and wait for its file, or raise."""
        late = time.monotonic() > self._end
        if self._starting is not None and not self._left:
            self._left = self._starting.step(self._tried)
            if not self._left:
                if late:
                    raise self._error or self._starting.failed("The engine does not get ready.")
                time.sleep(max(0.0, min(0.02, end - time.monotonic())))
        elif self._left and not late:
            self._hello(self._left.pop(0))
        elif self._start and not late:
            self._starting = Starting(self.environ)
        else:
            found, reasons = self._find()  # it may have ended meanwhile, as an engine that was stopped does
            if self._error is not None and found:
                raise self._error
            raise EngineNotRunning("No engine is running.", reasons=reasons)

    def _hello(self, connection):
        if VERSION not in connection.speaks:
            raise mismatch(VERSION, connection.protocol, connection.version)
        self._tried.add(connection.key)
        self._connection, self._nonce = connection, secrets.token_hex(16)
        self._until = min(self._end, time.monotonic() + HELLO_SECONDS)
        self._numbering = Numbering(connection.key)
        name, version = self.program
        hello = self._numbering.pack(
            "hello", "hello", protocol=VERSION, nonce=self._nonce, client={"name": name, "version": version}
        )
        try:
            self._dealer = connection.dial(RESULT_MAX)
            self._dealer.send(hello)
        except PincelError as error:
            self._failed(error)

    def _listen(self, end):
        """The Link once the welcome came."""
        try:
            parts = self._dealer.recv(max(0.0, min(end, self._until) - time.monotonic()))
            if parts is None:
                if time.monotonic() < self._until:
                    return None
                raise EngineNotAnswering("The engine at %s does not answer." % self._connection.endpoint)
            message = unpack(self._connection.key, parts, FROM_ENGINE, RESULT_MAX)
        except ProtocolMismatch:
            self.close()
            raise
        except PincelError as error:
            self._failed(error)
            return None
        if message.type == "error":
            self.close()
            raise from_dict(message.header["error"])
        if message.type != "welcome" or message.header["nonce"] != self._nonce:
            self._failed(EngineNotAnswering("What answers is not the engine: it does not know the question."))
            return None
        self._numbering.session = message.session
        self._numbering.accept(message)
        dealer, self._dealer = self._dealer, None
        again = {"program": self.program, "environ": self.environ, "at": self._at}
        return Link(dealer, self._numbering, message.header, self._connection, again)

    def _failed(self, error):
        """This connection file leads nowhere; the first reason that is more than silence is what the user is told."""
        self.close()
        self._dealer = None
        if self._error is None or isinstance(self._error, EngineNotRunning):
            self._error = error
