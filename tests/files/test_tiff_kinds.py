"""The TIFF files that scanners, editors and science write: compressed, tiled, planar, big-endian, premultiplied..."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.client import errors
from engine.files import depth, exif
from engine.files.read import read
from engine.files.write import write
from engine.tasks.base import Picture
from tests.files.pictures import exif_block, samples

LAYOUTS = [
    {"compression": "lzw", "predictor": True},
    {"compression": "packbits"},
    {"compression": "zstd"},
    {"tile": (16, 16), "compression": "deflate"},
    {"rowsperstrip": 4},
    {"byteorder": ">"},
    {"bigtiff": True},
    {"planarconfig": "separate", "rowsperstrip": 3},
    {"planarconfig": "separate", "tile": (16, 16), "compression": "lzw"},
]
CASES = [
    (layout, channels, dtype)
    for layout in LAYOUTS
    for channels in ((3, 4) if "planarconfig" in layout else (1, 3, 4))
    for dtype in ((np.uint8,) if layout.get("compression") == "packbits" else depth.DTYPES)
]


@pytest.mark.parametrize(("layout", "channels", "dtype"), CASES, ids=str)
def test_layouts(tmp_path, layout, channels, dtype):
    array = samples(dtype, channels, 21, 34)
    data = array[..., 0] if channels == 1 else array
    if layout.get("planarconfig") == "separate":
        data = np.moveaxis(array, -1, 0)
    tifffile.imwrite(
        tmp_path / "a.tif",
        data,
        photometric="rgb" if channels > 1 else "minisblack",
        extrasamples=["unassalpha"] if channels == 4 else None,
        metadata=None,
        **layout,
    )
    back = read(tmp_path / "a.tif").array
    assert back.dtype == dtype and back.dtype.isnative
    np.testing.assert_array_equal(back, array)


def test_float64_becomes_float32(tmp_path):
    array = samples(np.float64, 3)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb")
    np.testing.assert_array_equal(read(tmp_path / "a.tif").array, array.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_is_zero(tmp_path, dtype):
    array = samples(dtype, 1)
    tifffile.imwrite(tmp_path / "a.tif", array[..., 0], photometric="miniswhite")
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    np.testing.assert_array_equal(read(tmp_path / "a.tif").array, (top - array).astype(dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_premultiplied_alpha_is_made_straight(tmp_path, dtype):
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    straight = samples(np.float64, 4)
    straight[0, 0, 3] = 0
    stored = np.concatenate([straight[..., :3] * straight[..., 3:], straight[..., 3:]], axis=2) * top
    stored = stored.astype(dtype) if dtype == np.float32 else np.rint(stored).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=["assocalpha"])
    got = read(tmp_path / "a.tif").array
    visible = straight[..., 3] > 0.2
    tolerance = {np.uint8: 4 / 255, np.uint16: 4 / 65535, np.float32: 1e-6}[dtype]
    assert np.abs(got[..., :3][visible] / top - straight[..., :3][visible]).max() < tolerance
    np.testing.assert_array_equal(got[..., 3], stored[..., 3])
    assert (got[0, 0] == 0).all()


def test_an_extra_channel_of_no_known_meaning(tmp_path):
    """Photoshop keeps saved selections like this: taking one for alpha would make holes in the picture."""
    array = samples(np.uint16, 4)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["unspecified"])
    with pytest.raises(errors.UnsupportedMode, match="alpha"):
        read(tmp_path / "a.tif")
    np.testing.assert_array_equal(read(tmp_path / "a.tif", convert=True).array, array[..., :3])


@pytest.mark.parametrize(
    ("array", "photometric"),
    [
        (np.zeros((9, 13), np.int16), "minisblack"),
        (np.zeros((9, 13), np.complex64), "minisblack"),
        (np.zeros((9, 13), np.uint16), 32803),
    ],
)
def test_numbers_that_are_no_picture(tmp_path, array, photometric):
    tifffile.imwrite(tmp_path / "a.tif", array, photometric=photometric)
    for convert in (False, True):
        with pytest.raises(errors.UnsupportedMode):
            read(tmp_path / "a.tif", convert)


def test_32_bit_integers_are_scaled_on_request(tmp_path):
    ramp = np.linspace(0, 2**32 - 1, 16 * 16).reshape(16, 16).astype(np.uint32)
    tifffile.imwrite(tmp_path / "a.tif", ramp, photometric="minisblack")
    scaled(tmp_path / "a.tif", ramp, 32)


def test_12_bit_integers_are_scaled_on_request(tmp_path):
    ramp = np.linspace(0, 2**12 - 1, 16 * 16).reshape(16, 16).astype(np.uint16)
    bits = np.unpackbits(ramp.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)[:, 4:]
    data = np.packbits(bits).tobytes()
    (tmp_path / "a.tif").write_bytes(bare_tiff(16, 16, 12, data))
    scaled(tmp_path / "a.tif", ramp, 12)


def bare_tiff(width: int, height: int, bits: int, data: bytes) -> bytes:
    """An uncompressed grey TIFF file of one strip, whatever the depth: tifffile writes only some."""

    def file(place: int) -> bytes:
        values = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 273: place, 277: 1, 278: height, 279: len(data)}
        return exif.packed(exif.Directory("<", {k: (4, 1, v.to_bytes(4, "little")) for k, v in values.items()}))

    return file(len(file(0))) + data


def scaled(path, ramp: np.ndarray, bits: int) -> None:
    with pytest.raises(errors.UnsupportedMode, match=str(bits)):
        read(path)
    got = read(path, convert=True).array
    assert got.dtype == np.uint16
    np.testing.assert_allclose(got[..., 0], ramp / (2.0**bits - 1) * 65535, atol=0.51)


@pytest.mark.parametrize("writer", ["tifffile", "libtiff"])
@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_inside_tiff(tmp_path, writer, channels):
    array = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (48, 1, channels))
    array[:, :, -1] //= 2
    data = array[..., 0] if channels == 1 else array
    if writer == "tifffile":
        kind = "rgb" if channels == 3 else "minisblack"
        tifffile.imwrite(tmp_path / "a.tif", data, photometric=kind, compression="jpeg", metadata=None)
    else:
        Image.fromarray(data).save(tmp_path / "a.tif", compression="jpeg", quality=90)
    back = read(tmp_path / "a.tif").array
    assert back.shape == array.shape and np.abs(back.astype(int) - array).mean() < 3


def test_a_missing_strip_is_never_black(tmp_path):
    """tifffile fills what is missing with zeros: such a file must be refused, not worked on."""
    array = samples(np.uint8, 3, 40, 20)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", rowsperstrip=10, metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as tif:
        page = tif.pages.first
        page.tags[279].overwrite((600, 0, 600, 600))
    with pytest.raises(errors.Truncated):
        read(tmp_path / "a.tif")


def test_no_word_on_the_terminal(tmp_path, capfd, caplog):
    path = write(Picture(samples(np.uint8, 3), exif=exif_block()), tmp_path / "a.tif")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(errors.Truncated):
        read(path)
    assert capfd.readouterr() == ("", "")
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("tifffile").handlers)


def test_the_writers_note_of_a_shape_is_not_a_description(tmp_path):
    array = np.full((5, 6, 3), 9, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb")
    write(read(tmp_path / "a.tif"), tmp_path / "b.tif")
    tifffile.imwrite(tmp_path / "c.tif", array, photometric="rgb", description="my grandmother")
    write(read(tmp_path / "c.tif"), tmp_path / "d.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as b, tifffile.TiffFile(tmp_path / "d.tif") as d:
        assert b.pages[0].description == "" and d.pages[0].description == "my grandmother"


@pytest.mark.parametrize("order", ["<", ">"])
def test_what_a_bigtiff_says_of_itself_goes_along(tmp_path, order):
    path, date = tmp_path / "a.tif", b"1936:07:18 10:20:30\0"
    tifffile.imwrite(
        path,
        np.full((5, 6, 3), 9, np.uint8),
        photometric="rgb",
        bigtiff=True,
        byteorder=order,
        metadata=None,
        description="my grandmother",
        resolution=(300, 301),
        resolutionunit=2,
        extratags=[(65000, 18, 1, 0)],
    )
    data = path.read_bytes()  # tifffile writes no EXIF directory: it goes behind the picture
    entry = struct.pack(order + "HHQQ", exif.EXIF_IFD, 18, 1, len(data))
    inner = struct.pack(order + "QHHQQQ", 1, 0x9003, 2, len(date), len(data) + 36, 0) + date
    path.write_bytes(data.replace(struct.pack(order + "HHQQ", 65000, 18, 1, 0), entry) + inner)
    back = read(write(read(path), tmp_path / "b.tif"))
    found = exif.parsed(back.exif).entries
    assert found[exif.DESCRIPTION][2] == b"my grandmother\0"
    assert [struct.unpack(order + "II", found[tag][2]) for tag in (0x011A, 0x011B)] == [(300, 1), (301, 1)]
    assert found[exif.EXIF_IFD][2].entries[0x9003][2] == date


def test_blocks_that_a_file_past_4_gb_goes_without_are_told_of(tmp_path, monkeypatch):
    real, notices = tifffile.imwrite, []
    monkeypatch.setattr(tifffile, "imwrite", lambda *given, **options: real(*given, **options, bigtiff=True))
    array = samples(np.uint8, 3)
    path = write(Picture(array, exif=exif_block()), tmp_path / "a.tif", notices=notices)
    assert len(notices) == 1 and "EXIF" in notices[0]
    np.testing.assert_array_equal(read(path).array, array)
    write(Picture(array), tmp_path / "b.tif", notices=notices)
    assert len(notices) == 1


def test_no_directory_is_followed_into_a_damaged_bigtiff(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.full((5, 6), 9, np.uint8), bigtiff=True, description="a" * 40)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    for damage in (b"\xff" * 8, bytes(8)):
        data[8:16] = damage
        with pytest.raises((ValueError, struct.error)):
            exif.parsed(bytes(data))


@pytest.mark.parametrize(("pages", "said"), [(2, "holds 2 pictures"), (70, "holds 64 or more pictures")])
def test_pages_are_counted_as_far_as_they_are_looked_at(tmp_path, pages, said):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((pages, 2, 2), np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(errors.Animated, match=said):
        read(tmp_path / "a.tif")
