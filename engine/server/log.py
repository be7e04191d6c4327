"""The engine's log: one JSON object a line, rotated, for its user alone, and without anybody's pictures or keys.

    {"time": "2026-11-21T04:05:06.789Z", "level": "INFO", "part": "dispatch", "text": "job 3 is dropped: ..."}

level: DEBUG to CRITICAL. part: which part of the engine speaks; "worker" with its process number in "worker" for what a
worker process printed. "trace" holds an exception's traceback. Messages name jobs by number, never by what is in them; what
may still come from elsewhere (a library's words, a worker's) is cut to a length and loses everything that looks like a key.
"""

from __future__ import annotations

import contextlib
import json
import logging
import logging.handlers
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from engine import paths

FILE = "engine.log"
BYTES, KEPT = 1_000_000, 3
# A line of text, and of traceback, no longer than this: nothing that holds a picture fits.
TEXT_MAX, TRACE_MAX = 1000, 8000

_KEYS = re.compile(r"[0-9A-Fa-f]{64,}")
# A run of numbers or of code that no sentence has: samples or bytes that somebody printed.
_DATA = re.compile(
    r"(?:-?\d+(?:\.\d*)?(?:e[-+]?\d+)?[\s,;\[\]()]+){12,}|(?:\\x[0-9A-Fa-f]{2}){8,}|[A-Za-z0-9+/=]{100,}"
)


def clean(text: str, most: int = TEXT_MAX) -> str:
    """The text without keys and samples, at most so many characters (its end is what says why)."""
    text = _DATA.sub("<data>", _KEYS.sub("<key>", text[-100_000:]))
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


class Lines(logging.Formatter):
    """A record as a JSON line."""

    def format(self, record: logging.LogRecord) -> str:
        worker = getattr(record, "worker", None)
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname,
            "part": "worker" if worker else record.name.rpartition(".")[2],
            "text": clean(record.getMessage()),
        }
        if worker:
            line["worker"] = worker
        if record.exc_info:
            line["trace"] = clean(self.formatException(record.exc_info), TRACE_MAX)
        return json.dumps(line, ensure_ascii=False)


class _Private(logging.handlers.RotatingFileHandler):
    """Files that only the user can read (mode 0600; on Windows those of the folder's own rights)."""

    def _open(self) -> TextIOWrapper:
        file = open(  # noqa: SIM115
            self.baseFilename,
            "a",
            encoding="utf-8",
            errors="replace",
            opener=lambda path, how: os.open(path, how, 0o600),
        )
        # An older version's file was readable for all. A device in its place belongs to the system.
        if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            with contextlib.suppress(OSError):
                os.fchmod(file.fileno(), 0o600)
        return file

    def handleError(self, record: logging.LogRecord) -> None:
        """On a full disk lines are lost, not the engine; nor are they kept for later, which would fill its memory."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)
        self._drop()

    def close(self) -> None:
        self._drop()
        super().close()

    def _drop(self) -> None:
        """Close the file; the next line opens it again."""
        file, self.stream = self.stream, None
        with contextlib.suppress(OSError):
            if file is not None:
                file.close()


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """While open, what the engine logs goes into the file; to standard error where its folder cannot be written."""
    handler: logging.Handler
    try:
        paths.make_private(path.parent)
        handler = _Private(path, maxBytes=BYTES, backupCount=KEPT)
    except OSError:
        handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logger = logging.getLogger("pincel")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.info("the engine ended")
        logger.removeHandler(handler)
        handler.close()


def read(path: Path) -> list[dict[str, Any]]:
    """The log's lines, the rotated files' first; what an older version or a crash left in another form is passed over."""
    lines = []
    for file in [*(Path(f"{path}.{n}") for n in range(KEPT, 0, -1)), path]:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict) and "text" in found and "level" in found:
                    lines.append(found)
    return lines
