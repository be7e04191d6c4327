"""`python -m engine.train GENERATOR --data DIR --minutes 90`: `pincel train` where only the trainer is wanted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.client.errors import Cancelled
from engine.train.arguments import OUT, given, status_of
from engine.train.live import line, shown
from engine.train.sweep import Sweep, going_on
from engine.train.training import Training


def main(argv: Sequence[str] | None = None, prog: str = "python -m engine.train") -> None:
    """Train as the command line says. Raises PincelError; Cancelled after Ctrl-C, when all is saved."""
    argv = sys.argv[1:] if argv is None else argv
    values = given(argv, prog)
    command = shlex.join(["python", "-m", "engine.train", *argv])
    out = Path(values.get("out", OUT))
    with shown(values.get("generator", out.name)) as live:
        if values.get("sweep") or (values.get("resume") and (out / "sweep.json").exists()):
            Sweep(values, command, line, live).run()
            return
        training = Training(values, command, line, live)
        loop = training.run()
    if loop.stopped:
        raise Cancelled(f"The training was stopped at step {loop.step} and saved.", f"Go on: {going_on(training.out)}")
    line(f"Finished: {training.out}")


if __name__ == "__main__":
    sys.exit(status_of(main))
