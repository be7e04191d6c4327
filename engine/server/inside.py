"""What the broker and its workers say to each other: the form of messages is the clients' (engine/client/protocol.py).

A worker's key and session name come to it through its standard input, which nobody else can read; they are not the
clients', so no client can pass for a worker. The id of each message is the job's number in the engine.
"""

from __future__ import annotations

TO_WORKER: dict[str, dict[str, type]] = {
    "run": {"task": str, "options": dict, "buffers": list},
    "cancel": {},
}
FROM_WORKER: dict[str, dict[str, type | tuple[type, ...]]] = {
    "ready": {},
    "device": {"device": str, "devices": list},
    "progress": {"phase": str, "step": int, "steps": int, "fraction": (int, float), "eta": (int, float, type(None))},
    "result": {"buffers": list, "info": dict},
    "error": {"error": dict},
    "cancelled": {},
}
NO_JOB = "-"
# A worker's exit status where the files of this Pincel are no longer those of the engine that runs: it was updated.
UPDATED = 71
