"""Whom this machine knows: its own CURVE keys, the machines that may use its engine, and the engines that it may use.

All of it is one file of the user's, mode 0600. Only public keys ever leave a machine, so they may be sent by mail; who changes
one on its way is not let in. Keys are Curve25519 keys in Z85, 40 characters (ZeroMQ RFC 32).
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engine import paths
from engine.client.errors import EngineError, NotLoopback, OptionError

FILE = "pairs.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")


@dataclass
class Pairs:
    """public, secret: this machine's keys. clients: public keys by name. engines: {"address", "key"} by name."""

    public: str
    secret: str = field(repr=False)
    clients: dict[str, str] = field(default_factory=dict)
    engines: dict[str, dict[str, str]] = field(default_factory=dict)

    def save(self) -> None:
        """Write the file whole, for its user alone. Raises EngineError."""
        path = place()
        draft = path.with_name(f".{FILE}.{os.getpid()}")
        try:
            paths.make_private(path.parent)
            file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as writer:
                json.dump(asdict(self), writer, indent=1)
            draft.replace(path)
        except OSError as error:
            draft.unlink(missing_ok=True)
            sentence = f"The keys cannot be kept in {path}: {error.strerror}."
            raise EngineError(sentence, "Make the folder writable, or set PINCEL_HOME to one that is.") from None


def place() -> Path:
    """Where the file is, or would be."""
    return paths.data_folder() / "remote" / FILE


def load() -> Pairs | None:
    """What the file holds, None where there is none. Raises EngineError for a file that is damaged or open to others."""
    path = place()
    try:
        status = path.stat()
        if hasattr(os, "getuid") and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
            raise EngineError(
                f"Other users may read or write {path}.", "Delete it, then pair anew: its keys may be known to others."
            )
        found = Pairs(**json.loads(path.read_text(encoding="utf-8")))
        for known in (found.public, found.secret, *found.clients.values(), *(e["key"] for e in found.engines.values())):
            checked_key(known)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OptionError):
        raise EngineError(f"The keys in {path} cannot be read.", "Delete the file, then pair anew.") from None
    return found


def keypair() -> tuple[bytes, bytes]:
    """A public and a secret key, the public one such that it can be typed in a command: it does not begin like an option."""
    import zmq

    while True:
        public, secret = zmq.curve_keypair()
        if not public.startswith(b"-"):
            return public, secret


def load_or_make() -> Pairs:
    """The same, with new keys where there is no file. Raises EngineError."""
    found = load()
    if found is None:
        public, secret = keypair()
        found = Pairs(public.decode(), secret.decode())
        found.save()
    return found


def signing_key(engine: str) -> bytes:
    """What signs the headers of messages to and from an engine of that public key: CURVE has proved who speaks already, so
    this need not be secret; it keeps the form of messages the same everywhere."""
    return hashlib.sha256(b"PINCEL CURVE " + engine.encode("ascii")).digest()


def checked_name(name: str) -> str:
    """Raises OptionError for a name that is none."""
    if not _NAME.match(name):
        raise OptionError(f"{name!r} is no name for a machine.", "Use letters, digits, dots and dashes.")
    return name


def checked_key(key: str) -> str:
    """Raises OptionError for what is no public key."""
    from zmq.utils import z85

    try:
        if len(key) == 40 and len(z85.decode(key.encode("ascii"))) == 32:
            return key
    except (ValueError, KeyError, UnicodeEncodeError):
        pass
    raise OptionError(
        f"{key[:50]!r} is no key.", "A key has 40 characters: `pincel pair` shows it. Put it in 'quotes'."
    )


def endpoint(address: str, listen: bool = False) -> str:
    """The endpoint of HOST:PORT. listen: to bind there, so the host is an address of this machine, not a name.

    Raises OptionError; NotLoopback where an address to bind is a name.
    """
    host, _, port = address.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise OptionError(f"{address!r} is not HOST:PORT.", "Write for example 192.168.1.5:4711.")
    try:
        numeric = ipaddress.ip_address(bare)
    except ValueError:
        if listen:
            sentence = f"{host or 'No host'} is not an address of this machine."
            raise NotLoopback(sentence, "Name the address to listen at in digits, as 192.168.1.5:4711.") from None
        if not _HOST.match(host):
            raise OptionError(f"{address!r} is not HOST:PORT.", "Write for example workshop.local:4711.") from None
        return f"tcp://{host}:{port}"
    return f"tcp://[{numeric}]:{port}" if numeric.version == 6 else f"tcp://{numeric}:{port}"
