"""Hostile weights files: flipped bits, lies in every field, tricks with paths. A coded error or a network that computes."""

from __future__ import annotations

import json
import os
import random
import secrets
import struct
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine import Engine
from engine.cli import app
from engine.client.errors import GeneratorUnknown, OptionError, PincelError, WeightsError
from engine.generators import base
from engine.store import models, weights
from tests.server.harness import EngineProcess
from tests.store.files import joined, split
from tests.trust.hostile import anything

TINY = ("srgan.psnr", "yuv_cgan.photo", "conv_gan.comics")
NAMES = (*TINY, "srgan.few")


def flipped(dice: random.Random, data: bytes) -> bytes:
    changed, header = bytearray(data), 8 + struct.unpack("<Q", data[:8])[0]
    for _ in range(dice.choice((1, 1, 2, 8))):
        place = dice.randrange(dice.choice((8, header, len(data))))
        changed[place] ^= 1 << dice.randrange(8)
    return bytes(changed)


def lied(dice: random.Random, data: bytes) -> bytes:
    """Any JSON in the place of a field: of the metadata, of a tensor's entry, of the config."""
    head, body = split(data)
    case = dice.randrange(6)
    tensors = sorted(set(head) - {"__metadata__"})
    one, other = dice.choice(tensors), dice.choice(tensors)
    if case == 0:
        head["__metadata__"][dice.choice(sorted(head["__metadata__"]))] = dice.choice(
            [anything(dice), json.dumps(anything(dice)), "x" * 100_000]
        )
    elif case == 1:
        head[one][dice.choice(["dtype", "shape", "data_offsets"])] = anything(dice)
    elif case == 2:
        head[one], head[other] = head[other], head[one]
    elif case == 3:
        config = json.loads(head["__metadata__"]["config"])
        config[dice.choice([*config, "more"])] = anything(dice)
        head["__metadata__"]["config"] = json.dumps(config)
    elif case == 4:
        head[dice.choice(["", "x.weight", "__class__", "../../x"])] = head.pop(one)
    else:
        head[one]["shape"] = head[one]["shape"][::-1] + dice.choice([[], [1]])
    return joined(head, body)


def cut(dice: random.Random, data: bytes) -> bytes:
    return data[: dice.randrange(len(data))] + dice.randbytes(dice.choice((0, 0, 9)))


def few_bits(folder: Path) -> bytes:
    """A file whose whole numbers are of five bits and deflated."""
    torch.manual_seed(0)
    header, _ = weights.load(folder / "srgan.psnr.safetensors")
    sizes = {"channels": 48, "blocks": 1}
    path = folder / "srgan.few.safetensors"
    weights.write(path, base.module("srgan").Generator(**sizes), replace(header, tag="few", config=sizes), bits=5)
    return path.read_bytes()


def fuzz(tiny_folder, folder, seed: int, count: int) -> Counter:
    print(f"PINCEL_FUZZ_SEED={seed}")
    dice, found = random.Random(seed), Counter()
    whole = {name: (tiny_folder / f"{name}.safetensors").read_bytes() for name in TINY}
    (folder / "srgan.psnr.safetensors").write_bytes(whole["srgan.psnr"])
    whole["srgan.few"] = few_bits(folder)
    for _ in range(count):
        name = dice.choice(NAMES)
        path = folder / f"{name}.safetensors"
        path.write_bytes(dice.choice((flipped, lied, lied, cut))(dice, whole[name]))
        try:
            header, network = weights.load(path)
        except WeightsError as error:
            assert error.sentence.endswith(".") and error.remedy
            found[error.code] += 1
            continue
        assert header.name == name
        assert all(bool(torch.isfinite(v).all()) for v in network.state_dict().values() if v.is_floating_point())
        card = base.card(header.generator)
        if card.tiled:
            with torch.inference_mode():
                assert network(torch.rand(1, 3, 8, 8)).shape[0] == 1
        found["loaded"] += 1
    return found


