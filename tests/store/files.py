"""Weights files taken apart and put together again, by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path


def parts(path: Path) -> tuple[dict, bytes]:
    """The header's JSON and the tensors' bytes."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def rewrite(path: Path, head: dict, body: bytes) -> Path:
    text = json.dumps(head).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path
