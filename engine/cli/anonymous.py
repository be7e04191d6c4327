"""What a report says of people and secrets: nothing."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
from typing import Any

# Names that say nothing about anybody, and words that reports are full of.
_COMMON = {
    "root",
    "user",
    "users",
    "home",
    "admin",
    "localhost",
    "runner",
    "ubuntu",
    "debian",
    "pincel",
    "engine",
    "data",
}
_KEY = re.compile(r"\b[0-9A-Fa-f]{64,}\b")


def anonymous(value: Any) -> Any:
    """JSON values with the home folder as ~, the user's and the machine's names as USER and HOST, and without keys."""
    if isinstance(value, dict):
        return {anonymous(k): anonymous(v) for k, v in value.items()}
    if isinstance(value, list):
        return [anonymous(v) for v in value]
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str:
    home = os.path.expanduser("~")
    for folder in {home, os.path.realpath(home)}:
        if len(folder) > 1:
            text = text.replace(folder, "~")
    for name, stand_in in [*((user, "USER") for user in _users(home)), (socket.gethostname(), "HOST")]:
        if len(name) > 1 and name.lower() not in _COMMON:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", stand_in, text)
    return _KEY.sub("<key>", text)


def _users(home: str) -> set[str]:
    names = {os.path.basename(home)} | {os.environ.get(name, "") for name in ("USER", "LOGNAME", "USERNAME")}
    with contextlib.suppress(Exception):  # no such user is known to the system, as in a container
        names.add(getpass.getuser())
    return names
