"""Files written whole or not at all, and what a system's refusal to write means to the user."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.client.errors import DiskFull, NotWritable, OutputError


def failure(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """The error for a file that could not be written: DiskFull, NotWritable, or OutputError for anything else."""
    path = os.fspath(path)
    reason = error.strerror or str(error)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"There is no room for {path}: {reason}.", path=path)
    if error.errno == errno.ENOENT:
        return NotWritable(f"The folder {os.path.dirname(path)} does not exist.", path=path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR):
        return NotWritable(f"{path} cannot be written: {reason}.", path=path)
    return OutputError(f"{path} could not be written: {reason}.", path=path)


def whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call write(a new path beside `path`), then move the file there: whatever happens, the old file or the new one.

    Raises what failure() makes of an OSError.
    """
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        write(part)
        sync(part)
        os.replace(part, path)
    except OSError as error:
        raise failure(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the file is on the disk: a rename must not come before what it names."""
    handle = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
