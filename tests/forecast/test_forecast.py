"""What a job will take: the arithmetic on records, and the same answer at every door."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine import Engine, forecast, paths, tasks
from engine.client import errors, words
from engine.client.session import Session
from engine.forecast import Size
from engine.store.cache import ModelCache
from engine.tasks import noted
from engine.tasks.base import Reporter
from tests.forecast.records import MEGAPIXEL, note, values
from tests.server.harness import EngineProcess


def test_nothing_is_known_before_the_first_job():
    assert forecast.predict("colorize", MEGAPIXEL, {}) is None


def test_pixel_work_grows_with_the_picture_and_the_network_does_not():
    note(load=2.0, read=0.5, net=1.0, blend=3.0)
    found = forecast.predict("colorize", Size(4000, 3000, 3), {}, "cpu")
    assert found.phases == pytest.approx({"load": 2.0, "read": 6.0, "net": 4000 / 3000, "blend": 36.0})
    assert found.seconds == pytest.approx(sum(found.phases.values())) and found.jobs == 1
    assert "load" not in forecast.predict("colorize", MEGAPIXEL, {}, cold=False).phases


def test_variants_cost_a_network_and_a_blend_each():
    note(read=0.5, net=1.0, blend=3.0)
    found = forecast.predict("colorize", MEGAPIXEL, {"variants": 3}, "cpu")
    assert found.phases == pytest.approx({"read": 0.5, "net": 3.0, "blend": 9.0})
    assert found.bytes == 400_000_000 + 2 * MEGAPIXEL.nbytes


def test_memory_is_source_and_results_and_what_stood_beside_them():
    note(peak=400_000_000, read=1.0)
    large = Size(10_000, 10_000, 3)
    assert forecast.predict("colorize", large, {}).bytes == 400_000_000 - 6_000_000 + 600_000_000


@pytest.mark.parametrize(
    ("given", "factor"),
    [
        ({"scale": 4.0}, 1),
        ({"scale": 2.0}, 1),  # the network works at its own scale all the same
        ({"width": 4000}, 1),
        ({"scale": 4.0, "quality": "best"}, 8),
        ({"scale": 16.0}, 1 + 16),  # the enlarged picture is enlarged once more
        ({"width": 4001, "height": 4001}, 1 + 16),
    ],
)
def test_enlarging_costs_what_the_network_puts_out(given, factor):
    assert forecast.units(MEGAPIXEL, values("upscale", **given), ["net"], 4) == {"net": 16.0 * factor}


def test_full_precision_is_a_kind_of_its_own():
    note(task="upscale", network="swift.x4", scale=4, net=16.0)
    note(task="upscale", network="swift.x4", scale=4, given={"quality": "exact"}, net=32.0)
    assert forecast.predict("upscale", MEGAPIXEL, {}).seconds == pytest.approx(16.0)
    assert forecast.predict("upscale", MEGAPIXEL, {"quality": "exact"}).seconds == pytest.approx(32.0)
    best = {"quality": "best", "generator": "swift.x4"}
    assert forecast.predict("upscale", MEGAPIXEL, best).seconds == pytest.approx(8 * 32.0)
    assert (
        forecast.predict("upscale", MEGAPIXEL, {"quality": "best"}) is None
    )  # by another network, of which nothing is known


def test_pictures_from_a_seed():
    work = forecast.units(forecast.NOTHING, values("generate", count=3, size=500), ["load", "draw", "net"], 1)
    assert work == {"load": 1, "draw": 3, "net": 0.75}


def test_records_of_similar_work_say_more_and_a_slow_one_is_outvoted():
    note(size=Size(100, 100), blend=1.0)  # a hundred times as slow a pixel as the others
    for seconds in (1.0, 1.1, 50.0):
        note(blend=seconds)
    assert forecast.predict("colorize", MEGAPIXEL, {}).phases["blend"] == pytest.approx(1.1)
    assert forecast.predict("colorize", Size(110, 100), {}).phases["blend"] == pytest.approx(1.1)


def test_words():
    assert words.forecast(40.4, 1_200_000_000) == "about 40 s, 1.2 GB"
    assert words.forecast(0.31, 350_000_000) == "about 0.3 s, 350 MB"
    assert words.forecast(200, 0) == "about 3 min"


def test_a_job_leaves_a_record_of_its_phases(photo):
    with Engine(device="cpu") as engine:
        expected = engine.forecast("colorize", (203, 151), variants=2)  # measured now, for nothing is known
        assert expected.jobs == 2 and set(expected.phases) == {"read", "net", "blend"}
        done = engine.colorize(photo, variants=2)
        assert engine.forecast("colorize", photo if isinstance(photo, tuple) else (203, 151)).jobs == 3
    kinds = json.loads((paths.state_folder() / forecast.FILE).read_text())["kinds"]
    record = kinds["colorize yuv_cgan.photo cpu"][-1]
    assert record["seconds"] == pytest.approx({n: s for n, s in done.info["seconds"].items() if n != "load"}, abs=1e-5)
    assert record["units"] == pytest.approx(
        {"read": 203 * 151 / 1e6, "net": 2 * 203 / 151, "blend": 2 * 203 * 151 / 1e6}
    )
    assert record["beside"] > 0


def test_the_first_job_pays_for_loading():
    with Engine(device="cpu") as engine:
        engine.generate(seed=1, generator="progan.faces")
        engine.generate(seed=1, generator="progan.faces")
    first, second = json.loads((paths.state_folder() / forecast.FILE).read_text())["kinds"]["generate progan.faces cpu"]
    assert "load" in first["seconds"] and "load" not in second["seconds"]


def test_a_workers_start_is_not_charged_to_others():
    """What a service's worker took to start stands in its record; a process that runs already pays for the network alone."""
    note(start=2.0, load=0.5, read=0.1, net=0.1, blend=0.1)
    assert "start" in forecast.predict("colorize", MEGAPIXEL, {}, "cpu").phases
    for found in (
        forecast.predict("colorize", MEGAPIXEL, {}, "cpu", started=True),
        forecast.known("colorize", MEGAPIXEL, {}, "cpu", cold=True),
    ):
        assert set(found.phases) == {"load", "read", "net", "blend"}
        assert found.seconds == pytest.approx(0.8)


