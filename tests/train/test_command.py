"""`pincel train` from outside: what it leaves, resuming by the folder alone, errors as sentences, publishing."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from engine import paths
from engine.cli.app import run as pincel
from engine.client import errors
from engine.client.catalogue import catalogue
from engine.generators import conv_gan
from engine.store import header as headers
from engine.store import models
from engine.tasks import frames
from engine.tasks.base import Picture
from engine.train import __main__ as command
from engine.train import arguments, plots, training
from tests.server.harness import EngineProcess

TINY = ["srgan", "--device", "cpu", "--no-bf16", "--batch", "2", "--set", "patch=8"]
TINY += ["--config", "channels=4", "--config", "blocks=1"]


def train(*more):
    command.main([*TINY, "--data", "train", "--heldout", "heldout", *more])


def tensors(run):
    return torch.load(run / "checkpoint.pt", weights_only=True)["ema"]


@pytest.mark.parametrize("kind", [torch.bfloat16, None])
def test_bfloat16_is_used_where_the_processor_has_it_alone(place, monkeypatch, kind):
    monkeypatch.setattr(training, "quick_type", lambda device: kind)
    values = arguments.given([word for word in TINY if word != "--no-bf16"] + ["--data", "train", "--steps", "1"])
    plans = []
    monkeypatch.setattr(training, "Loop", lambda recipe, store, folder, plan, *_: plans.append(plan) or _Nothing())
    training.Training(values, "test", print).run()
    assert plans[0].bf16 is (kind is torch.bfloat16)


class _Nothing:
    """A loop that has nothing to do."""

    step, stopped = 0, True

    def run(self):
        pass


def test_what_a_training_leaves(place, capsys, monkeypatch):
    monkeypatch.setattr("engine.train.runs.draw", plots.draw)
    pytest.importorskip("matplotlib")
    pytest.importorskip("tensorboard")
    train("--steps", "4", "--log-every", "2", "--out", "runs/one")
    run = place / "runs/one"
    facts = json.loads((run / "run.json").read_text())
    assert facts["generator"] == "srgan" and facts["config"]["channels"] == 4 and facts["options"]["patch"] == 8
    assert facts["folders"] == "train" and len(facts["data"]) == 64 and facts["pictures"] == 3
    left = sorted(p.name for p in run.iterdir())
    curves = ["losses-by-epoch.png", "losses-by-step.png"]
    assert left == ["checkpoint.pt", "epochs.jsonl", *curves, "run.json", "samples", "stats.jsonl", "tensorboard"]
    for name in curves:
        assert min(Image.open(run / name).size) > 200
    assert Image.open(run / "samples/0000004.png").size == (5 * 3 * 32, 5 * 32)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"content", "heldout/psnr_y", "epoch/content"} <= set(board.Tags()["scalars"])
    assert board.Tags()["images"] == ["samples"]
    assert [e.step for e in board.Scalars("content")] == [2, 4]
    said = capsys.readouterr().out
    assert "3 pictures to train on" in said and "min left" in said and "Finished: runs/one" in said


def test_small_and_blank_held_out_pictures_spoil_no_figure(place, capsys):
    train("--steps", "1", "--out", "runs/one")
    for width, height in ((40, 8), (40, 3), (40, 11)):
        Image.new("RGB", (width, height)).save(place / f"heldout/{width}x{height}.png")
    Image.new("RGB", (40, 36), "white").save(place / "heldout/white.png")
    (place / "heldout/bad.png").write_bytes(b"\x89PNG\r\n")
    train("--steps", "1", "--out", "runs/two", "--publish")
    assert "2 pictures to measure with, 4 left out" in capsys.readouterr().out
    one, two = ((place / "runs" / run / "stats.jsonl").read_text().splitlines()[-1] for run in ("one", "two"))
    assert "psnr_y" in one
    figures = [{k: v for k, v in json.loads(row).items() if "heldout" in k} for row in (one, two)]
    assert figures[0] == pytest.approx(figures[1])
    header = headers.read_header(paths.models_folder() / "srgan.mine.safetensors")
    assert header.metrics == pytest.approx({k.removeprefix("heldout/"): v for k, v in figures[1].items()})


def test_a_folder_is_enough_to_go_on_and_gives_the_same_bits(place, capsys, monkeypatch):
    train("--steps", "6", "--out", "runs/whole")
    train("--steps", "3", "--out", "runs/part", "--set", "lr=0.01")
    monkeypatch.chdir(place / "runs")  # the run knows where its pictures are
    with pytest.raises(errors.OptionError):  # the whole length is reached, but sizes stay
        command.main(["--resume", "--out", "part", "--config", "channels=8"])
    command.main(["--resume", "--out", "part", "--steps", "6", "--set", "lr=0.02"])
    facts = json.loads((place / "runs/part/run.json").read_text())
    assert facts["arguments"]["steps"] == 6 and facts["options"]["lr"] == 0.02 and facts["options"]["patch"] == 8
    assert [r["step"] for r in facts["resumed"]] == [3] and "--steps 3" in facts["command"]
    state = torch.load(place / "runs/part/checkpoint.pt", weights_only=True)
    assert state["step"] == 6 and state["optimizers"]["generator"]["param_groups"][0]["peak"] == 0.02
    command.main(["--resume", "--out", "part"])  # nothing left to do is no fault
    assert "Finished" in capsys.readouterr().out


def test_the_thesis_own_sizes_and_recipe(place, capsys):
    words = ["conv_gan", "--data", "train", "--device", "cpu", "--steps", "1", "--batch", "2", "--thesis"]
    command.main([*words, "--out", "runs/own", "--config", "size=28", "--config", "filters=4", "--set", "crop=32"])
    facts = json.loads((place / "runs/own/run.json").read_text())
    own = conv_gan.Recipe.THESIS
    assert facts["config"] == {**conv_gan.THESIS, "size": 28, "filters": 4} and own["generator_steps"] == 2
    assert {name: facts["options"][name] for name in own} == own and facts["options"]["crop"] == 32
    command.main(["--resume", "--out", "runs/own", "--steps", "2"])
    assert json.loads((place / "runs/own/run.json").read_text())["options"] == facts["options"]
    with pytest.raises(errors.OptionError, match="No thesis"):
        command.main(["features", *DATA, "--thesis"])


def test_interrupted_and_resumed_equals_uninterrupted(place, monkeypatch):
    from engine.generators import srgan

    train("--steps", "6", "--out", "runs/whole")
    step = srgan.Recipe.step

    def interrupted(self, batch, update, moment):
        if moment.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, batch, update, moment)

    with monkeypatch.context() as patch:
        patch.setattr(srgan.Recipe, "step", interrupted)
        with pytest.raises(errors.Cancelled, match="step 4") as stopped:
            train("--steps", "6", "--out", "runs/parts")
    assert "pincel train --resume --out runs/parts" in stopped.value.remedy
    command.main(["--resume", "--out", "runs/parts"])
    whole, parts = tensors(place / "runs/whole"), tensors(place / "runs/parts")
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_a_run_that_is_in_the_way_is_kept(place, capsys):
    for _ in range(3):
        train("--steps", "1", "--out", "runs/one")
    assert sorted(p.name for p in (place / "runs").iterdir()) == ["one", "one.1", "one.2"]
    assert "is now in runs/one.2" in capsys.readouterr().out


def test_the_run_that_one_stands_in_is_not_moved_aside(place, monkeypatch):
    train("--steps", "1", "--out", "runs/one")
    monkeypatch.chdir(place / "runs/one")
    with pytest.raises(errors.OptionError, match="the folder that you are in"):
        command.main([*TINY, "--data", str(place / "train"), "--steps", "1", "--out", "."])
    command.main(["--resume", "--out", ".", "--steps", "2"])


DATA = ["--data", "train", "--steps", "1", "--device", "cpu"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nobody", *DATA], "option.generator", "srgan"),
        (["srgan", "--steps", "1"], "option.invalid", "--data"),
        (["srgan", "--data", "train"], "option.invalid", "--minutes"),
        (["srgan", "--data", "nowhere", "--steps", "1"], "input.missing", "nowhere"),
        (["srgan", "--data", "train:*.jpg", "--steps", "1"], "input.missing", "*.jpg"),
        (["srgan", *DATA], "input.missing", "192 pixels"),
        (["srgan", *DATA, "--set", "magic=1"], "option.invalid", "magic"),
        (["srgan", *DATA, "--set", "lr=fast"], "option.invalid", "fast"),
        (["srgan", *DATA, "--set", "lr"], "option.invalid", "NAME=VALUE"),
        (["srgan", *DATA, "--config", "magic=1"], "option.invalid", "magic"),
        (["srgan", *DATA, "--config", "upsampling=magic"], "option.invalid", "magic"),
        (["srgan", *DATA, "--config", 'channels="many"'], "option.invalid", "--config"),
        (["srgan", *DATA, "--device", "abacus"], "option.invalid", "abacus"),
        (["srgan", *DATA, "--batch", "0"], "option.invalid", "batch"),
        (
            ["srgan", *DATA, "--set", "patch=12.5"],
            "option.invalid",
            "patch must be a whole number of at least 1, not 12.5",
        ),
        (["srgan", *DATA, "--set", "patch=0"], "option.invalid", "patch must be a whole number of at least 1, not 0"),
        (["srgan", *DATA, "--set", "lr=NaN"], "option.invalid", "lr must be a number, not nan"),
        (["srgan", *DATA, "--config", "skip=False"], "option.invalid", "skip must be true or false, not 'False'"),
        (["srgan", *DATA, "--config", "kernel=4"], "option.invalid", "kernel must be odd"),
        (["srgan", *DATA, "--config", "channels=0"], "option.invalid", "channels must be a whole number of at least 1"),
        (["pix2pix", *DATA, "--config", "depth=9"], "option.invalid", "Size must be a multiple of 512"),
        (["yuv_cgan", *DATA, "--config", "depth=6"], "option.invalid", "Large must be a multiple of 64"),
        (["yuv_cgan", *DATA, "--set", "shares=[0,0,0]"], "option.invalid", "not all of them 0"),
        (["yuv_cgan", *DATA, "--set", "shares=[1,1]"], "option.invalid", "Shares must be 3 numbers"),
        (["yuv_cgan", *DATA, "--set", 'shares=[1,1,"a"]'], "option.invalid", "each of its items a number"),
        (["progan", *DATA, "--set", "shares=[]"], "option.invalid", "the last stage's"),
        (["features", *DATA, "--set", "labels=colour"], "option.invalid", "colour"),
        (["srgan", *DATA, "--seed", "99999999999999999999"], "option.invalid", "64 bits"),
        (["srgan", "--data", "train:/abs*", "--steps", "1"], "option.invalid", "/abs*"),
        (["srgan", "--data", "train:a**", "--steps", "1"], "option.invalid", "a**"),
        (["srgan", *DATA, "--magic"], "option.invalid", "--magic"),
        (["--resume", "--out", "runs/none"], "training.no-checkpoint", "runs/none"),
        (["srgan", *DATA, "--finetune", "none.safetensors"], "weights.missing", "none.safetensors"),
        (["srgan", *DATA, "--finetune", "srgan.none"], "weights.missing", "a name that `pincel models list` shows"),
        (["srgan", *DATA, "--publish", "--tag", "No tag"], "option.invalid", "No tag"),
        (["srgan", *DATA, "--publish", "--pack", "none.tar"], "input.missing", "none.tar"),
        (["srgan", *DATA, "--publish", "--licence", ""], "option.invalid", "licence"),
        (["swift", *DATA, "--publish", "--config", "limit=10000"], "option.invalid", "8192"),
        (["features", *DATA, "--publish"], "option.invalid", "features"),
    ],
)
def test_errors_are_sentences_with_a_remedy(place, words, code, said, capsys):
    status = pincel(["train", *words])
    err = capsys.readouterr().err
    assert f"({code})" in err and said in err and "Traceback" not in err
    assert status == catalogue()[code].exit_status
    assert not (place / "runs").exists()


def test_runs_that_cannot_be_resumed(place, tiny_folder):
    train("--steps", "1", "--out", "runs/one")
    run = place / "runs/one"
    with pytest.raises(errors.OptionError, match="trains srgan"):
        command.main(["yuv_cgan", "--resume", "--out", "runs/one"])
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(facts | {"config": facts["config"] | {"channels": 8}}))
    with pytest.raises(errors.TrainingError, match="not one of this training"):
        command.main(["--resume", "--out", "runs/one"])
    (run / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(errors.NothingToResume, match="damaged"):
        command.main(["--resume", "--out", "runs/one"])
    (run / "run.json").write_text("{")
    with pytest.raises(errors.TrainingError, match="damaged"):
        command.main(["--resume", "--out", "runs/one"])
    photo = tiny_folder / "yuv_cgan.photo.safetensors"
    with pytest.raises(errors.OptionError, match="holds yuv_cgan"):
        train("--steps", "1", "--finetune", str(photo))


@pytest.mark.slow
def test_published_weights_are_listed_by_a_running_engine(place, capsys):
    engine = EngineProcess(place / "engine", real=True)
    try:
        client = engine.client()
        before = {entry["name"] for entry in client.ask("list").header["models"]}
        train("--steps", "3", "--out", "runs/one", "--publish", "--tag", "own", "--licence", "CC0-1.0")
        after = {entry["name"]: entry for entry in client.ask("list").header["models"]}
        # And `pincel models add FILE`: the same engine runs a file that somebody gave us meanwhile.
        given = (paths.models_folder() / "srgan.own.safetensors").rename(place / "srgan.own.safetensors")
        assert {entry["name"] for entry in client.ask("list").header["models"]} == before
        assert pincel(["models", "add", str(given)]) == 0
        assert {entry["name"] for entry in client.ask("list").header["models"]} == set(after)
        source = {"source": frames.to_pixels(Picture(np.full((9, 9, 3), 90, np.uint8)))}
        end = client.end(client.send("submit", source, task="upscale", options={"generator": "srgan.own"}))
        assert end.type == "result" and end.header["info"]["generator"] == "srgan.own", end.header
    finally:
        engine.finish()
    assert set(after) - before == {"srgan.own"}
    path = paths.models_folder() / "srgan.own.safetensors"
    assert path == place / "models/srgan.own.safetensors" and f"Published: {path}" in capsys.readouterr().out
    said = headers.read_header(path)
    facts = json.loads((place / "runs/one/run.json").read_text())
    assert said.licence == "CC0-1.0" and said.steps == 3 and said.config == facts["config"]
    assert said.data == [{"pack": "train", "sha256": facts["data"]}] and said.commit == facts["commit"]
    assert set(said.metrics) == {"psnr_y", "above_bicubic"} and said.created and "--tag own" in said.command
    assert models.resolve("upscale", "srgan.own") == path
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]
    with pytest.raises(errors.OutputExists):
        train("--steps", "1", "--publish", "--tag", "own")
    train("--steps", "1", "--publish", "--tag", "own", "--overwrite")
    assert headers.read_header(path).steps == 1
