"""The command `pincel`. Its modules import torch, numpy and zmq only where a command needs them."""

from __future__ import annotations


def main() -> None:
    """The entry point; ends the process with one of the exit statuses that docs/command-line.md lists."""
    from engine.cli.app import run

    raise SystemExit(run())