@pytest.mark.parametrize(("noted_by", "asked_by"), [("cuda", "cuda:0"), ("cuda:0", "cuda"), ("cuda:1", "cuda:1")])
def test_a_graphics_card_is_the_same_by_both_its_names(noted_by, asked_by):
    """Results say "cuda" where none was named; the service says which one its worker found."""
    forecast.note("colorize", "yuv_cgan.photo", noted_by, MEGAPIXEL, values("colorize"), {"net": 1.0}, 400_000_000)
    assert forecast.predict("colorize", MEGAPIXEL, {}, asked_by).jobs == 1
    assert forecast.predict("colorize", MEGAPIXEL, {}).jobs == 1
    assert forecast.predict("colorize", MEGAPIXEL, {}, "cuda:2") is None


class Compiled:
    """In the stead of openvino's, whose package need not be there."""

    def __init__(self, network, anysize):
        self.network = network

    def __call__(self, *inputs, half):
        return self.network(*inputs)


def test_openvino_has_records_of_its_own_and_finds_them_again(monkeypatch):
    from engine.store import openvino
    from engine.tasks.base import Picture

    monkeypatch.setattr(openvino, "available", lambda: None)
    monkeypatch.setattr(openvino, "Compiled", Compiled)
    with Engine(device="openvino") as engine:
        assert engine.forecast("upscale", (100, 80)).jobs == 2  # measured now, and found
        assert engine.forecast("upscale", (100, 80)).jobs == 2
    reporter = Reporter()
    noted.run("upscale", Picture(np.zeros((9, 9, 3), np.uint8)), {}, ModelCache("openvino"), reporter)
    assert reporter.expected, "its progress goes by the forecast"
    assert forecast.predict("upscale", MEGAPIXEL, {}, "openvino").jobs == 3
    assert forecast.predict("upscale", MEGAPIXEL, {}, "cpu") is None


def test_wrong_options_are_refused_and_files_are_measured_by_their_heads(tmp_path, photo):
    from PIL import Image

    Image.fromarray(photo).save(tmp_path / "photo.png")
    with Engine(device="cpu") as engine:
        with pytest.raises(errors.OptionError):
            engine.forecast("colorize", (10, 10), colour="blue")
        with pytest.raises(errors.InputMissing):
            engine.forecast("colorize", tmp_path / "none.png")
        expected = engine.forecast("upscale", tmp_path / "photo.png")
        assert expected.seconds == pytest.approx(engine.forecast("upscale", (203, 151, 3)).seconds)
        assert str(expected).startswith("about ")


