"""The docker outside Krita, the plug-in's imports, and that its text and files are what Krita wants."""

from __future__ import annotations

import ast
import configparser
import os
import subprocess
import sys

import pytest

from engine import paths
from tests.house.tree import ROOT

PLUGIN = paths.shipped("plugin_krita")


def test_the_docker_is_shown_without_krita(plugin, tmp_path):
    code = (
        "import sys, importlib, pathlib; from tests import panel; from tests.fakes import krita as fake\n"
        "sys.path.insert(0, str(panel.install(pathlib.Path(sys.argv[1]))))\n"
        "qt = importlib.import_module(f'PyQt{panel.MAJOR}.QtWidgets'); app = fake.put_into_modules(panel.MAJOR)\n"
        "application = qt.QApplication([]); window, shown = panel.build(qt, app, panel.picture(None)); window.show()\n"
        "application.processEvents(); print(window.grab().width()); shown.hub.close()"
    )
    environ = dict(os.environ, QT_QPA_PLATFORM="offscreen")
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 300


@pytest.mark.parametrize("path", sorted(PLUGIN.glob("pincel/*.py")), ids=lambda p: p.name)
def test_only_the_standard_library_and_krita(path):
    """PyQt by its seam alone; the syntax is Python 3.8's."""
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        for name in names:
            top = name.split(".")[0]
            assert top in sys.stdlib_module_names or top == "krita", f"{path.name} imports {name}"
            assert top != "krita" or path.name in ("__init__.py", "qt.py", "host.py", "docker.py")
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and path.name != "qt.py":
            assert "PyQt" not in node.value or path.name == "__init__.py"


def test_enumerations_are_written_in_full():
    """PyQt6 has no Qt.AlignLeft, only Qt.AlignmentFlag.AlignLeft."""
    for path in PLUGIN.glob("pincel/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Qt":
                assert node.attr[0].isupper() and node.attr.endswith(
                    ("Flag", "Flags", "Role", "Mode", "Policy", "Shape", "Button", "Orientation")
                ), f"{path.name}: Qt.{node.attr}"


def test_the_desktop_file_names_what_is_there():
    entries = configparser.ConfigParser()
    entries.read(PLUGIN / "pincel.desktop")
    entry = entries["Desktop Entry"]
    assert (PLUGIN / entry["X-KDE-Library"] / "__init__.py").is_file()
    manual = (PLUGIN / entry["X-KDE-Library"] / entry["X-Krita-Manual"]).read_text(encoding="utf-8")
    assert "Colorize Photo" in manual and "http" not in manual.replace("http://www.w3.org", "")
