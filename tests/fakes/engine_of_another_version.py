"""An engine or a worker of another version: the same code, told to say other versions and more than this version knows.

Run as a program: with a JSON object of {"version", "speaks"} and Settings' fields it is the engine with the fake task, with
"worker VERSION" one of its workers.
"""

from __future__ import annotations

import json
import sys

import engine
from tests.fakes import engine_with_fake_task

if sys.argv[1] == "worker":
    engine.__version__ = sys.argv[2]
    engine_with_fake_task.main("worker")
else:
    settings = json.loads(sys.argv[1])
    engine.__version__ = settings.pop("version")
    speaks = settings.pop("speaks")

    from engine.client import connection
    from engine.server import front

    tell, write = front.Front.tell, json.dump

    def tell_more(self, session, type, id, parts=(), buffers=None, **fields):
        """Every message carries fields that only a later version knows."""
        tell(self, session, type, id, parts, buffers, since="9.9", extra={"of": ["another", 9]}, **fields)

    def with_versions(data, file):
        write(dict(data, protocol=max(speaks), speaks=speaks, relay=None), file)

    front.Front.tell = tell_more
    connection.json.dump = with_versions
    if 1 not in speaks:
        front.VERSION = max(speaks)
    worker = {"worker_command": [sys.executable, __file__, "worker", engine.__version__]}
    engine_with_fake_task.main(json.dumps(worker | settings))
