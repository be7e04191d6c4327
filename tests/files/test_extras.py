"""What lies in a file beside pixels, profile, EXIF and XMP: resolution, comment, captions, text. It goes along or is named."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from engine import Engine
from engine.files import exif, png
from engine.files.read import read
from engine.files.write import write
from tests.files.pictures import chunk, exif_block, samples, saved
from tests.files.test_results import Copying

CAPTIONS = b"\x1c\x02\x78\x00\x07Grandma"
APP13 = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x0c" + CAPTIONS
SEGMENT = b"\xff\xed" + (len(APP13) + 2).to_bytes(2, "big") + APP13


def through(tmp_path, data: bytes, before: str, after: str) -> tuple[bytes, list[str]]:
    """A file's bytes from source to result by the Python door, and the notices."""
    (tmp_path / f"a.{before}").write_bytes(data)
    result = Engine(transport=Copying()).colorize(tmp_path / f"a.{before}")
    return result.save(tmp_path / f"b.{after}", overwrite=True).read_bytes(), result.info["notices"]


def dots(data: bytes) -> tuple[float, float]:
    """The resolution in dots an inch, as others see it."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "WEBP":
            found = image.getexif()
            factor = {2: 1, 3: 2.54}[found[0x0128]]
            return float(found[0x011A]) * factor, float(found[0x011B]) * factor
        return tuple(float(side) for side in image.info["dpi"])


def source(form: str, **options) -> bytes:
    return saved(Image.fromarray(samples(np.uint8, 3)), form, **options)


@pytest.mark.parametrize("after", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("before", ["jpg", "png", "bmp"])
def test_the_resolution_goes_along_into_every_format(tmp_path, before, after):
    form = {"jpg": "JPEG"}.get(before, before.upper())
    data, notices = through(tmp_path, source(form, dpi=(300, 600)), before, after)
    assert dots(data) == pytest.approx((300, 600), abs=0.02) and notices == []


@pytest.mark.parametrize("after", ["jpg", "png", "tif", "webp"])
def test_pixels_a_centimetre_and_no_whole_number_of_dots(tmp_path, after):
    metric = bytearray(source("JPEG", dpi=(118, 118)))
    metric[13] = 2  # JFIF's unit
    data, _ = through(tmp_path, bytes(metric), "jpg", after)
    assert dots(data) == pytest.approx((118 * 2.54,) * 2, abs=0.3 if after == "jpg" else 0.02)


@pytest.mark.parametrize("after", ["jpg", "png", "tif", "webp"])
def test_where_there_is_no_resolution_none_is_made_up(tmp_path, after):
    for before, data in (("jpg", source("JPEG")), ("png", source("PNG"))):
        out, _ = through(tmp_path, data, before, after)
        with Image.open(io.BytesIO(out)) as image:
            if after == "tif":
                assert image.tag_v2[0x0128] == 1  # no unit
            else:
                assert "dpi" not in image.info and not image.getexif()


def test_an_exif_block_is_not_touched_by_a_resolution_beside_it(tmp_path):
    (tmp_path / "a.jpg").write_bytes(source("JPEG", dpi=(300, 300), exif=b"Exif\0\0" + exif_block()))
    out = write(read(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    assert dots(out.read_bytes()) == (300, 300)
    assert read(out).exif == exif.updated(exif_block(), 13, 9)


def test_a_jpegs_comment_and_captions(tmp_path):
    data = source("JPEG", comment=b"Grandma in 1936", extra=SEGMENT)
    out, notices = through(tmp_path, data, "jpg", "jpg")
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["comment"] == b"Grandma in 1936" and image.info["photoshop"][0x0404] == CAPTIONS
    assert notices == []
    for after in ("png", "tif", "webp"):
        _, notices = through(tmp_path, data, "jpg", after)
        assert len(notices) == 1 and "comment and IPTC captions" in notices[0]


def test_captions_of_an_odd_length_and_of_a_pil_image(tmp_path):
    (tmp_path / "a.jpg").write_bytes(source("JPEG", extra=SEGMENT[:-1].replace(b"\x0c\x1c", b"\x0b\x1c") + b"\0"))
    with Image.open(tmp_path / "a.jpg") as image:
        result = Engine(transport=Copying()).colorize(image)
    with Image.open(result.save(tmp_path / "b.jpg")) as again:
        assert again.info["photoshop"] == {0x0404: CAPTIONS[:-1]}


def test_a_pngs_text(tmp_path):
    words = PngImagePlugin.PngInfo()
    words.add_text("Description", "Grandma")
    words.add_text("Comment", "in 1936", zip=True)
    words.add_itxt("Title", "Großmutter", lang="de")
    words.add_text("Raw profile type exif", "\nexif\n6\n457869660000\n")
    data = source("PNG", pnginfo=words)
    out, notices = through(tmp_path, data, "png", "png")
    with Image.open(io.BytesIO(out)) as image:
        image.load()
        assert image.text == {"Description": "Grandma", "Comment": "in 1936", "Title": "Großmutter"}
    assert notices == []
    _, notices = through(tmp_path, data, "png", "webp")
    assert len(notices) == 1 and "text" in notices[0]


def test_what_is_large_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(png, "_TEXT_MAX", 100)
    words = PngImagePlugin.PngInfo()
    words.add_text("Workflow", "x" * 100)
    words.add_text("Title", "Grandma")
    out, _ = through(tmp_path, source("PNG", pnginfo=words), "png", "png")
    with Image.open(io.BytesIO(out)) as image:
        image.load()
        assert image.text == {"Title": "Grandma"}


@pytest.mark.parametrize("values", [(0, 5, 1), (5, 5, 0), (1 << 31, 5, 1), (1, 1, 1)])
def test_odd_resolutions_harm_nothing(tmp_path, values):
    across, down, unit = values
    data = source("PNG")
    told = chunk(b"pHYs", across.to_bytes(4, "big") + down.to_bytes(4, "big") + bytes([unit]))
    (tmp_path / "a.png").write_bytes(data[:33] + told + data[33:])
    for after in ("jpg", "png", "tif", "webp"):
        result = read(tmp_path / "a.png")
        np.testing.assert_array_equal(read(write(result, tmp_path / f"b.{after}", quality=100)).array.shape, (9, 13, 3))
    with tifffile.TiffFile(tmp_path / "b.tif") as tif:
        assert tif.pages[0].tags[0x0128].value in (1, 3)
