"""pincel install: the plug-ins put into GIMP and Krita, or taken out."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.client.errors import OptionError

EDITORS = ("gimp", "krita")


def add_to(app: typer.Typer) -> None:
    app.command("install", help="Put the plug-in into every profile of an editor on this machine.")(install)


def install(
    editor: Annotated[str, typer.Argument(metavar="EDITOR", help="gimp or krita.")],
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Take the plug-in out again.")] = False,
    only_list: Annotated[bool, typer.Option("--list", help="Show the profiles and change nothing.")] = False,
    link: Annotated[
        bool, typer.Option("--link", help="For developers: link the files of this installation, copy nothing.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="One profile, instead of all that are found.")
    ] = None,
    zip_file: Annotated[
        Path | None,
        typer.Option("--zip", metavar="FILE", help="For Krita: write a zip for its own importer, install nothing."),
    ] = None,
) -> None:
    from engine.install import common

    known = chosen(editor)
    if zip_file is not None:
        if not hasattr(known, "write_zip"):
            raise OptionError(f"{known.title} has no importer for plug-ins.", "Leave --zip away.")
        print(f"{known.write_zip(zip_file.expanduser().absolute())}\n{known.after_zip}")
        return
    for profile in common.found(known, folder.expanduser().absolute() if folder else None):
        if only_list:
            noted = common.note(known, profile)
            state = f"Pincel {noted['version']}{' (linked)' * bool(noted['linked'])}" if noted else "without Pincel"
            print(f"{profile.title}: {state}\n  {profile.plugins}")
        elif uninstall:
            gone = common.uninstall(known, profile)
            print(f"{profile.title}: {'removed' if gone else 'there was no Pincel'}\n  {profile.plugins}")
        else:
            target = common.install(known, profile, link)
            print(f"{profile.title}: {'linked' if link else 'installed'}\n  {target}")
    if not only_list:
        print(f"Restart {known.title}." if uninstall else known.afterwards)


def chosen(name: str) -> Any:
    """The Editor of that name. Raises OptionError."""
    if name.lower() in EDITORS and importlib.util.find_spec(f"engine.install.{name.lower()}"):
        return importlib.import_module(f"engine.install.{name.lower()}").EDITOR
    raise OptionError(f"There is no plug-in for {name!r}.", f"Choose one of {', '.join(EDITORS)}.")
