"""One training in a folder at a time: a lock that the system releases when its holder dies, however it dies."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from pathlib import Path

from engine.client.errors import NotWritable, TrainingError

LOCK = "run.lock"
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK)
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")  # as engine.disk.whole calls them


class Lock:
    """Holds the lock of a folder, which is made if need be, until close(). Nothing but the lock's own file is locked.

    What a killed training left unfinished in the folder is swept up. Raises TrainingError where another training holds the
    lock, NotWritable where its file cannot be made. Where a file system knows no locks, there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: int | None = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise NotWritable(f"The run's folder {folder} cannot be made or written: {error.strerror}.") from error
        if not (_taken(self._file) and self._is_there()):
            os.close(self._file)
            raise TrainingError(
                f"A training is running in {folder}.",
                "Give another folder with --out, or wait until that one has ended.",
            )
        for place in (folder, folder / "samples", folder / "confusion"):
            for part in place.glob(".*.part"):
                if _PART.fullmatch(part.name):
                    with contextlib.suppress(OSError):
                        part.unlink()

    def _is_there(self) -> bool:
        """Whether what was locked is still the folder's file: whoever had it may have taken it away in between."""
        assert self._file is not None
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self.folder / LOCK))
        except OSError:
            return False

    def move(self, aside: Path) -> None:
        """Call the locked folder otherwise, and give it up."""
        if sys.platform == "win32":  # where a folder with an open file cannot be renamed
            self.close()
        self.folder.rename(aside)
        self.folder = aside
        self.close()

    def close(self) -> None:
        """Release the lock and remove its file."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if sys.platform != "win32":  # while it is held: afterwards the file may be another's
                (self.folder / LOCK).unlink()
        os.close(file)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):  # refused while another has it open
                (self.folder / LOCK).unlink()


def _taken(file: int) -> bool:
    """Take the system's lock on an open file; False where another has it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True
