"""A sweep: the grid, its table in sweep.json and in TensorBoard, what fails, and going on."""

import json
from types import SimpleNamespace

import pytest

from engine.client import errors
from engine.store import header as headers
from engine.train import __main__ as command
from engine.train.runs import RunFolder
from engine.train.sweep import Sweep, grid
from tests.train.test_command import TINY


def test_the_grid():
    assert grid(["set.lr=0.01,0.02", "config.blocks=1,2"]) == [
        {"set.lr": 0.01, "config.blocks": 1},
        {"set.lr": 0.01, "config.blocks": 2},
        {"set.lr": 0.02, "config.blocks": 1},
        {"set.lr": 0.02, "config.blocks": 2},
    ]
    assert grid(["config.upsampling=direct"]) == [{"config.upsampling": "direct"}]
    for wrong in ("batch=2,0", "steps=1.5", "minutes=-1", "ema=much"):
        with pytest.raises(errors.OptionError, match=f"--{wrong.partition('=')[0]}"):
            grid([wrong])
    for wrong in ("lr=1,2", "set.=1", "set.lr", "set.lr=", "device=cpu,cuda"):
        with pytest.raises(errors.OptionError, match="understood"):
            grid([wrong])


def sweep(*more):
    arguments = [*TINY, "--data", "train", "--heldout", "heldout", "--steps", "2", "--out", "runs/sweep"]
    command.main([*arguments, *more])


def test_a_sweep_compares_goes_on_and_publishes_the_best(place, capsys, monkeypatch):
    sweep("--sweep", "set.lr=0.001,0.5", "--sweep", "config.upsampling=direct,sideways", "--publish", "--tag", "best")
    run = place / "runs/sweep"
    table = json.loads((run / "sweep.json").read_text())
    rows = table["runs"]
    assert [row["values"] for row in rows] == grid(["set.lr=0.001,0.5", "config.upsampling=direct,sideways"])
    assert [bool(row["figures"]) for row in rows] == [True, False, True, False]
    assert rows[1]["error"]["code"] == "option.invalid"
    good = [row for row in rows if row["figures"]]
    assert table["by"] == "psnr_y" and table["best"] == max(good, key=lambda r: r["figures"]["psnr_y"])["name"]
    said = capsys.readouterr().out
    assert f"The best by psnr_y: {table['best']}" in said
    made = headers.read_header(place / "models/srgan.best.safetensors")
    assert made.metrics == {
        k: round(v, 6) for k, v in max(good, key=lambda r: r["figures"]["psnr_y"])["figures"].items()
    }
    # What was trained is not trained again; only what failed is tried again.
    stamp = (run / good[0]["name"] / "checkpoint.pt").stat().st_mtime_ns
    command.main(["--resume", "--out", "runs/sweep", "--by=-psnr_y", "--overwrite"])
    assert (run / good[0]["name"] / "checkpoint.pt").stat().st_mtime_ns == stamp
    again = json.loads((run / "sweep.json").read_text())
    assert again["best"] == min(good, key=lambda r: r["figures"]["psnr_y"])["name"]
    with pytest.raises(errors.OptionError, match="There is a sweep"):
        sweep("--sweep", "set.lr=1")


def test_the_hparams_table_is_written(place):
    pytest.importorskip("tensorboard")
    sweep("--sweep", "set.lr=0.001,0.002")
    from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

    runs = EventMultiplexer().AddRunsFromDirectory(str(place / "runs/sweep")).Reload()
    with_table = (
        [name for name in runs.Runs() if "_hparams_/session_start_info" in runs.SummaryMetadata_names(name)]
        if hasattr(runs, "SummaryMetadata_names")
        else [
            name
            for name, tags in runs.PluginRunToTagToContent("hparams").items()
            if "_hparams_/session_start_info" in tags
        ]
    )
    assert len(with_table) == 2


def test_what_a_sweep_needs(place):
    with pytest.raises(errors.OptionError, match="held-out"):
        command.main([*TINY, "--data", "train", "--steps", "1", "--sweep", "set.lr=1"])
    with pytest.raises(errors.NothingToResume):
        Sweep({"out": "runs/none", "resume": True}, "", print)


