"""Where Pincel finds what it ships and where it keeps what is the user's. The one place that knows.

Shipped folders (`weights`, `plugin_gimp`, `plugin_krita`) stand at the top of a clone and inside the package in a
wheel; shipped() finds them in both. User folders follow the system's conventions (platformdirs). Where the connection
file lies is the client's knowledge: engine/client/launcher.py.

    PINCEL_MODELS   one or more folders (separated as in PATH) that are searched for weights before all others
    PINCEL_HOME     one folder for everything that Pincel keeps for the user, instead of the system's folders
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from engine.client.errors import InternalError

_PACKAGE = Path(__file__).resolve().parent
# A shipped folder's place in a wheel, below the package; in a clone it stands beside the package under its own name.
_IN_WHEEL = {
    "weights": "_weights",
    "plugin_gimp": "_plugins/plugin_gimp",
    "plugin_krita": "_plugins/plugin_krita",
}


def shipped(name: str) -> Path:
    """The folder that came with Pincel: "weights", "plugin_gimp" or "plugin_krita". Raises InternalError if it is not
    there, which means a broken installation."""
    for candidate in (_PACKAGE / _IN_WHEEL[name], _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise InternalError(
        f"The folder {name} that comes with Pincel is missing.",
        "Install Pincel again.",
        looked=[str(_PACKAGE / _IN_WHEEL[name]), str(_PACKAGE.parent / name)],
    )


def from_clone() -> bool:
    """Whether this Pincel runs from a clone (or an editable install of one) and not from a wheel."""
    return not (_PACKAGE / _IN_WHEEL["weights"]).is_dir()


def _user(kind: str) -> Path:
    home = os.environ.get("PINCEL_HOME")
    if home:
        return Path(home).expanduser() / kind
    place = {
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "logs": platformdirs.user_log_path,
        "state": platformdirs.user_state_path,
    }[kind]
    return place("pincel", appauthor=False)


def data_folder() -> Path:
    """The user's own data; it may not exist yet."""
    return _user("data")


def cache_folder() -> Path:
    """What can be made again; it may not exist yet."""
    return _user("cache")


def log_folder() -> Path:
    """Where the engine writes its log; it may not exist yet."""
    return _user("logs")


def state_folder() -> Path:
    """What Pincel remembers of its own work, such as how long jobs took; it may not exist yet."""
    return _user("state")


def models_folder() -> Path:
    """The user's own weights: where `pincel models add` puts a file; it may not exist yet. The first folder of
    PINCEL_MODELS if that is set."""
    return model_folders()[0]


def model_folders() -> list[Path]:
    """The folders to search for weights, first one first: PINCEL_MODELS, the user's own, the shipped one. Those of the
    user may not exist."""
    named = [Path(p).expanduser() for p in os.environ.get("PINCEL_MODELS", "").split(os.pathsep) if p]
    return [*named, data_folder() / "models", shipped("weights")]


def make_private(folder: Path) -> Path:
    """The folder, made if need be, with those above it, so that only its user can open it (mode 0700)."""
    if not folder.parent.exists():
        make_private(folder.parent)
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder
