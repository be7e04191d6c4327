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
from tests.files.pictures import exif_block, picture, samples


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


@pytest.mark.parametrize("block", [b"", exif_block()])  # with EXIF the file has another layout (VP8X)
def test_a_lossless_webp_stays_lossless(engine, tmp_path, block):
    source = Picture(samples(np.uint8, 3), exif=block)
    for quality, same in ((100, True), (95, False)):
        path = write(source, tmp_path / f"{quality}.webp", quality=quality)
        result = engine.colorize(path)
        back = read(result.save(tmp_path / f"{quality}.out.webp")).array
        assert np.array_equal(back, read(path).array) is same
    assert not np.array_equal(read(result.save(tmp_path / "b.webp", quality=80)).array, source.array)


def test_the_first_picture_of_an_animation_tells_whether_it_is_lossless(tmp_path):
    frames = [Image.fromarray(samples(np.uint8, 3, seed=n)) for n in range(2)]
    for lossless in (True, False):
        frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], lossless=lossless)
        assert read(tmp_path / "a.webp", convert=True).origin.lossless is lossless


@pytest.mark.parametrize("ending", [".jpg", ".webp"])
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint16, 16), (np.float32, 32), (np.uint8, None)])
def test_bits_that_a_format_cannot_hold_are_told_of(engine, tmp_path, ending, dtype, bits):
    result = engine.colorize(Picture(samples(dtype, 3)))
    result.save(tmp_path / f"a{ending}")
    result.save(tmp_path / f"b{ending}")
    assert len(result.info["notices"]) == (1 if bits else 0)
    assert not bits or f"{bits} bits" in result.info["notices"][0]
    deep = engine.colorize(Picture(samples(dtype, 3)))
    deep.save(tmp_path / "a.png")
    assert deep.info["notices"] == []


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
