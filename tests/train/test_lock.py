"""A run's folder is one training's at a time, and what a killed one left behind stands in nobody's way."""

import json
import signal
import subprocess
import sys

import pytest
import torch

from engine.client import errors
from engine.generators import srgan
from engine.train import __main__ as command
from engine.train import lock as locks
from engine.train.lock import LOCK, Lock
from tests.train.test_command import train


def test_a_second_training_into_a_running_ones_folder_is_refused(place, monkeypatch):
    step, said = srgan.Recipe.step, []

    def intruded(self, batch, update, moment):
        if moment.step == 1:
            (place / "runs/one/checkpoint.pt").touch()  # as if it had been saved
            for words in (["--steps", "1"], ["--resume"]):
                with pytest.raises(errors.TrainingError, match="A training is running in runs/one") as refused:
                    command.main(
                        [*(["srgan", "--data", "train"] if "--steps" in words else []), *words, "--out", "runs/one"]
                    )
                said.append(refused.value.remedy)
        return step(self, batch, update, moment)

    train("--steps", "1", "--out", "runs/one")
    with monkeypatch.context() as patch:
        patch.setattr(srgan.Recipe, "step", intruded)
        train("--steps", "2", "--out", "runs/one")
    assert len(said) == 2 and all("--out" in remedy for remedy in said)
    assert sorted(p.name for p in (place / "runs").iterdir()) == ["one", "one.1"]
    assert torch.load(place / "runs/one/checkpoint.pt", weights_only=True)["step"] == 2
    assert json.loads((place / "runs/one/run.json").read_text())["resumed"] == []
    assert not list((place / "runs").rglob(LOCK))
    Lock(place / "runs/one").close()  # nothing is locked any more


def test_the_lock_goes_with_its_process(tmp_path):
    code = "import pathlib, sys; from engine.train.lock import Lock; lock = Lock(pathlib.Path(sys.argv[1]))"
    code += "; print(1, flush=True); input()"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout.readline() == b"1\n"
            with pytest.raises(errors.TrainingError, match="running"):
                Lock(tmp_path)
        finally:
            other.send_signal(signal.SIGKILL)
    Lock(tmp_path).close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_moved_away_while_waiting_is_not_locked(tmp_path, monkeypatch):
    first, taken = Lock(tmp_path / "run"), locks._taken

    def moved(file):
        first.move(tmp_path / "run.1")  # between the opening of the file and the lock on it
        return taken(file)

    monkeypatch.setattr(locks, "_taken", moved)
    with pytest.raises(errors.TrainingError):
        Lock(tmp_path / "run")
    assert list((tmp_path / "run.1").iterdir()) == []


def test_what_a_killed_training_left_unfinished_is_swept_up(tmp_path):
    (tmp_path / "samples").mkdir()
    for name in (".checkpoint.pt.0a1b2c3d.part", "samples/.0000010.png.ffffffff.part", "notes.part", "checkpoint.pt"):
        (tmp_path / name).touch()
    Lock(tmp_path).close()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["checkpoint.pt", "notes.part", "samples"]


def test_without_locks_in_the_file_system_one_trains_all_the_same(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(file, how):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    Lock(tmp_path).close()
