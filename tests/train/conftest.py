"""What the tests of `pincel train` share."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to work in with pictures in train/ and heldout/."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("engine.train.runs.draw", lambda path, key: None)  # a second each: one test draws
    rng = np.random.default_rng(0)
    for folder, count in (("train", 3), ("heldout", 1)):
        (tmp_path / folder).mkdir()
        for number in range(count):
            pixels = rng.integers(0, 256, (36, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    return tmp_path
