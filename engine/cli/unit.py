"""pincel serve --unit: the systemd user unit for this very installation."""

from __future__ import annotations

import os
import shlex

from engine.install.common import engine_command

# What the engine needs of the system is little: its sockets, its user's files and the GPU. MemoryDenyWriteExecute and
# PrivateDevices stay off: PyTorch compiles kernels in memory, and GPUs are devices.
_UNIT = """\
[Unit]
Description=Pincel's engine

[Service]
ExecStart={command}
{environment}\
# 0 when it was stopped, 6 when it cannot serve: only a crash starts it again.
Restart=on-failure
RestartPreventExitStatus=2 6
RestartSec=2
# SIGTERM ends jobs with a code and removes the connection file; its workers end with it.
KillMode=mixed
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
LockPersonality=yes

[Install]
WantedBy=default.target
"""


def unit(arguments: list[str]) -> str:
    """The unit's text; arguments: those of `pincel serve`."""
    kept = {name: value for name, value in os.environ.items() if name in ("PINCEL_HOME", "PINCEL_MODELS")}
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in sorted(kept.items()))
    command = " ".join(_quoted(word).replace("$", "$$") for word in [*engine_command(), "serve", *arguments])
    return _UNIT.format(command=command, environment=environment)


def _quoted(word: str) -> str:
    """A word as systemd reads it: its own escapes are doubled."""
    word = word.replace("\\", "\\\\").replace("%", "%%")
    return word if shlex.quote(word) == word else '"' + word.replace('"', '\\"') + '"'