@pytest.mark.parametrize(
    "slip, said",
    [
        ("set.lr=0.01,abc", "lr"),
        ("set.rate=1,2", "rate"),
        ("config.channels=4,wide", "channels"),
        ("config.width=4", "width"),
    ],
)
def test_a_slip_is_said_before_the_first_training(quick, place, slip, said):
    with pytest.raises(errors.OptionError, match=said):
        sweep("--sweep", slip)
    assert not quick.told and not (place / "runs").exists()


def test_a_sweep_whose_trainings_all_fail_says_so(quick, capsys):
    quick.gives |= {1: errors.OptionError("No.", "Choose another."), 2: IndexError("no such thing")}
    with pytest.raises(errors.TrainingError, match="Every training"):
        sweep("--sweep", "batch=1,2")
    assert "No. (option.invalid) Choose another." in capsys.readouterr().out
    quick.gives.clear()
    command.main(["--resume", "--out", "runs/sweep"])
    assert [row["error"] for row in quick.table()["runs"]] == [None, None]


class Killed(Exception):
    """Nothing that a sweep gets over."""


@pytest.fixture
def quick(place, monkeypatch):
    """Trainings that take no time and give, by their batch, the figures that are asked for; what each was told."""
    told, gives = [], {}

    class Quick:
        def __init__(self, values, *_):
            self.values = values
            told.append(values)

        def run(self):
            figures = gives.get(self.values["batch"], {"psnr_y": 20.0 + self.values["batch"]})
            if isinstance(figures, Exception):
                raise figures
            return SimpleNamespace(stopped=False, figures=figures, step=2, seconds=0.1)

    monkeypatch.setattr("engine.train.sweep.Training", Quick)
    monkeypatch.setattr(RunFolder, "hyperparameters", lambda *_: None)
    return SimpleNamespace(
        told=told, gives=gives, table=lambda: json.loads((place / "runs/sweep/sweep.json").read_text())
    )


def test_a_sweep_outlives_any_fault_of_one_training(quick):
    quick.gives |= {1: ZeroDivisionError("division by zero"), 2: IndexError("no such thing")}
    sweep("--sweep", "batch=1,2,3")
    assert [bool(row["error"]) for row in quick.table()["runs"]] == [True, True, False]


def test_nan_is_never_the_best(quick, capsys):
    quick.gives |= {1: {"psnr_y": float("nan")}, 2: {"psnr_y": 30.0}, 3: {"psnr_y": 29.0}}
    for by, best in (("psnr_y", "batch=2"), ("-psnr_y", "batch=3")):
        sweep("--sweep", "batch=1,2,3", f"--by={by}", "--out", f"runs/{best}")
        assert f"The best by {by}: 00" in (said := capsys.readouterr().out) and f"{best}.\n" in said


def test_a_figure_that_there_is_not_ends_the_sweep_after_its_first_training(quick):
    with pytest.raises(errors.OptionError, match="'psrn' to compare them by; there are: psnr_y"):
        sweep("--sweep", "batch=1,2,3", "--by", "psrn")
    assert len(quick.told) == len(quick.table()["runs"]) == 1
    command.main(["--resume", "--out", "runs/sweep", "--by", "psnr_y"])
    assert len(quick.told) == 3 and quick.table()["best"] == "003 batch=3"


def test_a_sweep_that_was_killed_in_its_first_training_goes_on_from_anywhere(quick, place, monkeypatch):
    quick.gives[1] = Killed()
    with pytest.raises(Killed):
        sweep("--sweep", "batch=1,2", "--set", "features=own.bin")
    assert quick.table()["runs"] == []
    del quick.gives[1]
    monkeypatch.chdir(place / "runs")
    command.main(["--resume", "--out", "sweep"])
    for values in quick.told[1:]:
        assert values["data"] == [str(place / "train")] and values["heldout"] == [str(place / "heldout")]
        assert values["set"]["features"] == str(place / "own.bin")
    assert quick.table()["best"] == "002 batch=2"
