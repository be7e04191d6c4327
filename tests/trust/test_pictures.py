"""Hostile and odd pictures, from the file to the written result: a coded error or the right picture, nothing else."""

from __future__ import annotations

import os
import random
import secrets
import signal
import struct
import time
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from engine import Engine
from engine.client.errors import InputError, OutputError, PincelError
from engine.files.read import read
from tests.files.pictures import chunk, saved
from tests.files.test_damage import FILES

# Pillow warns of what it finds odd in these files, as it should.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def engine():
    with Engine("cpu") as engine:
        yield engine


@contextmanager
def no_longer_than(seconds: int):
    """A decoder that hangs is interrupted, which fails the test."""

    def hung(*_):
        raise TimeoutError(f"a file took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, hung)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


EXTREMES = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
)


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Bits flipped, numbers at their ends, pieces lost, doubled or taken from another file; sometimes cut."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        # Headers are where lies are told: half of the changes fall there.
        place = dice.randrange(min(len(changed), 100) if dice.randrange(2) else len(changed)) if changed else 0
        case = dice.randrange(7)
        if case < 2 and changed:
            changed[place] ^= 1 << dice.randrange(8)
        elif case == 2:
            value = dice.choice(EXTREMES)
            changed[place : place + len(value)] = value
        elif case == 3:
            del changed[place : place + dice.randrange(1, 40)]
        elif case == 4:
            changed[place:place] = changed[place : place + dice.randrange(1, 40)]
        elif case == 5:
            other = FILES[dice.choice(sorted(FILES))]
            start = dice.randrange(len(other))
            changed[place : place + 30] = other[start : start + 30]
        elif dice.randrange(4) == 0:
            del changed[place:]
    return mended(bytes(changed)) if dice.randrange(2) else bytes(changed)


def mended(data: bytes) -> bytes:
    """A PNG's checksums made right again, so that the lie behind them is reached."""
    if not data.startswith(b"\x89PNG"):
        return data
    out, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        if place + 12 + length > len(data):
            break
        out += chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + length])
        place += 12 + length
    return bytes(out + data[place:])


def fuzz(folder, engine, seed: int, count: int, worked: int) -> Counter:
    """Read so many damaged files; every `worked`-th that is a picture goes through a task and is written."""
    print(f"PINCEL_FUZZ_SEED={seed}")
    dice, found = random.Random(seed), Counter()
    path, target = folder / "in", folder / "out"
    target.mkdir()
    for number in range(count):
        name = dice.choice(sorted(FILES))
        path.write_bytes(mutated(dice, FILES[name]))
        with no_longer_than(60):
            try:
                picture = read(path, convert=bool(dice.randrange(4)))
            except InputError as error:
                found[error.code] += 1
                continue
            assert picture.array.ndim == 3 and picture.array.size and 1 <= picture.array.shape[2] <= 4
            found["picture"] += 1
            if found["picture"] % worked or picture.array.size > 100_000:
                continue
            result = target / f"{number}{dice.choice(['.png', '.tif', '.webp', '.jpg'])}"
            try:
                made = engine.upscale(picture, scale=2.0) if dice.randrange(2) else engine.colorize(picture)
                made.save(result)
                read(result)
                found["result"] += 1
            except (InputError, OutputError) as error:
                found[error.code] += 1
                assert not result.exists()
    assert not [p for p in target.iterdir() if p.name.endswith(".part")], "a partial file"
    return found


def test_some_hundred_damaged_files(tmp_path, engine):
    found = fuzz(tmp_path, engine, 1, 400, 40)
    assert found["picture"] > 20 and found["input.truncated"] > 100


@pytest.mark.slow
def test_ten_thousand_damaged_files(tmp_path, engine, say):
    seed, began = int(os.environ.get("PINCEL_FUZZ_SEED", secrets.randbits(32))), time.monotonic()
    found = fuzz(tmp_path, engine, seed, 10_000, 40)
    counts = ", ".join(f"{n} {code}" for code, n in found.most_common())
    say(f"pictures: 10000 damaged files, seed {seed}, {time.monotonic() - began:.0f} s: {counts}")


