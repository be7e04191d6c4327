"""A client of the standard library, as plug-ins have it, that kills itself at a named step: python FILE STEP.

It prints the job's id, where there is one, before it dies.
"""

from __future__ import annotations

import os
import signal
import sys

from engine.client import connection, protocol
from engine.client.connecting import Connecting
from engine.client.pixels import Pixels
from engine.client.session import Session
from engine.client.zmtp import Dealer

STEPS = ("connected", "hello", "welcomed", "half", "sent", "queued", "started", "progress", "half-result", "result")
PICTURE = Pixels(bytes(range(240)) * 2000, 400, 400, "RGB", "u8")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(step: str) -> None:
    where = connection.find()[0][0]
    if step in ("connected", "hello"):
        dealer = Dealer(where.endpoint)
        while step == "hello" and not dealer.ready:
            dealer.step(0.1)
        if step == "hello":
            hello = {"type": "hello", "id": "h", "session": "", "seq": 0, "protocol": 1, "nonce": "n", "client": {}}
            dealer.send(protocol.pack(where.key, hello))
            dealer.step(0.05)
        die()
    connecting = Connecting(("gimp", "0"))
    while (link := connecting.step(0.1)) is None:
        pass
    session = Session(link)
    if step == "welcomed":
        die()
    if step == "half":  # the beginning of a message that never comes whole
        parts = link.numbering.pack("submit", "r1", {"source": PICTURE}, task="fake", options={})
        link.dealer.send(parts)
        die()
    sleeping = step in ("queued", "started", "progress")
    options = {"does": "sleep", "steps": 10000, "seconds": 0.02} if sleeping else {"does": "invert"}
    before = session.submit("fake", options, {"source": PICTURE}) if step == "queued" else None
    job = session.submit("fake", options, {"source": PICTURE})
    print(job.id, flush=True)
    while True:
        job.step(0.001 if step.startswith("half") else 0.05)
        if step == "sent" and not link.dealer.waiting:
            die()
        if step == "queued" and job.state == "queued" and before.state == "running":
            die()
        if step == "started" and job.state == "running":
            die()
        if step == "progress" and job.progress is not None and job.progress.step > 2:
            die()
        if step == "half-result" and link.dealer._body is not None:
            die()
        if job.done:
            die()


if __name__ == "__main__":
    main(sys.argv[1])
