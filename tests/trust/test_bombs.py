"""Small picture files that unpack to a lot, or claim to: neither memory nor time is spent on them."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.files.pictures import chunk, png
from tests.server.harness import ROOT


def zeros(count: int) -> bytes:
    """So many zero bytes, deflated."""
    packer, parts = zlib.compressobj(9), []
    for _ in range(count >> 20):
        parts.append(packer.compress(bytes(1 << 20)))
    return b"".join([*parts, packer.flush()])


def deflated_tiff(data: bytes) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((16, 16, 3), np.uint8), compression="deflate", metadata=None)
    whole = bytearray(out.getvalue())
    with tifffile.TiffFile(io.BytesIO(bytes(whole))) as tif:
        for code, value in ((273, len(whole)), (279, len(data))):
            tag = tif.pages.first.tags[code]
            struct.pack_into({3: "<H", 4: "<I"}[tag.dtype], whole, tag.valueoffset, value)
    return bytes(whole) + data


def unpacked(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    """A PNG whose pixels are these deflated bytes."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Small files that unpack to 128 MB, or say that they are larger than memory."""
    large = zeros(1 << 27)
    return {
        "pixels.png": unpacked(100, 100, 8, 2, large),
        "profile.png": png(2, 2, 8, 0, bytes(6), extra=chunk(b"iCCP", b"x\0\0" + large)),
        "xmp.png": png(2, 2, 8, 0, bytes(6), extra=chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + large)),
        "text.png": png(2, 2, 8, 3, b"", extra=chunk(b"PLTE", bytes(768)) + chunk(b"zTXt", b"a\0\0" + large)),
        "strip.tif": deflated_tiff(large),
        "wide.png": unpacked(17_000, 17_000, 16, 6, zlib.compress(b"")),
        "screen.gif": b"GIF89a" + struct.pack("<HHBBB", 65535, 4000, 0, 0, 0) + b",\0\0\0\0\1\0\1\0\0\2\0;",
    }


MEASURED = """
import resource, sys, warnings
warnings.simplefilter("ignore")
from engine.files.read import read
from engine.client.errors import InputError
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
read(sys.argv[1])
before = used()
for path in sys.argv[2:]:
    try:
        said = "picture %s" % (read(path, convert=True).array.shape,)
    except InputError as error:
        said = error.code
    print(path.rpartition("/")[2], used() - before, said)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes on Linux")
def test_bombs_do_not_go_off(tmp_path):
    """In a process of its own, whose memory is measured."""
    Image.new("RGB", (300, 300)).save(tmp_path / "good.png")
    given = bombs()
    for name, data in given.items():
        (tmp_path / name).write_bytes(data)
    run = [sys.executable, "-c", MEASURED, *(str(tmp_path / name) for name in ["good.png", *given])]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = {line.split()[0]: line.split(maxsplit=2)[1:] for line in done.stdout.splitlines()}
    assert said.keys() == given.keys()
    for name, (grown, what) in said.items():
        assert int(grown) < 100, (name, said)
        # What is behind the last row of a picture, or beside it, changes nothing in it.
        assert what.startswith(("input.", "picture (2, 2,", "picture (100, 100,")), (name, said)