# ---- odd ones ------------------------------------------------------------------------------------------------------------


SLOW = pytest.mark.slow
SIZES = [(1, 1), (2, 30_000), pytest.param((30_000, 2), marks=SLOW), pytest.param((1, 7), marks=SLOW)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("task", ["colorize", pytest.param("sketch", marks=SLOW), "upscale"])
def test_a_pixel_and_a_thread(tmp_path, engine, task, size):
    """[H, W] of 1 x 1 and of 30,000 x 2, through each task and each format."""
    array = np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)
    Image.fromarray(array).save(tmp_path / "in.png")
    scale = 1.0 if task != "upscale" else 1.25 if max(size) > 100 else 4.0
    options = {"scale": scale} if task == "upscale" else {}
    made = getattr(engine, task)(tmp_path / "in.png", **options)
    height, width = (round(side * scale) for side in size)
    assert made.array.shape == (height, width, 3) and made.array.dtype == np.uint8
    for ending in (".png", ".tif", ".jpg", ".webp"):
        target = tmp_path / f"out{ending}"
        try:
            made.save(target)
        except OutputError as error:
            assert error.code == "output.format" and max(height, width) > 16383 and ending == ".webp"
            assert not target.exists()
            continue
        back = read(target).array
        assert back.shape == made.array.shape
        if ending in (".png", ".tif"):
            assert np.array_equal(back, made.array)


@pytest.mark.parametrize("turn", range(1, 9))
def test_a_turned_photograph_gives_what_the_upright_one_gives(tmp_path, engine, photo, turn):
    from PIL import ImageOps

    tags = Image.Exif()
    tags[0x0112] = turn
    stored = Image.fromarray(photo[:40, :60])
    stored.save(tmp_path / "turned.png", exif=tags)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "turned.png")))
    for task in ("colorize", "upscale"):
        made, expected = getattr(engine, task)(tmp_path / "turned.png"), getattr(engine, task)(upright)
        assert np.array_equal(made.array, expected.array)
        made.save(tmp_path / f"{task}.png")
        assert np.array_equal(read(tmp_path / f"{task}.png").array, expected.array)
        assert ImageOps.exif_transpose(Image.open(tmp_path / f"{task}.png")).size == expected.image.size


MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
]


FORMS = ["PNG", "TIFF", "JPEG", "WEBP", "BMP", "GIF"]


def in_mode(original: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(original.convert("L")).astype(np.uint16) * 257)
    first = {"La": "LA", "PA": "P", "RGBa": "RGBA", "I": "L", "F": "L"}.get(mode, mode)
    return original.convert(first).convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format(tmp_path, photo, mode):
    """What Pillow can write, Pincel reads as what it shows, or refuses with a code."""
    original = Image.fromarray(photo[:48, :64])
    truth = np.asarray(original.convert("L")) / 255
    for form in FORMS:
        try:
            data = saved(in_mode(original, mode), form)
        except (OSError, ValueError, KeyError):
            continue  # Pillow does not write that
        (tmp_path / "in").write_bytes(data)
        for convert in (False, True):
            try:
                array = read(tmp_path / "in", convert).array
            except PincelError as error:
                assert error.code == "input.mode" and error.remedy, (form, convert, error)
                continue
            values = array / (np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1)
            seen = values[..., :3].mean(2) if array.shape[2] > 2 else values[..., 0]
            assert seen.shape == truth.shape
            # Dithered; a space that no file names; 32 bits, of which 16 are taken. And what Pillow itself writes as others.
            theirs = (mode, form) == ("F", "TIFF") or (mode == "I;16" and form not in ("PNG", "TIFF"))
            if mode not in ("1", "HSV", "I") and not theirs:
                assert np.abs(seen - truth).mean() < 0.08, (form, convert)
