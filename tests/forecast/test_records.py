"""The file that records of jobs stand in: bounded, whole, and no harm where it is damaged."""

from __future__ import annotations

import json

import pytest

from engine import forecast, paths
from tests.forecast.records import MEGAPIXEL, note


def test_the_file_is_bounded_and_whole(monkeypatch):
    for n in range(forecast.KEPT + 5):
        note(net=float(n))
    for n in range(forecast.KINDS + 3):
        note(network=f"other.{n}", net=1.0)
    folder = paths.state_folder()
    assert [p.name for p in folder.iterdir()] == [forecast.FILE]
    kinds = json.loads((folder / forecast.FILE).read_text())["kinds"]
    assert len(kinds) == forecast.KINDS and "colorize yuv_cgan.photo cpu" not in kinds
    note(net=3.0)
    for n in range(forecast.KEPT):
        note(net=float(n))
    kept = json.loads((folder / forecast.FILE).read_text())["kinds"]["colorize yuv_cgan.photo cpu"]
    assert [r["seconds"]["net"] for r in kept] == [float(n) for n in range(forecast.KEPT)]


def file_of(kind="colorize yuv_cgan.photo cpu", **changed):
    record = {"seconds": {"net": 1}, "units": {"net": 1}, "beside": 1, "scale": 1}
    return json.dumps({"kinds": {kind: [record | changed]}})


NONE = [float("inf"), float("nan"), 10**400, -1, True]  # what json.loads reads from 1e400 and the like


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kinds": 3}',
        '{"kinds": {"colorize yuv_cgan.photo cpu": [{"seconds": 1}]}}',
        '{"kinds": ' + "[" * 200_000,
        file_of(kind="colorize"),
        file_of(kind=""),
        *(file_of(**{name: {"net": number}}) for name in ("seconds", "units") for number in [*NONE, 5e-324]),
        *(file_of(**{name: number}) for name in ("beside", "scale") for number in NONE),
    ],
    ids=lambda text: text[:100],
)
def test_a_damaged_file_counts_as_none(text):
    paths.state_folder().mkdir(parents=True)
    (paths.state_folder() / forecast.FILE).write_text(text)
    assert forecast.predict("colorize", MEGAPIXEL, {}) is None
    note(net=1.0)
    assert forecast.predict("colorize", MEGAPIXEL, {}).jobs == 1


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path / "file"))
    note(net=1.0)
