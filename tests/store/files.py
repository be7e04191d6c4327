"""Weights files taken apart and put together again, by hand."""

from __future__ import annotations

import json
import struct
from pathlib import Path


def split(data: bytes) -> tuple[dict, bytes]:
    """The header's JSON and the tensors' bytes."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined(head: dict, body: bytes) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + body


def parts(path: Path) -> tuple[dict, bytes]:
    return split(path.read_bytes())


def rewrite(path: Path, head: dict, body: bytes) -> Path:
    path.write_bytes(joined(head, body))
    return path