def test_measuring_reads_every_format(tmp_path):
    import tifffile
    from PIL import Image

    from engine.files.measure import measure

    for ending, mode, pixel in (("png", "RGBA", 4), ("jpg", "L", 1), ("webp", "RGB", 3), ("bmp", "RGB", 3)):
        Image.new(mode, (31, 17)).save(tmp_path / f"a.{ending}")
        assert measure(tmp_path / f"a.{ending}") == (31, 17, pixel)
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((17, 31, 3), np.uint16), photometric="rgb")
    assert measure(tmp_path / "a.tif") == (31, 17, 6)


def test_progress_goes_by_the_forecast_and_counts_rounds():
    seen = []
    reporter = Reporter(on_progress=seen.append, expected={"net": 6.0, "blend": 2.0})
    reporter.plan, reporter.rounds = {"load": 20, "net": 1, "blend": 1}, {"net": 2, "blend": 2}
    with reporter.phase("load"):
        pass
    for _ in range(2):
        with reporter.phase("net"):
            pass
        with reporter.phase("blend", 2) as done:
            done(1)
            done(2)
    assert [p.fraction for p in seen] == pytest.approx([0, 0, 3 / 8, 7 / 16, 0.5, 0.5, 7 / 8, 15 / 16, 0.99])
    assert seen[0].eta == pytest.approx(8.0, abs=0.5)


def test_what_measures_leaves_no_records(photo):
    from engine.tasks.base import Picture

    tasks.run("colorize", Picture(photo), {}, ModelCache("cpu"))
    assert not (paths.state_folder() / forecast.FILE).exists()
    noted.run("colorize", Picture(photo), {}, ModelCache("cpu"), Reporter(), cold=True)
    assert (paths.state_folder() / forecast.FILE).exists()


@pytest.mark.slow
def test_through_the_service(tmp_path, monkeypatch, photo):
    """The broker answers from the records, without torch; Engine.connect() has a small job done before the first."""
    engine = EngineProcess(tmp_path / "engine", real=True)
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", engine.environ["PINCEL_RUNTIME_DIR"])
    try:
        with Session.connect("test", "1") as session:
            assert session.forecast("upscale", {}, 100, 80) == {"seconds": None, "bytes": None, "phases": {}, "jobs": 0}
            with pytest.raises(errors.OptionError):
                session.forecast("upscale", {"scale": 99}, 100, 80)
            with Engine.connect() as door:
                expected = door.forecast("upscale", (100, 80))
                assert expected.jobs == 2 and expected.seconds > 0 and expected.bytes > 100_000_000
                door.upscale(photo[:40, :50])
            answer = session.forecast("upscale", {}, 100, 80)
            assert answer["jobs"] == 3 and set(answer["phases"]) == {"net"}  # the worker is warm
            session.free()
            assert {"start", "load", "net"} == set(session.forecast("upscale", {}, 100, 80)["phases"])
    finally:
        status, _, said = engine.finish()
    assert (status, said) == (0, "")


def test_the_command_says_it_before_it_starts(tmp_path, photo, capsys):
    from PIL import Image

    from engine.cli.app import run

    for n in range(3):
        Image.fromarray(photo).save(tmp_path / f"{n}.png")
    files = [str(tmp_path / f"{n}.png") for n in range(3)]
    assert run(["colorize", files[0], "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [e["event"] for e in events[:2]] == ["start", "forecast"] and events[1]["seconds"] > 0 < events[1]["bytes"]
    assert run(["colorize", *files, "-o", str(tmp_path / "out") + "/"]) == 0
    assert "3 pictures: about " in capsys.readouterr().err
    assert run(["colorize", *files, "-q", "-o", str(tmp_path / "more") + "/"]) == 0
    assert "about" not in capsys.readouterr().err


def test_of_very_many_pictures_some_are_looked_at(tmp_path, monkeypatch):
    from engine.cli import batch
    from engine.cli.plan import Work

    asked, told = [], []

    class Door:
        def forecast(self, task, source, **options):
            asked.append(source)
            return forecast.Forecast(2.0, 7, {}, 1)

    class Report:
        def foretold(self, seconds, nbytes):
            told.append((seconds, nbytes))

    works = [Work(tmp_path / f"{n}.png") for n in range(1000)] + [Work(tmp_path, error=errors.InputMissing("gone"))]
    batch.foretell("colorize", works, {}, Report(), Door())
    assert len(asked) <= 100 and told == [(pytest.approx(2000.0), 7)]
