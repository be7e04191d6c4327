"""The wheel as a stranger gets it: built from a clean copy and through an sdist, installed apart, run from elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.house.tree import ROOT, files

pytestmark = pytest.mark.wheel


def run(command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **kwargs)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """(built from the tree, built from the sdist that was built from the tree)"""
    folder = tmp_path_factory.mktemp("build")
    clone = folder / "clone"
    for path in files():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, clone / path)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    run([*build, folder / "direct", "--wheel", clone])
    shutil.rmtree(clone / "build", ignore_errors=True)
    run([*build, folder / "both", clone])
    direct, through = next((folder / "direct").glob("*.whl")), next((folder / "both").glob("*.whl"))
    assert list((folder / "both").glob("*.tar.gz"))
    return direct, through


def contents(wheel):
    return {i.filename: i.CRC for i in zipfile.ZipFile(wheel).infolist() if not i.filename.endswith("RECORD")}


def test_only_engine_lands_in_site_packages(wheels):
    tops = {name.partition("/")[0] for name in contents(wheels[0])}
    assert tops == {"engine", next(t for t in tops if t.endswith(".dist-info"))}


def test_the_sdist_gives_the_same_wheel(wheels):
    assert contents(wheels[0]) == contents(wheels[1])


def test_everything_travels(wheels):
    inside = set(contents(wheels[0]))
    for path in files():
        if path.parts[0] == "engine" and path.suffix in {".py", ".md"}:
            assert path.as_posix() in inside
        if path.parts[0] in {"plugin_gimp", "plugin_krita"}:
            assert f"engine/_plugins/{path.as_posix()}" in inside
        if path.parts[0] == "weights" and len(path.parts) == 2:
            assert f"engine/_weights/{path.name}" in inside
    assert not [name for name in inside if re.search("__pycache__|/golden/|^tests/", name)]


@pytest.fixture(scope="module")
def installed(wheels, tmp_path_factory):
    """A fresh environment that holds the wheel; its dependencies are borrowed from this one, through a .pth file.

    A path that a .pth file adds does not have its own .pth files read: this environment's editable Pincel stays out.
    """
    venv = tmp_path_factory.mktemp("fresh") / "venv"
    run([sys.executable, "-m", "venv", "--without-pip", venv])
    python = venv / "bin/python"
    run([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheels[0]])
    site = Path(run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"]).strip())
    borrowed = {sysconfig.get_paths()[key] for key in ("purelib", "platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n", encoding="utf-8")
    return venv


@pytest.fixture
def elsewhere(tmp_path):
    """A folder with a photograph, and an environment that knows nothing of the clone."""
    ramp = np.add.outer(np.arange(48), 2 * np.arange(65)) % 256
    Image.fromarray(ramp.astype(np.uint8)).save(tmp_path / "photo.png")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PINCEL"))}
    return tmp_path, env | {
        "PINCEL_HOME": str(tmp_path / "home"),
        "XDG_RUNTIME_DIR": str(tmp_path),
        "OMP_NUM_THREADS": "2",
    }


def test_the_installed_python_works(installed, elsewhere):
    folder, env = elsewhere
    code = """
import json, sys
from engine import Engine, paths
import engine
with Engine(device="cpu") as e:
    colour, large = e.colorize("photo.png", seed=7), e.upscale("photo.png", scale=4)
colour.save("colour.png"); large.save("large.png")
print(json.dumps({"file": engine.__file__, "weights": str(paths.shipped("weights")), "gimp": str(paths.shipped("plugin_gimp")),
                  "clone": paths.from_clone(), "sizes": [colour.array.shape, large.array.shape]}))
"""
    said = json.loads(run([installed / "bin/python", "-c", code], cwd=folder, env=env))
    for place in (said["file"], said["weights"], said["gimp"]):
        assert Path(place).is_relative_to(installed), place
    assert said["clone"] is False
    assert said["sizes"] == [[48, 65, 3], [192, 260]]  # grey in, grey out
    assert Image.open(folder / "colour.png").size == (65, 48)


def test_the_installed_command_works(installed, elsewhere):
    folder, env = elsewhere
    pincel = installed / "bin/pincel"
    assert run([pincel, "--version"], cwd=folder, env=env).startswith("pincel ")
    for task, name, size in (("colorize", "photo.colorized.png", (65, 48)), ("upscale", "photo.x4.png", (260, 192))):
        run([pincel, task, "photo.png", "--engine", "local", "--json"], cwd=folder, env=env)
        assert Image.open(folder / name).size == size
    run([pincel, "models", "verify"], cwd=folder, env=env)
