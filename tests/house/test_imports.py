"""Imports go one way. What each part of the engine may use, read from the sources and tried in fresh interpreters."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.house.tree import ROOT, imported, sources

# part -> (parts or modules of the engine it may import, outside packages it may import). Everybody may use client and
# itself. Imports under `if TYPE_CHECKING:` do not run and do not count.
RULES: dict[str, tuple[str, str]] = {
    "client": ("", ""),
    "paths": ("", "platformdirs"),
    "disk": ("", ""),
    "memory": ("", ""),
    "imaging": ("", "torch numpy"),
    "nn": ("", "torch numpy safetensors"),
    "generators": ("nn imaging train.recipe train.fidelity train.likeness", "torch numpy"),
    "store": ("generators nn paths disk memory", "torch numpy safetensors openvino"),
    "tasks": ("imaging generators store forecast", "torch numpy"),
    "files": ("tasks imaging disk", "numpy PIL tifffile imagecodecs"),
    "forecast": ("paths store.models", ""),
    "remote": ("paths", "zmq"),
    "server": ("tasks store paths forecast remote", "zmq numpy torch"),
    "transport": ("tasks store forecast", "torch"),
    "api": ("tasks store files server paths generators forecast transport remote", "torch numpy PIL"),
    "train": (
        "generators store imaging nn tasks files paths disk",
        "torch numpy PIL safetensors tensorboard matplotlib rich skimage",
    ),
    "demo": ("api cli", "PIL skimage rich"),
    "crops": ("api demo generators store train", "numpy PIL torch"),
    "lineart": ("api demo", "numpy PIL"),
    "clipart": ("api demo lineart", "numpy PIL"),
    "bench": (
        "forecast tasks store files server generators memory __version__",
        "torch numpy rich safetensors matplotlib onnxruntime openvino ncnn pnnx",
    ),
    "install": ("paths __version__", ""),
    "cli": ("api bench files install remote server store tasks train paths disk memory", "typer rich torch"),
    "__init__": ("api", ""),
    "__main__": ("cli", ""),
}


def part_of(path):
    return path.parts[1].removesuffix(".py")


def modules_of_engine():
    return {part_of(p) for p in sources()}


@pytest.mark.parametrize("path", sources(), ids=str)
def test_imports_go_one_way(path):
    part = part_of(path)
    assert part in RULES, f"{path}: say in this test what {part} may import"
    inside, outside = (set(names.split()) for names in RULES[part])
    known = modules_of_engine()
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "engine":
            target = rest.partition(".")[0]
            allowed = inside | {"client", part}
            if target in known and not any(f"{rest}.".startswith(f"{name}.") for name in allowed):
                pytest.fail(f"{path}: {part} may not import engine.{rest}")
        elif top not in sys.stdlib_module_names:
            assert top in outside, f"{path}: {part} may not import {top}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("engine", "torch numpy zmq PIL typer rich"),
        ("engine.cli", "torch numpy zmq PIL"),
        ("engine.server.broker", "torch numpy PIL typer rich"),
        ("engine.client.session", "torch numpy zmq PIL typer rich platformdirs"),
        ("engine.train", "zmq typer"),
    ],
)
def test_what_an_import_leaves_alone(module, absent):
    code = f"import sys, {module}; print(*sorted(set(sys.argv[1].split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code, absent], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
