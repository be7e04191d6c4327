"""How an engine is run: what `pincel serve` can be told, and the limits it announces."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.client.protocol import MAX_BYTES
from engine.server.supervisor import COMMAND


@dataclass
class Settings:
    """Times in seconds, sizes in bytes.

    host, port (0: any free one) or ipc, a Unix socket's path; remote: HOST:PORT for paired machines, or None.
    devices: one worker each; "auto": what there is.
    keep_alive: until an idle worker is ended. idle_exit: until an engine ends, from its last job's end or message; 0: never.
    max_bytes: of one message. queue, queue_per_client: how many jobs may wait before submits are refused; together they
    may hold as many bytes as two of the largest messages. worker_command: what a worker process runs.
    """

    host: str = "127.0.0.1"
    port: int = 0
    ipc: str | None = None
    remote: str | None = None
    devices: list[str] = field(default_factory=lambda: ["auto"])
    keep_alive: float = 300.0
    idle_exit: float = 0.0
    max_bytes: int = MAX_BYTES
    queue: int = 64
    queue_per_client: int = 32
    worker_command: tuple[str, ...] = COMMAND
