"""The client under every Python from 3.8 that this machine has, against the real engine; standard library alone."""

from __future__ import annotations

import ast
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import engine.client
from engine import Engine

CLIENT = Path(engine.client.__file__).parent
SCRIPT = Path(__file__).with_name("small_script.py")


def interpreter(minor):
    """The path of Python 3.minor, or None."""
    if sys.version_info[:2] == (3, minor):
        return sys.executable
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    for path in sorted(glob.glob(f"{root}/versions/3.{minor}.*/bin/python")):
        return path
    path = shutil.which(f"python3.{minor}")
    works = path and subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
    return path if works else None


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The client's folder, copied as the installer does it, under a name of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(CLIENT, folder / "pincel_client", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def expected():
    """What the same work gives in process."""
    from skimage import data

    photo = data.astronaut()[20:171, 120:323]
    with Engine() as inside:
        coloured = inside.colorize(photo, seed=7, variants=2)
        larger = inside.upscale(photo, scale=2.0)
    results = {"colorize": coloured.variants, "upscale": [larger]}
    return photo, {
        task: [[r.array.shape[1], r.array.shape[0], hashlib.sha256(r.array.tobytes()).hexdigest()] for r in made]
        for task, made in results.items()
    }


@pytest.mark.parametrize("minor", range(8, 15))
def test_the_same_bytes_under_every_python(minor, service, copy, expected, tmp_path):
    python = interpreter(minor)
    if python is None:
        pytest.skip(f"this machine has no Python 3.{minor}")
    photo, results = expected
    (tmp_path / "photo").write_bytes(photo.tobytes())
    height, width = photo.shape[:2]
    environ = {k: v for k, v in service.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-I", "-B", "-W", "error", SCRIPT, copy, str(width), str(height), tmp_path / "photo"],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert said["python"] == [3, minor]
    assert {task: said[task] for task in results} == results
    assert said["models"] and said["cancelled"] in ("cancelled", "result")
    foreign = {n for n in said["modules"] if n not in sys.stdlib_module_names} - {"pincel_client"}
    assert not {n for n in foreign if not n.startswith("_")}


@pytest.mark.parametrize("path", sorted(CLIENT.glob("*.py")), ids=lambda p: p.name)
def test_no_syntax_newer_than_3_8_and_only_the_standard_library(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            tops = [alias.name.partition(".")[0] for alias in node.names]
            assert set(tops) <= set(sys.stdlib_module_names), tops
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 1 or (node.level == 0 and node.module.partition(".")[0] in sys.stdlib_module_names)
