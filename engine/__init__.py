"""Pincel: colour and resolution for pictures. `from engine import Engine`.

Importing this package imports neither torch nor numpy; they come with the first use of what needs them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Read when torch loads its OpenMP. By default threads that wait for each other spin; on cores that somebody else uses too (an
# editor, another engine) each then burns its turn while the other has none: ten times slower, measured on two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from engine.api import Engine, Result
    from engine.client.errors import PincelError

__all__ = ["Engine", "PincelError", "Result", "__version__"]


def __getattr__(name: str) -> Any:
    if name in ("Engine", "Result"):
        from engine import api

        return getattr(api, name)
    if name == "PincelError":
        from engine.client.errors import PincelError

        return PincelError
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
