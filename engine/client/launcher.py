"""Starts an engine from wherever the client runs, and waits for it without blocking.

Inside an editor the environment is the editor's own: its Python home, library paths and bundles must not reach the
engine, and the engine must outlive the editor.
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys

from .connection import candidates, find, private_folder, state_folder
from .errors import EngineStart

LOG = "engine.log"
COMMAND_FILE = "engine-command.json"

# Variables of the editor's own Python, libraries and bundles, which would mislead the engine's.
_FOREIGN = (
    "PYTHON",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "DYLD_",
    "GI_TYPELIB_PATH",
    "GIO_",
    "GTK_",
    "GEGL_",
    "BABL_",
    "GIMP",
    "GDK_PIXBUF_",
    "QT_",
    "QML",
    "KRITA",
    "APPDIR",
    "APPIMAGE",
    "ARGV0",
    "OWD",
)


def record_command(arguments, folder=None):
    """Remember how Pincel is started, e.g. ["/home/ana/.venv/bin/pincel"], for editors that do not have it in PATH.

    folder: a plug-in's copy of the client, or None for the state folder. The installer calls this.
    """
    folder = folder or state_folder()
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, COMMAND_FILE)
    draft = "%s.%d" % (path, os.getpid())
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump([str(a) for a in arguments], file)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise


def command(environ=None):
    """The command that starts the engine, as a list. Raises EngineStart where none is known.

    In order: $PINCEL_ENGINE (a program with arguments), what record_command wrote beside this file and then in the
    state folder, `pincel` in PATH or ~/.local/bin. `serve` is put behind it. From a sandbox none can be started.
    """
    environ = os.environ if environ is None else environ
    given = environ.get("PINCEL_ENGINE")
    if given:
        return [*([given] if os.path.exists(given) else _words(given)), "serve"]
    cage = sandbox(environ)
    if cage:
        raise EngineStart(
            "No engine is running, and a program inside a %s cannot start one outside." % cage,
            "Run `pincel serve` in a terminal, then try again.",
        )
    for folder in (os.path.dirname(os.path.abspath(__file__)), state_folder(environ)):
        try:
            with open(os.path.join(folder, COMMAND_FILE), encoding="utf-8") as file:
                recorded = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(recorded, list) and recorded and all(isinstance(a, str) for a in recorded):
            return [*recorded, "serve"]
    path = environ.get("PATH", os.defpath) + os.pathsep + os.path.expanduser(os.path.join("~", ".local", "bin"))
    program = shutil.which("pincel", path=path)
    if program:
        return [program, "serve"]
    raise EngineStart(
        "The program `pincel` was not found.",
        "Install Pincel, or set PINCEL_ENGINE to the full path of its `pincel` command.",
    )


def quoted(arguments):
    """The arguments as one line for $PINCEL_ENGINE, which command() reads again."""
    if os.name == "posix":
        return " ".join(shlex.quote(a) for a in arguments)
    return " ".join('"%s"' % a if not a or set(a) & set(" \t") else a for a in arguments)  # no name there has a quote


def _words(line):
    """The line's words, without the quotes around them. Raises EngineStart where one does not close."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    if os.name != "posix":
        lexer.escape, lexer.quotes = "", '"'  # a backslash is a letter there, and an apostrophe may be part of a name
    try:
        return list(lexer)
    except ValueError:
        raise EngineStart(
            "PINCEL_ENGINE has a quote that does not close.",
            "Set it to the full path of the `pincel` command, in double quotes where it has spaces.",
        ) from None


def sandbox(environ=None):
    """What keeps this process from starting programs outside: "flatpak", "snap" or ""."""
    environ = os.environ if environ is None else environ
    if os.path.exists("/.flatpak-info") or environ.get("FLATPAK_ID"):
        return "flatpak"
    # Snaps of terminals and code editors leave SNAP behind in what they start, and are not confined.
    return "snap" if environ.get("SNAP_NAME") in ("gimp", "krita") else ""


def clean_environment(environ=None):
    """The environment without the editor's own Python, library and bundle variables."""
    environ = os.environ if environ is None else environ
    return {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}


class Starting:
    """An engine that was started and is awaited by step()."""

    def __init__(self, environ=None):
        """Start the engine, detached, its output in LOG in the first candidate folder. Raises EngineStart."""
        self.environ = os.environ if environ is None else environ
        arguments = command(self.environ)
        folder = candidates(self.environ)[0]
        self.log = os.path.join(folder, LOG)
        try:
            private_folder(folder)
            with open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
                self._from = log.tell()
                self.process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    env=dict(clean_environment(self.environ), PYTHONUNBUFFERED="1"),
                    **_detached(),
                )
        except OSError as error:
            raise EngineStart(
                "The engine cannot be started with %s: %s." % (arguments[0], error.strerror or error)
            ) from None

    def step(self, known=()):
        """The live Connections whose key is not among the known ones, which were tried before; often [].

        Raises EngineStart with the last lines of the log when the engine ended with a failure.
        """
        found = [c for c in find(self.environ)[0] if c.key not in known]
        if not found and self.process.poll():  # 0: it found another engine, whose file will come
            raise self.failed("The engine ended as it started (status %d)." % self.process.returncode)
        return found

    def failed(self, sentence):
        """The EngineStart of that sentence, with what the engine wrote since."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self._from)
                said = file.read()[-2000:].decode("utf-8", "replace").strip()
        except OSError:
            said = ""
        last = said.splitlines()[-1].strip() if said else ""
        return EngineStart(sentence + (" It said: %s" % last[:300] if last else ""), log=self.log, said=said)


def _detached():
    """The Popen arguments for a process that outlives this one and its terminal."""
    if sys.platform == "win32":
        return {"creationflags": 0x08000000 | 0x00000200}  # CREATE_NO_WINDOW, CREATE_NEW_PROCESS_GROUP
    return {"start_new_session": True, "close_fds": True}
