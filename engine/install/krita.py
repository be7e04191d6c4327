"""Krita's profiles: native, flatpak, snap, AppImage's own home; Linux, macOS and Windows. Krita 5 and 6 share them.

Beside the plug-in's folder Krita wants a .desktop file (which makes it a plug-in), an .action file (its shortcuts) and a line
in kritarc (which enables it).
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from engine import paths
from engine.client.errors import NotWritable
from engine.install import common
from engine.install.common import Editor, Profile, Surroundings

NAME = "pincel"
ENABLED = f"enable_{NAME}"
_APPIMAGE = re.compile(r"krita.*\.appimage\.home", re.IGNORECASE)


@dataclass(frozen=True)
class KritaProfile(Profile):
    """config: the kritarc that enables plug-ins; None where it is not known."""

    config: Path | None = None


class Krita(Editor):
    name, title = "krita", "Krita"
    programs_in_path = ("krita",)
    folder_name = "resource folder"
    afterwards = (
        "Restart Krita and choose Settings > Dockers > Pincel. Not there? Tick Pincel in Settings > Configure Krita > "
        "Python Plugin Manager and restart again."
    )

    def profiles(self, around: Surroundings) -> list[Profile]:
        return [
            KritaProfile(f"Krita ({kind})", data / "pykrita", "", config)
            for kind, data, config in _places(around)
            if data.is_dir()
        ]

    def named(self, folder: Path) -> Profile:
        plugins = folder if folder.name == "pykrita" else folder / "pykrita"
        data = plugins.parent
        config = None
        if data.name == "krita" and data.parent.name == "share" and data.parent.parent.name == ".local":
            config = data.parent.parent.parent / ".config" / "kritarc"
        return KritaProfile(f"Krita ({folder})", plugins, "", config)

    def source(self, profile: Profile) -> Path:
        return paths.shipped("plugin_krita") / NAME

    def installed(self, profile: Profile) -> None:
        shipped = self.source(profile).parent
        for name, target in _files(profile):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped / name, target)
        if isinstance(profile, KritaProfile) and profile.config is not None:
            enable(profile.config, True)

    def removed(self, profile: Profile) -> None:
        for _, target in _files(profile):
            target.unlink(missing_ok=True)
        if isinstance(profile, KritaProfile) and profile.config is not None:
            enable(profile.config, False)

    after_zip = "In Krita: Tools > Scripts > Import Python Plugin from File…, choose it, and restart Krita."

    def write_zip(self, target: Path) -> Path:
        """A zip for Krita's own importer, for places that we cannot write to. Raises NotWritable."""
        with tempfile.TemporaryDirectory() as folder:
            profile = KritaProfile("zip", Path(folder) / "pykrita")
            common.install(self, profile)
            try:
                with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
                    for root in (profile.plugins, profile.plugins.parent / "actions"):
                        for path in sorted(root.rglob("*")):  # folders too: the importer looks for their entries
                            file.write(path, path.relative_to(root))
            except OSError as error:
                raise NotWritable(f"{target} cannot be written: {error.strerror or error}.") from error
        return target


def _files(profile: Profile) -> list[tuple[str, Path]]:
    """(name among what ships, place) of what lies beside the plug-in's folder."""
    return [
        (f"{NAME}.desktop", profile.plugins / f"{NAME}.desktop"),
        (f"{NAME}.action", profile.plugins.parent / "actions" / f"{NAME}.action"),
    ]


def _places(around: Surroundings) -> list[tuple[str, Path, Path]]:
    """(kind, resource folder, kritarc)"""
    home, environ = around.home, around.environ
    if around.platform == "win32":
        roaming = Path(environ.get("APPDATA") or home / "AppData/Roaming")
        local = Path(environ.get("LOCALAPPDATA") or home / "AppData/Local")
        found = [("Windows", roaming / "krita", local / "kritarc")]
        for store in sorted(local.glob("Packages/*Krita*/LocalCache")):
            found.append(("Microsoft Store", store / "Roaming" / "krita", store / "Local" / "kritarc"))
        return found
    if around.platform == "darwin":
        library = home / "Library"
        return [("macOS", library / "Application Support/krita", library / "Preferences/kritarc")]
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    flatpak, snap = home / ".var/app/org.kde.krita", home / "snap/krita/current"
    found = [
        ("native", data / "krita", config / "kritarc"),
        ("flatpak", flatpak / "data/krita", flatpak / "config/kritarc"),
        ("snap", snap / ".local/share/krita", snap / ".config/kritarc"),
    ]
    for folder in (
        home,
        home / "Applications",
        home / "Downloads",
        home / "Desktop",
        home / "bin",
        home / ".local/bin",
    ):
        with contextlib.suppress(OSError):
            for entry in sorted(folder.iterdir()):
                if _APPIMAGE.fullmatch(entry.name) and entry.is_dir():
                    found.append((entry.name, entry / ".local/share/krita", entry / ".config/kritarc"))
    return found


def enable(config: Path, on: bool) -> None:
    """Set or take away the line in kritarc's group [python]; every other byte stays. Raises OSError."""
    try:
        lines = config.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except FileNotFoundError:
        lines = []
    group, kept, at = "", [], None
    for line in lines:
        if line.startswith("["):
            group = line.strip()
        if group == "[python]" and line.partition("=")[0].strip() == ENABLED:
            continue
        kept.append(line)
        if line.strip() == "[python]":
            at = len(kept)
    if on:
        if at is None:
            kept += ["", "[python]"] if kept and kept[-1].strip() else ["[python]"]
            at = len(kept)
        kept.insert(at, f"{ENABLED}=true")
    if kept == lines:
        return
    config.parent.mkdir(parents=True, exist_ok=True)
    draft = config.with_name(config.name + ".pincel")
    try:
        draft.write_bytes(("\n".join(kept) + "\n").encode("utf-8", "surrogateescape"))
        draft.replace(config)
    finally:
        draft.unlink(missing_ok=True)


EDITOR = Krita()