def test_some_hundred_damaged_files(tiny_folder, tmp_path):
    found = fuzz(tiny_folder, tmp_path, 1, 200)
    assert found["weights.truncated"] > 5 and found["weights.metadata"] > 40, found


@pytest.mark.slow
def test_three_thousand_damaged_files(tiny_folder, tmp_path, say):
    seed = int(os.environ.get("PINCEL_FUZZ_SEED", secrets.randbits(32)))
    found = fuzz(tiny_folder, tmp_path, seed, 3000)
    say(f"weights: 3000 damaged files, seed {seed}: {', '.join(f'{n} {kind}' for kind, n in found.most_common())}")


# ---- paths ---------------------------------------------------------------------------------------------------------------

TRICKS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "srgan.psnr/../../x",
    "srgan.psnr\0",
    "srgan.psnr\n",
    "a" * 5000,
    "~",
    "C:\\x",
]


@pytest.mark.parametrize("name", TRICKS)
def test_a_generator_s_name_is_no_path(photo, name):
    with Engine("cpu") as engine, pytest.raises((OptionError, GeneratorUnknown)):
        engine.upscale(photo[:8, :8], generator=name)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links of POSIX")
def test_what_is_no_file_in_the_models_folder_is_passed_over(tiny_folder, tmp_path, monkeypatch, photo):
    """Pipes, devices, folders, links in a ring or to nowhere, under good names: nothing waits, nothing breaks."""
    names = ["srgan.pipe", "srgan.zero", "srgan.folder", "srgan.ring", "srgan.nowhere", "srgan.empty"]
    pipe, zero, folder, ring, nowhere, empty = (tmp_path / f"{name}.safetensors" for name in names)
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    folder.mkdir()
    ring.symlink_to(ring.name)
    nowhere.symlink_to("/nowhere/at/all")
    empty.write_bytes(b"")
    (tmp_path / "srgan.psnr.safetensors").write_bytes((tiny_folder / "srgan.psnr.safetensors").read_bytes())
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path))
    assert "srgan.psnr" in {entry.header.name for entry in models.available()}
    assert not {entry.header.name for entry in models.available()} & set(names)
    for name in names:
        with pytest.raises(WeightsError):
            weights.load(tmp_path / f"{name}.safetensors")
        with Engine("cpu") as engine, pytest.raises(PincelError) as caught:
            engine.upscale(photo[:8, :8], generator=name)
        assert caught.value.code.startswith("weights.")


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
def test_a_pipe_in_the_models_folder_does_not_hold_the_broker_up(tmp_path, monkeypatch):
    (tmp_path / "models").mkdir()
    os.mkfifo(tmp_path / "models/srgan.pipe.safetensors")
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path / "models"))
    engine = EngineProcess(tmp_path / "engine")
    try:
        client = engine.client()
        assert client.ask("list").type == "models" and client.ask("ping").type == "pong"
    finally:
        engine.finish()


def test_files_that_come_and_go_while_they_are_listed(tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path))
    data = (tiny_folder / "srgan.psnr.safetensors").read_bytes()
    over = threading.Event()

    def change():
        number = 0
        while not over.is_set():
            path = tmp_path / "srgan.psnr.safetensors"
            path.write_bytes(data[: len(data) // (1 + number % 3)])
            path.unlink()
            number += 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(60):
            assert models.available()
    finally:
        over.set()
        changing.join()


def test_added_files_are_checked_and_keep_to_their_folder(tmp_path, tiny_folder, monkeypatch, capsys):
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path / "mine"))
    good = (tiny_folder / "srgan.psnr.safetensors").read_bytes()
    for name, data in (("srgan.other.safetensors", good), ("srgan.psnr.safetensors", good[:-1]), ("x.pt", b"\x80\x04")):
        (tmp_path / name).write_bytes(data)
        assert app.run(["models", "add", str(tmp_path / name)]) == 5
        assert "weights." in capsys.readouterr().err
    assert not (tmp_path / "mine").exists() or not list((tmp_path / "mine").iterdir())
