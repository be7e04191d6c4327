"""The pages' examples that need a running engine: run as they stand, with the real one."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from engine import Engine
from tests.house.test_examples import PAGES, blocks
from tests.house.tree import ROOT

EXAMPLES = [
    pytest.param(text, id=f"{page}: {n}")
    for page in PAGES
    for n, text in enumerate(blocks(page, "python"))
    if ".connect(" in text
]


def test_the_page_of_the_service_has_both_ways():
    texts = "".join(blocks(ROOT / "docs/service.md", "python"))
    assert "import zmq" in texts and "from engine.client.session" in texts


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples(text, service, tmp_path, photo):
    for name in ("old.ppm", "old.png", "photo.png", "old.jpg"):
        Image.fromarray(photo).save(tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=tmp_path,
        env=service.environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    [made] = tmp_path.glob("colour.p?[mg]")
    with Engine() as engine, Image.open(made) as picture:
        assert picture.tobytes() == engine.colorize(photo, seed=7).array.tobytes()
