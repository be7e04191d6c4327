"""One engine for each user: a lock that the system releases when its holder dies, however it dies.

The lock decides who may serve; the connection file (engine/client/connection.py) only says where. So two engines that
are started at once give exactly one, and what a killed engine left behind never stands in the way.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator

from engine.client import connection
from engine.client.errors import EngineNotAnswering, EngineStart

LOCK = "engine.lock"
# The holder of the lock publishes its connection file within milliseconds; this is for a machine under heavy load.
PUBLISH_SECONDS = 10.0
# Older than this, the connection file gets a new date.
FRESH_SECONDS = 3600.0

log = logging.getLogger("pincel.instance")


@contextlib.contextmanager
def alone() -> Iterator[bool]:
    """Holds the lock; False where another engine of this user has it. Raises EngineStart where it cannot be made."""
    file = _open()
    try:
        yield _lock(file)
    finally:
        os.close(file)


def running(seconds: float = PUBLISH_SECONDS) -> connection.Connection:
    """The engine that has the lock. Raises EngineNotAnswering when it does not say where it is within that time."""
    deadline = time.monotonic() + seconds
    while True:
        found, reasons = connection.find()
        if found:
            return found[0]
        if time.monotonic() > deadline:
            raise EngineNotAnswering("Another engine is starting or stopping and does not get on.", reasons=reasons)
        time.sleep(0.02)


@contextlib.contextmanager
def published(endpoint: str, key: bytes, version: str) -> Iterator[Callable[[], None]]:
    """The connection file is there while this runs, and goes afterwards if it is still ours.

    Yields a function to call now and then: it writes the file again where it was deleted or damaged, so that the engine
    stays to be found, and keeps it young, because systems may clear their runtime folders of what is hours old. The file
    of another engine that runs is left alone.
    """
    try:
        connection.publish(endpoint, key, version)
    except OSError as error:
        raise EngineStart(f"The connection file cannot be written: {error.strerror}.", path=error.filename) from None

    def keep() -> None:
        for folder in connection.candidates():
            found, why = connection.read_connection(folder)
            with contextlib.suppress(OSError):
                if found is None:
                    path = connection.write_connection(folder, endpoint, key, version)
                    log.warning("%s was written again: %s", path, why)
                elif found.key == key and time.time() - os.stat(found.path).st_mtime > FRESH_SECONDS:
                    os.utime(found.path)

    try:
        yield keep
    finally:
        connection.withdraw(key)


def _open() -> int:
    """The lock file in the folder that every process of the user computes alike (the last candidate)."""
    problems = []
    for folder in reversed(connection.candidates()):
        try:
            connection.private_folder(folder)
            return os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            problems.append(f"{folder}: {error.strerror}")
    raise EngineStart(
        f"There is no folder for the engine's files ({'; '.join(problems)}).",
        "Make the folder writable, or set PINCEL_RUNTIME_DIR to one that is.",
    )


def _lock(file: int) -> bool:
    lock: Callable[[int], None]
    if sys.platform == "win32":
        import msvcrt

        def lock(file: int) -> None:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        def lock(file: int) -> None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    try:
        lock(file)
    except OSError:
        return False
    return True
