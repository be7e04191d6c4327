"""What Result.save() knows of the files that a result was made from; the work itself is left out."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine import Engine
from engine.client import errors
from engine.files.read import read
from engine.files.write import write
from engine.tasks.base import Picture, TaskResult
from tests.files.pictures import picture, samples


class Copying:
    """A transport whose results are the source's pixels, alone: what the service's results carry, too."""

    def run(self, task, source, options, extras, reporter):
        return TaskResult([Picture(source.array.copy(), source.linear, source.icc)], {"notices": []})


@pytest.fixture
def engine():
    return Engine(transport=Copying())


def test_no_source_is_written_over(engine, tmp_path):
    source, hints = write(picture(), tmp_path / "a.png"), write(Picture(samples(np.uint8, 4)), tmp_path / "hints.png")
    before = source.read_bytes(), hints.read_bytes()
    (tmp_path / "link.png").symlink_to(source)
    with Image.open(source) as image:
        image.load()
    for given in (source, str(source), read(source), image):
        result = engine.colorize(given, hints=hints)
        for target in (source, tmp_path / "link.png", hints):
            for overwrite in (True, False):
                with pytest.raises(errors.OutputIsSource):
                    result.save(target, overwrite=overwrite)
        again = engine.upscale(result.picture)
        with pytest.raises(errors.OutputIsSource):
            again.save(source, overwrite=True)
    assert (source.read_bytes(), hints.read_bytes()) == before
    engine.colorize(picture()).save(tmp_path / "new.png")
    assert result.save(tmp_path / "new.png", overwrite=True).exists()


def test_the_source_is_known_from_another_folder(engine, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(picture(), "a.png")
    result = engine.colorize("a.png")
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    with pytest.raises(errors.OutputIsSource):
        result.save("../a.png", overwrite=True)
    assert result.save("a.png").exists()


@pytest.mark.parametrize("path", [None, 5])
def test_what_is_no_path_is_refused_here_too(engine, tmp_path, path):
    result = engine.colorize(write(picture(), tmp_path / "a.png"))
    with pytest.raises(errors.OutputError):
        result.save(path)
