"""Limits that the system itself enforces, for tests of what happens when they are met."""

from __future__ import annotations

import signal
from contextlib import contextmanager

import pytest


@contextmanager
def room_for(size: int):
    """No file may grow beyond so many bytes: writing more fails in the middle, as on a disk that fills up."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
