"""`pincel install gimp`: every profile is found, what is put there works, and everything can be taken out again."""

from __future__ import annotations

import ast
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine import __version__
from engine.cli.app import run
from engine.client import launcher
from engine.client.errors import NoProfile, NotWritable
from engine.install import common
from engine.install.gimp import EDITOR
from tests.house.tree import ROOT

ROOTS = {
    "linux": {
        "native": ".config/GIMP",
        "flatpak": ".var/app/org.gimp.GIMP/config/GIMP",
        "snap": "snap/gimp/current/.config/GIMP",
    },
    "darwin": {"macOS": "Library/Application Support/GIMP"},
    "win32": {"Windows": "AppData/Roaming/GIMP"},
}


def around(home, platform="linux", **environ):
    return common.Surroundings(home, environ, platform)


@pytest.fixture
def profile(tmp_path):
    return EDITOR.named(tmp_path / "3.0")


@pytest.mark.parametrize("platform", ROOTS)
def test_every_profile_is_found(platform, tmp_path):
    for folder in ROOTS[platform].values():
        for version in ("2.10", "3.0", "3.2", "cache"):
            (tmp_path / folder / version).mkdir(parents=True)
    found = EDITOR.profiles(around(tmp_path, platform))
    assert [p.title for p in found] == [
        f"GIMP {version} ({kind})" for kind in ROOTS[platform] for version in ("2.10", "3.0", "3.2")
    ]
    for p in found:
        assert p.plugins == tmp_path / ROOTS[platform][p.title.split("(")[1][:-1]] / p.version / "plug-ins"


def test_moved_profiles_are_found(tmp_path):
    (tmp_path / "else/GIMP/3.0").mkdir(parents=True)
    found = EDITOR.profiles(
        around(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "else"), GIMP3_DIRECTORY=str(tmp_path / "mine"))
    )
    assert [p.plugins for p in found] == [tmp_path / "else/GIMP/3.0/plug-ins", tmp_path / "mine/plug-ins"]


def test_no_profile_says_what_to_do(tmp_path):
    with pytest.raises(NoProfile) as caught:
        common.found(EDITOR, around=around(tmp_path, PATH=""))
    assert caught.value.remedy.startswith("Install GIMP and start it once")
    program = tmp_path / "gimp"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with pytest.raises(NoProfile) as caught:
        common.found(EDITOR, around=around(tmp_path, PATH=str(tmp_path)))
    assert "was never started" in caught.value.remedy


def test_what_is_installed(profile):
    folder = common.install(EDITOR, profile)
    assert folder == profile.plugins / "pincel"
    assert stat.S_IMODE((folder / "pincel.py").stat().st_mode) & 0o111
    shipped = {p.name for p in (ROOT / "plugin_gimp/pincel").iterdir()} - {"__pycache__"}
    assert {p.name for p in folder.iterdir()} == shipped | {common.CLIENT, common.NOTE}
    client = {p.name: p.read_bytes() for p in (ROOT / "engine/client").iterdir() if p.is_file()}
    copied = {p.name: p.read_bytes() for p in (folder / common.CLIENT).iterdir()}
    assert json.loads(copied.pop(launcher.COMMAND_FILE)) == common.engine_command()
    assert copied == client
    assert common.note(EDITOR, profile) == {"version": __version__, "linked": False}


def test_the_plugins_know_their_version():
    for name in ("pincel/pincel.py", "pincel_210/bridge.py"):
        assert f'VERSION = "{__version__}"' in (ROOT / "plugin_gimp" / name).read_text(encoding="utf-8")


def test_a_second_time_replaces_the_first(profile):
    folder = common.install(EDITOR, profile)
    (folder / "old.py").write_text("")
    common.install(EDITOR, profile)
    assert not (folder / "old.py").exists()


def test_linked_files_are_those_of_the_clone(profile):
    folder = common.install(EDITOR, profile, link=True)
    assert (folder / "pincel.py").resolve() == ROOT / "plugin_gimp/pincel/pincel.py"
    assert os.access(folder / "pincel.py", os.X_OK)
    assert (folder / common.CLIENT).resolve() == ROOT / "engine/client"
    assert not (ROOT / "engine/client" / launcher.COMMAND_FILE).exists()
    assert common.uninstall(EDITOR, profile)
    assert (ROOT / "plugin_gimp/pincel/pincel.py").exists() and (ROOT / "engine/client/errors.py").exists()


def test_what_is_not_ours_stays(profile):
    (profile.plugins / "pincel").mkdir(parents=True)
    (profile.plugins / "pincel/mine.py").write_text("x")
    with pytest.raises(NotWritable, match="not put there by Pincel"):
        common.install(EDITOR, profile)
    assert not common.uninstall(EDITOR, profile)
    assert (profile.plugins / "pincel/mine.py").read_text() == "x"


def test_the_command(tmp_path, capsys):
    (tmp_path / "3.0").mkdir()
    folder = ["--folder", str(tmp_path / "3.0")]
    assert run(["install", "gimp", "--list", *folder]) == 0
    assert "without Pincel" in capsys.readouterr().out and not list((tmp_path / "3.0").iterdir())
    assert run(["install", "gimp", *folder]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "3.0/plug-ins/pincel") in said and "Restart GIMP" in said
    assert run(["install", "gimp", "--list", *folder]) == 0
    assert f"Pincel {__version__}" in capsys.readouterr().out
    assert run(["install", "gimp", "--uninstall", *folder]) == 0
    assert "removed" in capsys.readouterr().out
    assert list((tmp_path / "3.0/plug-ins").iterdir()) == []
    assert run(["install", "photoshop"]) == 2
    assert "Choose one of gimp, krita" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((ROOT / "plugin_gimp").rglob("*.py")), ids=lambda p: p.name)
def test_the_plugin_imports_the_standard_library_and_gi_alone(path):
    ours = {p.stem for p in path.parent.glob("*.py")} | {common.CLIENT}
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module]
        for name in names:
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names or top in ours or top in {"gi", "gimpfu"}, f"{path}: {name}"


def test_the_installed_client_runs_under_a_bare_python(profile):
    folder = common.install(EDITOR, profile)
    code = f"""
import sys
sys.path.insert(0, {str(folder)!r})
from pincel_client import controls, errors, launcher, options, region, work
task = options.TASKS["colorize"]
assert controls.collect(task, {{}}).place == "layer"
assert launcher.command({{}}) == {[*common.engine_command(), "serve"]!r}
job = work.Work(("bare", "1"), "colorize", {{}}, {{}}, start=False, environ={{"PINCEL_RUNTIME_DIR": "/nowhere"}})
while not job.step(0.1): pass
assert job.sentence == "No engine is running. Start it with `pincel serve`.", job.sentence
assert not [m for m in sys.modules if m.partition(".")[0] in ("numpy", "zmq", "torch", "gi", "engine")]
"""
    bare = [str(Path(sys.base_prefix) / "bin" / "python3"), "-I", "-S", "-c", code]
    subprocess.run(bare, check=True, env={})


def test_a_folder_that_is_not_there_is_not_made(tmp_path, capsys):
    for editor, title, plugins in (("gimp", "GIMP", "plug-ins"), ("krita", "Krita", "pykrita")):
        for folder in (tmp_path / "nowhere", tmp_path / "nowhere" / plugins):
            assert run(["install", editor, "--folder", str(folder)]) == 4
            said = capsys.readouterr().err
            assert f"There is no folder {tmp_path / 'nowhere'}. (output.no-profile)" in said
            assert f"Name the profile folder of a {title} that was started once." in said
    assert list(tmp_path.iterdir()) == []
