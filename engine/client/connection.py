"""The connection file: where a running engine left word of itself, and what it says.

The one definition for both sides: the engine writes it with publish, all clients read it with find. PROTOCOL.md,
section 1, describes its fields.
"""

import contextlib
import errno
import json
import os
import stat
import sys
import time

from .errors import ProtocolMismatch
from .protocol import KEY_BYTES, VERSION
from .zmtp import Dealer

FILE = "engine.json"
_SIZE_MAX = 16 * 1024


class Connection:
    """A connection file that was read. key: 32 bytes; endpoint: for zmtp.Dealer; path: where the file is.

    protocol: the newest version that the engine speaks; speaks: all of them.
    """

    def __init__(self, endpoint, key, pid, protocol, version, started, namespace, path, speaks=None):
        self.endpoint, self.key, self.pid, self.version = endpoint, key, pid, version
        self.protocol, self.started, self.namespace, self.path = protocol, started, namespace, path
        self.speaks = speaks or [protocol]

    def same_engine(self, other):
        return other is not None and (self.endpoint, self.key) == (other.endpoint, other.key)

    def dial(self, max_bytes):
        """A Dealer on its way there. Raises EngineNotRunning."""
        return Dealer(self.endpoint, max_bytes)


def mismatch(client, engine, version=""):
    """The ProtocolMismatch of a client and an engine that speak these versions: it says which of the two to update."""
    if isinstance(engine, int) and isinstance(client, int) and engine < client:
        remedy = "The engine is the older one: update Pincel, run `pincel stop`, and try again."
    else:
        remedy = (
            "The engine is the newer one: run `pincel install gimp` or `pincel install krita`, then restart the editor."
        )
    sentence = "The client speaks protocol %s, this engine%s %s." % (client, version and " (%s)" % version, engine)
    return ProtocolMismatch(sentence, remedy, client=client, engine=engine)


# ---- where it is -------------------------------------------------------------------------------------------------


def state_folder(environ=None):
    """The folder for Pincel's state that every process of the user computes alike, per operating system."""
    environ = os.environ if environ is None else environ
    home = environ.get("HOME") or environ.get("USERPROFILE") or os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local"), "pincel")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support", "pincel")
    return os.path.join(home, ".local", "state", "pincel")


def candidates(environ=None):
    """The folders that may hold the connection file, in order; an engine writes it into all of them.

    $PINCEL_RUNTIME_DIR alone where it is set; else $XDG_RUNTIME_DIR/pincel where that directory exists, and
    the state folder. All are read, so that an editor whose environment lacks XDG_RUNTIME_DIR finds the engine too.
    """
    environ = os.environ if environ is None else environ
    if environ.get("PINCEL_RUNTIME_DIR"):
        return [environ["PINCEL_RUNTIME_DIR"]]
    folders = []
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime is None and hasattr(os, "getuid"):
        runtime = "/run/user/%d" % os.getuid()  # what it would be: a desktop program may have started without it
    if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
        folders.append(os.path.join(runtime, "pincel"))
    folders.append(state_folder(environ))
    return folders


def namespace():
    """The process namespace that our process ids count in, "" where the system has none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


# ---- reading -----------------------------------------------------------------------------------------------------


def read_connection(folder):
    """(Connection, "") from the folder, or (None, why it counts as absent): missing, stale, unsafe or damaged."""
    path = os.path.join(folder, FILE)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return None, "there is none"
    except OSError as error:
        return None, "it cannot be read: %s" % (error.strerror or error)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return None, "it is not a file"
        if hasattr(os, "getuid"):
            if status.st_uid != os.getuid():
                return None, "it belongs to another user"
            if status.st_mode & 0o077:
                return None, "other users may read or write it"
        text = os.read(descriptor, _SIZE_MAX + 1)
    except OSError as error:
        return None, "it cannot be read: %s" % (error.strerror or error)
    finally:
        os.close(descriptor)
    return _parse(text, path)


def _parse(text, path):
    try:
        if len(text) > _SIZE_MAX:
            raise ValueError("it is too long")
        data = json.loads(text.decode("utf-8"))
        endpoint, key, pid = data["endpoint"], bytes.fromhex(data["key"]), data["pid"]
        version, space = str(data.get("version", "")), data.get("namespace", "")
        if not isinstance(endpoint, str) or not endpoint.startswith(("tcp://", "ipc://")):
            raise ValueError("its endpoint is none")
        if len(key) != KEY_BYTES or isinstance(pid, bool) or not isinstance(pid, int) or pid < 1:
            raise ValueError("its key or pid is none")
        protocol = data["protocol"]
        speaks = data.get("speaks", [protocol])
        if not isinstance(speaks, list):
            raise ValueError("its versions are none")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, "it is damaged"
    if space == namespace() and not process_alive(pid):
        return None, "it is stale: its engine (process %d) has ended" % pid
    return Connection(endpoint, key, pid, protocol, version, data.get("started"), space, path, speaks), ""


def process_alive(pid):
    """Whether a process of that number runs on this machine (a zombie does not)."""
    if sys.platform == "win32":
        return _process_alive_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"Z", b"X")
    except OSError:
        return True


def _process_alive_windows(pid):
    import ctypes

    kernel = ctypes.windll.kernel32  # os.kill would end the process there
    handle = kernel.OpenProcess(0x1000, False, pid)
    if not handle:
        return False
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return not known or code.value == 259


def find(environ=None):
    """Every Connection that looks alive, best first, and the reasons against the others as {folder: why}."""
    found, reasons = [], {}
    for folder in candidates(environ):
        connection, why = read_connection(folder)
        if connection is None:
            reasons[folder] = why
        elif not any(connection.same_engine(other) for other in found):
            found.append(connection)
    return found, reasons


# ---- writing (the engine's side) ---------------------------------------------------------------------------------


def private_folder(folder):
    """Make the folder, for its owner alone, where it is missing; an existing one of ours is closed to others.

    Raises OSError, also for a folder that all users share.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        status = os.stat(folder)
        # /tmp and its like: closing it would shut everybody else out.
        if status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH:
            raise PermissionError(errno.EACCES, "all users share it", folder)
        if status.st_uid == os.getuid() and status.st_mode & 0o077:
            os.chmod(folder, 0o700)


def write_connection(folder, endpoint, key, version, pid=None):
    """Write the connection file whole or not at all, and return its path; key: 32 bytes, pid: this process's."""
    private_folder(folder)
    pid = os.getpid() if pid is None else pid
    data = {
        "protocol": VERSION,
        "speaks": [VERSION],
        "version": version,
        "endpoint": endpoint,
        "key": key.hex(),
        "pid": pid,
        "namespace": namespace(),
        "started": time.time(),
    }
    path = os.path.join(folder, FILE)
    draft = "%s.%d" % (path, pid)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
            json.dump(data, file)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    return path


def publish(endpoint, key, version, environ=None):
    """Write the connection file into every candidate folder that can be written, and return the paths.

    Every one, because a sandboxed editor may see only some of them. Raises the OSError of the first folder if none can.
    """
    paths, first = [], None
    for folder in candidates(environ):
        try:
            paths.append(write_connection(folder, endpoint, key, version))
        except OSError as error:
            first = first or error
    if not paths:
        raise first
    return paths


def withdraw(key, environ=None):
    """Remove the connection files that still have this key (a newer engine's stay)."""
    for folder in candidates(environ):
        connection, _ = read_connection(folder)
        if connection is not None and connection.key == key:
            with contextlib.suppress(OSError):
                os.unlink(connection.path)
