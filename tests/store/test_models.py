"""Which weights there are: names, defaults, folders, verification, the cache."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from engine import paths
from engine.client import errors
from engine.store import models
from engine.store.cache import ModelCache


@pytest.fixture
def folder(tmp_path, tiny_folder, monkeypatch):
    """A models folder of one's own with the tiny networks, and nothing shipped."""
    mine, shipped = tmp_path / "mine", tmp_path / "shipped"
    shutil.copytree(tiny_folder, mine)
    shipped.mkdir()
    (shipped / "defaults.json").write_text(
        json.dumps({"upscale": {"any": "srgan.psnr", "cpu": "swift.x4"}, "colorize": {"any": "yuv_cgan.photo"}})
    )
    monkeypatch.setenv("PINCEL_MODELS", str(mine))
    monkeypatch.setattr(paths, "shipped", lambda name: shipped)
    return mine


def test_lists_name_everything_but_paths(folder):
    entries = models.available()
    assert [e.header.name for e in entries] == sorted(p.stem for p in folder.iterdir())
    listed = next(e for e in entries if e.header.name == "srgan.psnr").to_dict()
    assert listed["default"] and len(listed["sha256"]) == 64 and str(folder) not in json.dumps(listed)


def test_names(folder):
    assert models.resolve("upscale", "auto").name == "srgan.psnr.safetensors"
    assert models.resolve("upscale", "srgan") == models.resolve("upscale", "srgan.psnr")
    with pytest.raises(errors.GeneratorUnknown, match=r"srgan\.psnr"):
        models.resolve("upscale", "esrgan")
    with pytest.raises(errors.GeneratorUnknown, match="colorize"):
        models.resolve("upscale", "yuv_cgan")
    for trick in ("../mine/srgan.psnr", "", "srgan.", ".", "srgan.psnr.safetensors"):
        with pytest.raises(errors.GeneratorUnknown):
            models.resolve("upscale", trick)


def test_auto_goes_by_what_is_wished(folder):
    shipped = json.dumps({"upscale": {"any": "srgan.psnr", "cpu": "swift.x4", "drawing": "srgan.gan"}})
    (paths.shipped("weights") / "defaults.json").write_text(shipped)
    asked = {"content": "clean", "quality": "normal", "realism": None}
    for values, device, name in (
        ({}, "cuda:0", "srgan.psnr"),
        ({}, "cpu", "swift.x4"),
        ({}, "openvino", "swift.x4"),
        ({"quality": "exact"}, "cpu", "swift.x4"),
        ({"quality": "best"}, "cpu", "srgan.psnr"),  # who asks for the best has time
        ({"realism": 0.5}, "cpu", "srgan.psnr"),  # only it can be mixed
        ({"content": "damaged"}, "cpu", "swift.x4"),  # nothing special is there for it
        ({"content": "drawing"}, "cpu", "srgan.gan"),
        ({"content": "drawing", "quality": "best"}, "cuda:0", "srgan.gan"),
    ):
        wanted = models.wishes({**asked, **values}, device)
        assert models.resolve("upscale", "auto", wanted).stem == name, (values, device)
        assert models.resolve("upscale", "srgan.psnr", wanted).stem == "srgan.psnr"  # a name is a name
    listed = {entry.header.name: entry.to_dict()["for"] for entry in models.available()}
    assert listed["srgan.gan"] == ["drawing"] and listed["swift.x4"] == ["cpu"] and listed["yuv_cgan.photo"] == []


def test_a_missing_default_is_named(folder):
    (folder / "srgan.psnr.safetensors").unlink()
    with pytest.raises(errors.WeightsMissing, match=r"srgan\.psnr"):
        models.resolve("upscale", "auto")


def test_the_users_file_comes_before_the_shipped_one(folder, tmp_path):
    shutil.copy(folder / "srgan.psnr.safetensors", tmp_path / "shipped")
    assert models.files()["srgan.psnr"].parent == folder


def test_hidden_files_are_no_weights(folder):
    """macOS leaves `._NAME` beside what it copies to other disks."""
    (folder / "._srgan.psnr.safetensors").write_bytes(b"\0\5\26\7 not weights")
    assert not any(v.name.startswith(".") or v.error for v in models.verify())


def test_verify_finds_what_changed_and_what_is_gone(folder):
    lines = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join([*lines, f"{'0' * 64}  pix2pix.gone.safetensors\n"]))
    good = {v.name: v.error for v in models.verify()}
    assert good["srgan.psnr"] is None and good["yuv_cgan.photo"] is None
    assert isinstance(good["pix2pix.gone"], errors.WeightsMissing)
    path = folder / "srgan.psnr.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    assert isinstance({v.name: v.error for v in models.verify()}["srgan.psnr"], errors.WeightsChanged)


def test_lines_of_sums_that_say_nothing_are_passed_over(folder):
    sums = b"word\n\n\xff\xfe  x\n" + b"0" * 64 + b"  pix2pix.gone.safetensors\n"
    (folder / "SHA256SUMS").write_bytes(sums)
    verdicts = {v.name: v for v in models.verify()}
    assert isinstance(verdicts["pix2pix.gone"].error, errors.WeightsMissing)
    assert {v.name for v in verdicts.values() if v.error} == {"pix2pix.gone"}


def test_a_damaged_file_is_left_out_of_the_list_and_named_when_asked_for(folder):
    path = folder / "srgan.psnr.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    listed = {e.header.name for e in models.available()}
    assert "srgan.psnr" not in listed and "yuv_cgan.photo" in listed
    with pytest.raises(errors.WeightsTruncated):
        ModelCache("cpu").get("upscale", "auto")


def test_the_cache_keeps_what_fits_and_sees_new_files(folder):
    cache = ModelCache("cpu")
    first = cache.get("upscale", "auto")
    assert cache.get("upscale", "srgan") is first
    cache.budget = first.bytes
    cache.get("colorize", "auto")
    assert cache.get("upscale", "auto") is not first
    path = folder / "srgan.psnr.safetensors"
    second = cache.get("upscale", "auto")
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    assert cache.get("upscale", "auto") is not second
    cache.clear()
