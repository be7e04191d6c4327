"""What the tests of weights files begin with."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def good(tmp_path, tiny_folder) -> Path:
    path = tmp_path / "srgan.psnr.safetensors"
    path.write_bytes((tiny_folder / path.name).read_bytes())
    return path
