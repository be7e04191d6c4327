"""A full disk under every writer: the system really refuses the bytes, the old file stays whole, nothing half-made is left."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.cli import app
from engine.client import connection, launcher
from engine.client.errors import DiskFull, PincelError
from engine.files import write
from engine.install import common, gimp, krita
from engine.store import weights
from engine.tasks.base import Picture
from engine.train import publish
from engine.train.runs import RunFolder
from tests.limits import room_for

pytest.importorskip("resource", reason="limits of POSIX")


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def largest(before: dict[str, bytes]) -> int:
    return max(map(len, before.values()))


# Each: what writes into a folder, told how often it was called. The first call makes what a later one replaces.


def a_picture(folder: Path, number: int) -> None:
    array = np.random.default_rng(number).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    write.write(Picture(array), folder / "a.png", overwrite=True)


def weights_file(folder: Path, number: int) -> None:
    from tests.conftest import _HOME

    header, network = weights.load(_HOME / "models/srgan.psnr.safetensors")
    for parameter in network.parameters():
        parameter.data += number
    weights.write(folder / "srgan.psnr.safetensors", network, header)


def sums(folder: Path, number: int) -> None:
    (folder / f"x{number}.safetensors").write_bytes(b"") if number == 0 else None
    publish.list_sums(folder)


def a_run(folder: Path) -> RunFolder:
    return RunFolder(folder, tensorboard=False, plots=False)


def run_json(folder: Path, number: int) -> None:
    a_run(folder).describe({"generator": "srgan", "number": number, "text": "x" * 500})


def checkpoint(folder: Path, number: int) -> None:
    a_run(folder).save({"step": number, "tensor": torch.full((2000,), float(number))})


def sheet(folder: Path, number: int) -> None:
    a_run(folder).sheet(7, torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(number)))


def connection_file(folder: Path, number: int) -> None:
    connection.write_connection(str(folder), f"tcp://127.0.0.1:{number + 1}", bytes([number]) * 32, "0")


def engine_command(folder: Path, number: int) -> None:
    launcher.record_command([f"/usr/bin/pincel{number}"], str(folder))


def gimp_plugin(folder: Path, number: int) -> None:
    common.install(gimp.EDITOR, gimp.EDITOR.named(folder / "3.0"))


def krita_plugin(folder: Path, number: int) -> None:
    common.install(krita.EDITOR, krita.EDITOR.named(folder / "krita"))


def kritarc(folder: Path, number: int) -> None:
    (folder / "kritarc").write_text("[theme]\nTheme=dark\n" * 9) if number == 0 else krita.enable(
        folder / "kritarc", True
    )


def added_model(folder: Path, number: int) -> None:
    from tests.conftest import _HOME

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PINCEL_MODELS", str(folder))
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            status = app.run(["models", "add", str(_HOME / "models/srgan.gan.safetensors"), "--overwrite"])
        if status == 4:
            raise DiskFull("said so")


WRITERS = (
    a_picture,
    weights_file,
    sums,
    run_json,
    checkpoint,
    sheet,
    connection_file,
    engine_command,
    gimp_plugin,
    krita_plugin,
    kritarc,
    added_model,
)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda w: w.__name__)
def test_a_full_disk_leaves_the_old_files_whole(tmp_path, writer, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    writer(tmp_path, 0)
    before = state(tmp_path)
    full = largest(before)
    for room in (0, 1, full // 2, full - 8):  # 8: a new file may be some digits of a time shorter than the old
        with room_for(room), pytest.raises((OSError, PincelError)) as caught:
            writer(tmp_path, 1)
        if isinstance(caught.value, PincelError):
            assert type(caught.value) is DiskFull, caught.value
        else:  # the client's writers leave the sentence to those who call them
            assert writer in (connection_file, engine_command, kritarc)
        assert state(tmp_path) == before, f"room for {room} of {full} bytes"
    writer(tmp_path, 1)


def test_a_first_write_leaves_nothing(tmp_path):
    for writer in WRITERS:
        if writer in (sums, kritarc):
            continue
        folder = tmp_path / writer.__name__
        folder.mkdir()
        with room_for(10), pytest.raises((OSError, PincelError)):
            writer(folder, 0)
        assert state(folder) == {}, writer.__name__


def test_a_line_of_a_log_that_did_not_fit_is_an_error_and_read_over(tmp_path):
    from engine.train.plots import read_lines

    run = a_run(tmp_path)
    run.log(1, {"loss": 0.5})
    size = (tmp_path / "stats.jsonl").stat().st_size
    with room_for(size + 10), pytest.raises(DiskFull):
        run.log(2, {"loss": 0.25})
    assert [row["step"] for row in read_lines(tmp_path / "stats.jsonl")] == [1]
    assert os.listdir(tmp_path) == ["stats.jsonl"]
