"""A new generator is one file: the example of CONTRIBUTING.md, put into a copy of the engine, goes the whole way.

Nothing else of the copy differs from the engine. Every step is a command as a contributor types it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.house.tree import ROOT

USE = """
import sys
from engine import Engine
with Engine() as engine:
    result = engine.upscale(sys.argv[1], scale=2, generator="espcn")
    print(result.info["generator"], *result.array.shape)
    result.save(sys.argv[2])
"""


def example() -> str:
    """The first Python block below the heading."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## A new generator")[2]
    return text.partition("```python\n")[2].partition("```")[0]


@pytest.fixture
def house(tmp_path):
    """A copy of the engine with one file more; a function that runs Python in it."""
    shutil.copytree(ROOT / "engine", tmp_path / "engine")
    for name in ("weights", "plugin_gimp", "plugin_krita"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "engine/generators/espcn.py").write_text(example(), encoding="utf-8")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PINCEL_MODELS": str(tmp_path / "models")}

    def python(*arguments):
        done = subprocess.run(
            [sys.executable, *map(str, arguments)], cwd=tmp_path, env=environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return python


@pytest.mark.slow
def test_the_example_trains_ships_and_runs(house, tmp_path, photo):
    (tmp_path / "pictures").mkdir()
    for index in range(3):
        Image.fromarray(photo[20 * index : 20 * index + 96, :130]).save(tmp_path / f"pictures/{index}.png")
    small = tmp_path / "small.png"
    Image.fromarray(photo[:31, :45]).save(small)

    training = ("-m", "engine.train", "espcn", "--data", "pictures", "--batch", "4", "--config", "channels=8")
    house(*training, "--steps", "6", "--out", "run", "--publish", "--tag", "first", "--licence", "MIT")
    lines = [json.loads(line) for line in (tmp_path / "run/stats.jsonl").read_text().splitlines()]
    assert lines and (tmp_path / "run/checkpoint.pt").is_file() and list((tmp_path / "run/samples").glob("*.png"))
    said = house("-c", USE, small, "api.png")
    assert said.split() == ["espcn.first", "62", "90", "3"]
    house("-m", "engine", "upscale", small, "--scale", "2", "--generator", "espcn", "-o", "cli.png")
    by_api, by_cli = (np.asarray(Image.open(tmp_path / name)) for name in ("api.png", "cli.png"))
    assert np.array_equal(by_api, by_cli)
    bicubic = np.asarray(Image.open(small).resize((90, 62), Image.Resampling.BICUBIC), float)
    assert np.abs(by_api - bicubic).mean() < 30  # a picture, after six steps not yet a good one
