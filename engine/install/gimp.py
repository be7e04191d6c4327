"""GIMP's profiles: native, flatpak and snap; Linux, macOS and Windows; every 3.x beside each other, and 2.10."""

from __future__ import annotations

import re
from pathlib import Path

from engine import paths
from engine.install.common import Editor, Profile, Surroundings

_VERSION = re.compile(r"(?:3\.\d+|2\.10)")


class Gimp(Editor):
    name, title = "gimp", "GIMP"
    programs_in_path = ("gimp", "gimp-3.0", "gimp-3.2")
    afterwards = "Restart GIMP, open a photograph and choose Filters > Pincel > Colorize Photo."

    def profiles(self, around: Surroundings) -> list[Profile]:
        found = []
        for kind, root in _roots(around):
            for folder in sorted(root.glob("*")) if root.is_dir() else []:
                if _VERSION.fullmatch(folder.name) and folder.is_dir():
                    found.append(Profile(f"GIMP {folder.name} ({kind})", folder / "plug-ins", folder.name))
        for variable, version in (("GIMP3_DIRECTORY", "3"), ("GIMP2_DIRECTORY", "2.10")):
            named = around.environ.get(variable)
            if named and all(p.plugins != Path(named) / "plug-ins" for p in found):
                found.append(Profile(f"GIMP {version} ({variable})", Path(named) / "plug-ins", version))
        return found

    def named(self, folder: Path) -> Profile:
        plugins = folder if folder.name == "plug-ins" else folder / "plug-ins"
        version = plugins.parent.name if _VERSION.fullmatch(plugins.parent.name) else "3"
        return Profile(f"GIMP {version} ({folder})", plugins, version)

    def source(self, profile: Profile) -> Path:
        return paths.shipped("plugin_gimp") / ("pincel_210" if profile.version == "2.10" else "pincel")

    def programs(self, profile: Profile) -> list[str]:
        return ["pincel_210.py" if profile.version == "2.10" else "pincel.py"]


def _roots(around: Surroundings) -> list[tuple[str, Path]]:
    """(kind, folder that holds a folder for each version)"""
    home = around.home
    if around.platform == "win32":
        return [("Windows", Path(around.environ.get("APPDATA") or home / "AppData/Roaming") / "GIMP")]
    if around.platform == "darwin":
        return [("macOS", home / "Library/Application Support/GIMP")]
    config = Path(around.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [
        ("native", config / "GIMP"),
        ("flatpak", home / ".var/app/org.gimp.GIMP/config/GIMP"),
        ("snap", home / "snap/gimp/current/.config/GIMP"),
    ]


EDITOR = Gimp()
