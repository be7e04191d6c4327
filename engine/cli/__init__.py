"""The command `pincel`. Its modules import torch, numpy and zmq only where a command needs them."""

from __future__ import annotations

import gc
import sys

from engine.memory import with_large_pages


def main() -> None:
    """The entry point; ends the process with one of the exit statuses that docs/command-line.md lists."""
    if sys.argv[1:2] == ["serve"]:
        with_large_pages()
    # Importing torch makes half a million objects, and the collector looks for garbage among them again and again: a tenth of
    # the import. Cycles are still found, later.
    gc.set_threshold(100_000, 20, 20)
    from engine.cli.app import run

    raise SystemExit(run())
