"""The command `pincel`. Its modules import torch, numpy and zmq only where a command needs them."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """The entry point; ends the process with one of the exit statuses that docs/command-line.md lists."""
    if sys.argv[1:2] == ["serve"]:
        with_large_pages()
    # Importing torch makes half a million objects, and the collector looks for garbage among them again and again: a tenth of
    # the import. Cycles are still found, later.
    gc.set_threshold(100_000, 20, 20)
    from engine.cli.app import run

    raise SystemExit(run())


def with_large_pages() -> None:
    """Begin anew with a C library that asks the kernel for large pages: a layer of 36 MB passes the broker and its workers,
    who inherit it, in two thirds of the time. The library reads this when it starts and never again.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
