"""What a device may be called; known without torch, so that the broker and the command line can refuse a name at once."""

from __future__ import annotations

import re

from engine.client.errors import OptionError

KNOWN = "cpu, cuda, cuda:1, mps, openvino"
_NAME = re.compile(r"cpu|cuda(:\d+)?|mps|openvino")


def check(name: str) -> None:
    """Whether it is the name of a device, whether or not this machine has one. Raises OptionError."""
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"The device {name[:80]} cannot be used: devices are called {KNOWN}.",
            "Name another device, or none: then the best one there is works.",
            option="device",
        )
