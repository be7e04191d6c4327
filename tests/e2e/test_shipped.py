"""Every weights file that ships loads and runs through the Python API, the command line and the service: the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine import Engine, paths
from engine.client.options import TASKS
from engine.store.header import digest, read_header
from engine.tasks import frames
from engine.tasks.base import Picture
from tests.cli.pictures import pincel
from tests.server.harness import EngineProcess

FILES = sorted(paths.shipped("weights").glob("*.safetensors"))
QUICK = "swift.x4"  # in the default run this one alone: the golden pairs of tests/weights run all of them
EACH = [pytest.param(path, marks=() if path.stem == QUICK else pytest.mark.slow, id=path.stem) for path in FILES]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """An engine that finds the shipped weights alone, and no tiny ones; so does this process while it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINCEL_MODELS", str(tmp_path_factory.mktemp("none")))
        engine = EngineProcess(tmp_path_factory.mktemp("shipped"), real=True)
        yield engine
        assert engine.finish()[0] == 0
        assert engine.faults() == []


@pytest.mark.parametrize("path", EACH)
def test_it_runs_through_every_door(service, path, photo, tmp_path):
    task, name = read_header(path).task, path.stem
    picture = np.ascontiguousarray(photo[:48, 20:84])
    Image.fromarray(picture).save(tmp_path / "small.png")
    given = TASKS[task].source
    with Engine() as engine:
        result = getattr(engine, task)(*([picture] if given else []), generator=name)
    assert result.info["generator"] == name and result.info["weights"] == digest(path)
    assert result.array.std() > 3, "a picture, not a plain"

    words = [tmp_path / "small.png"] if given else []
    assert pincel(task, *words, "--generator", name, "-o", tmp_path / "made.png", "--engine", "local") == 0
    assert np.array_equal(np.asarray(Image.open(tmp_path / "made.png")), result.array)

    client = service.client()
    source = {"source": frames.to_pixels(Picture(picture))} if given else {}
    end = client.end(client.send("submit", source, task=task, options={"generator": name}))
    assert end.type == "result", end.header
    (made,) = (frames.to_picture(pixels).array for pixels in end.pictures().values())
    assert np.array_equal(made.reshape(result.array.shape), result.array)
    assert end.header["info"]["weights"] == digest(path)
    client.close()
