"""Writing never harms what is there: whole files or none, nothing replaced unasked, every failure a coded error."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from engine.client import errors
from engine.files import write as module
from engine.files.read import read
from engine.files.write import refuse_source, write
from engine.tasks.base import Picture
from tests.files.pictures import picture, samples
from tests.limits import room_for

ENDINGS = [".png", ".jpg", ".tif", ".webp"]


def failing(monkeypatch, call: str, number: int) -> None:
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)


def nothing_left(folder: Path) -> bool:
    return not [p for p in folder.iterdir() if p.name.endswith(".part")]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_existing_file_stays(tmp_path, ending):
    target = tmp_path / f"a{ending}"
    target.write_bytes(b"precious")
    with pytest.raises(errors.OutputExists):
        write(picture(), target)
    assert target.read_bytes() == b"precious" and nothing_left(tmp_path)
    write(picture(), target, overwrite=True)
    assert read(target).width == 13 and nothing_left(tmp_path)


def test_a_file_that_appears_in_the_last_moment_stays(tmp_path, monkeypatch):
    real = os.fsync

    def appear(handle):
        (tmp_path / "a.png").write_bytes(b"precious")
        real(handle)

    monkeypatch.setattr(os, "fsync", appear)
    with pytest.raises(errors.OutputExists):
        write(picture(), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"precious" and nothing_left(tmp_path)


def test_of_many_writers_one_wins(tmp_path):
    outcomes: list[str] = []

    def attempt():
        try:
            write(picture(), tmp_path / "a.png")
            outcomes.append("written")
        except errors.OutputExists:
            outcomes.append("exists")

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["exists"] * 7 + ["written"] and nothing_left(tmp_path)


def test_without_hard_links_an_existing_file_still_stays(tmp_path, monkeypatch):
    failing(monkeypatch, "link", errno.EPERM)
    write(picture(), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(errors.OutputExists):
        write(picture(np.uint16), tmp_path / "a.png")
    monkeypatch.setattr(os.path, "lexists", real)
    assert (tmp_path / "a.png").read_bytes() == before and nothing_left(tmp_path)


def test_without_hard_links_a_failure_leaves_nothing(tmp_path, monkeypatch):
    failing(monkeypatch, "link", errno.EPERM)
    failing(monkeypatch, "replace", errno.EIO)
    with pytest.raises(errors.OutputError):
        write(picture(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["write", "fsync", "link"])
@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, errors.DiskFull),
        (errno.EDQUOT, errors.DiskFull),
        (errno.EACCES, errors.NotWritable),
        (errno.EROFS, errors.NotWritable),
        (errno.EIO, errors.OutputError),
    ],
)
def test_a_failing_disk(tmp_path, monkeypatch, call, number, error):
    failing(monkeypatch, call, number)
    with pytest.raises(errors.OutputError) as caught:
        write(picture(), tmp_path / "a.png")
    assert type(caught.value) is error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failing_disk_keeps_the_old_file(tmp_path, monkeypatch, call):
    (tmp_path / "a.png").write_bytes(b"precious")
    failing(monkeypatch, call, errno.ENOSPC)
    with pytest.raises(errors.DiskFull):
        write(picture(), tmp_path / "a.png", overwrite=True)
    assert (tmp_path / "a.png").read_bytes() == b"precious" and nothing_left(tmp_path)


def test_a_write_in_small_steps_is_whole(tmp_path, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, data[:100]))
    np.testing.assert_array_equal(read(write(picture(), tmp_path / "a.png")).array, picture().array)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_really_full_place(tmp_path, ending):
    """The system's own limit of a file's size stops the writing in the middle, as a full disk does."""
    with room_for(2000), pytest.raises(errors.DiskFull):
        write(Picture(samples(np.uint8, 3, 64, 64)), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    for call in ("write", "fsync", "link"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, interrupt)
            with pytest.raises(KeyboardInterrupt):
                write(picture(), tmp_path / "a.png")
        assert list(tmp_path.iterdir()) == []


def test_folders_that_are_none(tmp_path):
    with pytest.raises(errors.NotWritable, match="does not exist"):
        write(picture(), tmp_path / "none" / "a.png")
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(errors.NotWritable):
        write(picture(), tmp_path / "file" / "a.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(errors.OutputExists):
        write(picture(), tmp_path / "folder.png")
    with pytest.raises(errors.NotWritable):
        write(picture(), tmp_path / "folder.png", overwrite=True)
    assert nothing_left(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nobody stops the system's administrator")
def test_a_folder_without_permission(tmp_path):
    os.chmod(tmp_path, 0o500)
    try:
        with pytest.raises(errors.NotWritable):
            write(picture(), tmp_path / "a.png")
    finally:
        os.chmod(tmp_path, 0o700)


@pytest.mark.parametrize("path", [io.BytesIO(), 5, None, "a\0b.png"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(errors.OutputError):
        write(picture(), path, overwrite=True)


def test_long_names_and_names_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "n" * 251 + ".png"
    assert write(picture(), name) == Path(name)
    assert os.listdir() == [name]
    with pytest.raises(errors.OutputError):
        write(picture(), "n" * 300 + ".png")


def test_a_new_file_gets_the_usual_rights_and_an_old_one_keeps_its_own(tmp_path):
    before = os.umask(0o022)
    try:
        write(picture(), tmp_path / "a.png")
    finally:
        os.umask(before)
    if os.name == "posix":
        assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o644
        os.chmod(tmp_path / "a.png", 0o600)
        write(picture(), tmp_path / "a.png", overwrite=True)
        assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o600


def test_overwriting_a_link_keeps_the_link(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "deep" / "a.png")
    with pytest.raises(errors.OutputExists):
        write(picture(), tmp_path / "link.png")
    write(picture(), tmp_path / "link.png", overwrite=True)
    assert (tmp_path / "link.png").is_symlink() and read(tmp_path / "deep" / "a.png").width == 13


@pytest.mark.parametrize("channel", range(4))
@pytest.mark.parametrize("ending", [".png", ".tif", ".webp"])
def test_values_that_are_no_numbers_are_refused_in_every_channel(tmp_path, ending, channel):
    broken = samples(np.float32, 4)
    broken[3, 4, channel] = np.nan
    with pytest.raises(errors.NotFinite):
        write(Picture(broken), tmp_path / f"a{ending}")
    assert list(tmp_path.iterdir()) == []


# ---- the source ----------------------------------------------------------------------------------------------------


def test_the_source_is_recognised_by_any_name(tmp_path, monkeypatch):
    source = write(picture(), tmp_path / "a.png")
    (tmp_path / "soft.png").symlink_to(source)
    os.link(source, tmp_path / "hard.png")
    monkeypatch.chdir(tmp_path)
    for other in ("a.png", "./a.png", source, "soft.png", "hard.png", tmp_path / ".." / tmp_path.name / "a.png"):
        with pytest.raises(errors.OutputIsSource):
            refuse_source(source, other)
        with pytest.raises(errors.OutputIsSource):
            refuse_source(other, source)
    refuse_source(source, "b.png")
    refuse_source(source, tmp_path / "b" / "a.png")


def test_letter_case_where_the_system_does_not_tell_it(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "normcase", str.lower)
    with pytest.raises(errors.OutputIsSource):
        refuse_source(tmp_path / "gone.png", tmp_path / "GONE.PNG")


# ---- the import ----------------------------------------------------------------------------------------------------


def test_files_need_no_torch():
    code = "import sys, engine.files.arrays, engine.files.write; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_same_picture_same_bytes(tmp_path):
    for form in ("PNG", "JPEG", "TIFF", "WEBP"):
        assert module.encoded(picture(), form, 90, "a", []) == module.encoded(picture(), form, 90, "a", [])
