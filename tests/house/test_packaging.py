"""The list of packages in pyproject.toml against the folders that there are."""

from __future__ import annotations

import re

from engine import __version__, paths
from tests.house.tree import ROOT, files

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def listed():
    return re.findall(r'"(engine[\w.]*)",', PYPROJECT.partition("[tool.setuptools]\n")[2].partition("]")[0])


def test_every_package_is_listed():
    there = {".".join(p.parent.parts) for p in files() if p.name == "__init__.py" and p.parts[0] == "engine"}
    assert there == {name for name in listed() if "._" not in name}


def test_every_python_folder_is_a_package():
    folders = {p.parent for p in files() if p.suffix == ".py" and p.parts[0] == "engine"}
    assert [f for f in folders if not (ROOT / f / "__init__.py").exists()] == []


def test_one_version_everywhere():
    assert f'version = "{__version__}"' in PYPROJECT
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_shipped_folders_are_found_in_the_clone():
    assert paths.from_clone()
    for name in ("weights", "plugin_gimp", "plugin_krita"):
        assert paths.shipped(name) == ROOT / name


def test_where_weights_are_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path))
    monkeypatch.delenv("PINCEL_MODELS", raising=False)
    assert paths.model_folders() == [tmp_path / "data" / "models", ROOT / "weights"]
    monkeypatch.setenv("PINCEL_MODELS", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert paths.model_folders()[:2] == [tmp_path / "a", tmp_path / "b"]
    assert paths.models_folder() == tmp_path / "a"
