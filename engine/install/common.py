"""What installing into any editor has in common: copying a plug-in and the client, a note of it, and taking it away again.

An editor is a module beside this one (gimp.py, krita.py) with a subclass of Editor. A Profile is one place where one
version of the editor looks for plug-ins; an editor may have several on a machine.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from engine import __version__, client
from engine.client import launcher
from engine.client.errors import DiskFull, NoProfile, NotWritable, OutputError

NEVER_STARTED = "is installed, but was never started"  # an editor of which a program but no profile was found
CLIENT = "pincel_client"  # the client's name beside a plug-in
NOTE = "pincel-install.json"  # what we leave in a folder that is ours, and the only thing that allows removing it


@dataclass(frozen=True)
class Profile:
    """One place for plug-ins. title: "GIMP 3.0 (flatpak)". plugins: the folder in which the plug-in's folder is made."""

    title: str
    plugins: Path
    version: str = ""


@dataclass(frozen=True)
class Surroundings:
    """Where to look: the user's home, the environment and the platform (sys.platform). Tests give their own."""

    home: Path
    environ: dict[str, str]
    platform: str

    @classmethod
    def here(cls) -> Surroundings:
        return cls(Path.home(), dict(os.environ), sys.platform)


class Editor(ABC):
    """What differs between editors. name: as on the command line; title: as people say it."""

    name = ""
    title = ""
    programs_in_path: tuple[str, ...] = ()  # by which an editor that was never started is known
    # What the user does next, one sentence.
    afterwards = ""
    folder_name = "folder"

    @abstractmethod
    def profiles(self, around: Surroundings) -> list[Profile]:
        """Every profile on this machine."""

    @abstractmethod
    def named(self, folder: Path) -> Profile:
        """The profile that a folder named by hand stands for."""

    @abstractmethod
    def source(self, profile: Profile) -> Path:
        """The shipped folder of the plug-in for that profile; its name is that of the installed one."""

    def programs(self, profile: Profile) -> list[str]:
        """The plug-in's files that the editor runs as programs."""
        return []

    def installed(self, profile: Profile) -> None:  # noqa: B027
        """What is left to do once the plug-in is in its place (enable it, menu files)."""

    def removed(self, profile: Profile) -> None:  # noqa: B027
        """What `installed` did, undone."""

    def is_there(self, around: Surroundings) -> bool:
        """Whether the editor itself is found, with or without a profile."""
        path = around.environ.get("PATH")
        return any(shutil.which(program, path=path) for program in self.programs_in_path)

    def without_profiles(self, around: Surroundings) -> str:
        """What to do where there is no profile."""
        if self.is_there(around):
            return f"{self.title} {NEVER_STARTED}: start it once, close it, and try again."
        return f"Install {self.title} and start it once, then try again; or name its {self.folder_name} with --folder."


def found(editor: Editor, folder: Path | None = None, around: Surroundings | None = None) -> list[Profile]:
    """The profiles to work on. Raises NoProfile."""
    around = around or Surroundings.here()
    profiles = [editor.named(folder)] if folder is not None else editor.profiles(around)
    # A misspelt folder would be made, and never be read.
    if folder is not None and not profiles[0].plugins.parent.is_dir():
        raise NoProfile(
            f"There is no folder {profiles[0].plugins.parent}.",
            f"Name the profile folder of a {editor.title} that was started once.",
            path=str(folder),
        )
    if not profiles:
        raise NoProfile(f"No profile of {editor.title} was found.", editor.without_profiles(around))
    return profiles


def place(editor: Editor, profile: Profile) -> Path:
    """The plug-in's own folder in a profile."""
    return profile.plugins / editor.source(profile).name


def note(editor: Editor, profile: Profile) -> dict[str, object] | None:
    """What we noted when we installed there: {"version", "linked"}; None where nothing of ours is."""
    try:
        noted = json.loads((place(editor, profile) / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return noted if isinstance(noted, dict) else None


def install(editor: Editor, profile: Profile, link: bool = False) -> Path:
    """Put the plug-in and the client into the profile, in the place of an earlier one, and return its folder.

    The folder is made beside its place and moved there: a full disk leaves an earlier one as it was.

    link: the files are symbolic links to those of this installation, so that a developer's changes count at once.
    Raises NotWritable, also where something that is not ours has the place.
    """
    target, source = place(editor, profile), editor.source(profile)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        _check_ours(editor, profile)
        draft.mkdir(parents=True)
        for entry in sorted(source.iterdir()):
            if entry.name != "__pycache__":
                _put(entry, draft / entry.name, link)
        _put(Path(client.__file__).parent, draft / CLIENT, link)
        for name in editor.programs(profile):
            _make_program(draft / name)
        launcher.record_command(engine_command(), None if link else str(draft / CLIENT))
        (draft / NOTE).write_text(json.dumps({"version": __version__, "linked": link}), encoding="utf-8")
        _clear(editor, profile)
        draft.replace(target)
        editor.installed(profile)
    except (OSError, shutil.Error) as error:
        raise _failure(target, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _failure(target: Path, error: OSError) -> OutputError:
    """What a system's refusal means. shutil.Error holds one for each file: [(source, target, reason), ...]."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        _, place, reason = error.args[0][0]
        number = re.match(r"\[Errno (\d+)\]", str(reason))
        error = OSError(int(number[1]) if number else 0, str(reason), str(place))
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(f"There is no room for {target}.", "Free some space; what was installed before is still there.")
    return NotWritable(
        f"{error.filename or target} cannot be written: {error.strerror or error}.",
        "Check who owns that folder, or name another with --folder.",
    )


def uninstall(editor: Editor, profile: Profile) -> bool:
    """Take our plug-in out of the profile; whether there was one."""
    if note(editor, profile) is None:
        return False
    try:
        _clear(editor, profile)
        editor.removed(profile)
    except OSError as error:
        raise NotWritable(
            f"{error.filename} cannot be removed: {error.strerror or error}.", "Close the editor, then try again."
        ) from error
    return True


def engine_command() -> list[str]:
    """How this installation's `pincel` is started from anywhere."""
    for name in ("pincel", "pincel.exe"):
        script = Path(sys.executable).parent / name
        if script.is_file():
            return [str(script)]
    return [sys.executable, "-m", "engine"]


def _check_ours(editor: Editor, profile: Profile) -> None:
    target = place(editor, profile)
    if target.is_symlink() or (target.exists() and note(editor, profile) is None):
        raise NotWritable(f"{target} was not put there by Pincel.", "Move it away or delete it, then try again.")


def _clear(editor: Editor, profile: Profile) -> None:
    _check_ours(editor, profile)
    target = place(editor, profile)
    if target.exists():
        shutil.rmtree(target)  # takes links away, not what they lead to


def _put(source: Path, target: Path, link: bool) -> None:
    if link:
        target.symlink_to(source.resolve(), target_is_directory=source.is_dir())
    elif source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", launcher.COMMAND_FILE))
    else:
        shutil.copyfile(source, target)


def _make_program(path: Path) -> None:
    if not path.is_symlink():
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
