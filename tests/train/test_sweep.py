"""A sweep: the grid, its table in sweep.json and in TensorBoard, what fails, and going on."""

import json

import pytest

from engine.client import errors
from engine.store import header as headers
from engine.train import __main__ as command
from engine.train.sweep import Sweep, grid
from tests.train.test_command import TINY, place  # noqa: F401


def test_the_grid():
    assert grid(["set.lr=0.01,0.02", "config.blocks=1,2"]) == [
        {"set.lr": 0.01, "config.blocks": 1},
        {"set.lr": 0.01, "config.blocks": 2},
        {"set.lr": 0.02, "config.blocks": 1},
        {"set.lr": 0.02, "config.blocks": 2},
    ]
    assert grid(["config.upsampling=direct"]) == [{"config.upsampling": "direct"}]
    for wrong in ("lr=1,2", "set.=1", "set.lr", "set.lr=", "device=cpu,cuda"):
        with pytest.raises(errors.OptionError, match="understood"):
            grid([wrong])


def sweep(*more):
    arguments = [*TINY, "--data", "train", "--heldout", "heldout", "--steps", "2", "--out", "runs/sweep"]
    command.main([*arguments, *more])


def test_a_sweep_compares_goes_on_and_publishes_the_best(place, capsys, monkeypatch):  # noqa: F811
    sweep("--sweep", "set.lr=0.001,0.5", "--sweep", "config.channels=4,0", "--publish", "--tag", "best")
    run = place / "runs/sweep"
    table = json.loads((run / "sweep.json").read_text())
    rows = table["runs"]
    assert [row["values"] for row in rows] == grid(["set.lr=0.001,0.5", "config.channels=4,0"])
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


def test_the_hparams_table_is_written(place):  # noqa: F811
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


def test_what_a_sweep_needs(place):  # noqa: F811
    with pytest.raises(errors.OptionError, match="held-out"):
        command.main([*TINY, "--data", "train", "--steps", "1", "--sweep", "set.lr=1"])
    with pytest.raises(errors.NothingToResume):
        Sweep({"out": "runs/none", "resume": True}, "", print)
