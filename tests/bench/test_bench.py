"""`pincel bench`, run for real in its quick form with tiny networks: what it reports and how it reckons, never how fast."""

from __future__ import annotations

import json
import math

import pytest
import torch

from engine.bench import figures, growth, machine, plots, startup, tables, work
from engine.bench.command import main, stored
from engine.bench.figures import Book, Measure
from engine.cli.app import run
from engine.client import errors
from engine.generators import progan, srgan


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """One quick run of what needs no processes of its own."""
    path = tmp_path_factory.mktemp("bench") / "figures.json"
    assert main(["--quick", "--only", "tasks", "--only", "growth", "--json", str(path)]) == 0
    return path


def test_a_run_names_the_machine_and_every_generator(quick):
    data = json.loads(quick.read_text())
    assert {"processor", "cores", "threads", "memory_gb", "torch", "bf16", "load"} <= set(data["machine"])
    assert data["settings"]["quick"] is True and data["settings"]["only"] == ["tasks", "growth"]
    measures = figures.from_json(data)
    generators = {"/".join(name.split("/")[:2]) for name in measures if name.endswith("/net")}
    assert generators == {
        "colorize/yuv_cgan.photo",
        "colorize/pix2pix.art",
        "upscale/srgan.psnr",
        "upscale/swift.x4",
        "sketch/sketch_unet.illustration",
        "generate/dense_gan.comics",
        "generate/conv_gan.comics",
        "generate/progan.faces",
    }
    for name in generators:
        phases = {phase for phase in work.PHASES if f"{name}/{phase}" in measures}
        assert phases == set(work.PHASES) - ({"read"} if name.startswith("generate") else set())
    for m in measures.values():
        assert math.isfinite(m.value) and m.low <= m.value <= m.high and m.runs >= 1


def test_the_phases_make_up_the_task(quick):
    measures = figures.from_json(json.loads(quick.read_text()))
    for name in ("colorize/yuv_cgan.photo", "upscale/srgan.psnr", "sketch/sketch_unet.illustration"):
        parts = sum(measures[f"{name}/{phase}"].value for phase in ("convert", "net", "blend"))
        assert parts == pytest.approx(measures[f"{name}/task, without files"].value, rel=0.01)
        [share] = [m.value for key, m in measures.items() if key.startswith(f"{name}/net's share")]
        assert share > 0


def test_growth_has_each_size_and_counts_memory_beside_the_pictures(quick):
    measures = figures.from_json(json.loads(quick.read_text()))
    for size in growth.QUICK:
        for task in ("colorize", "upscale"):
            assert measures[f"growth/{task}/{size:g} MP/time"].unit == "s/MP"
            assert measures[f"growth/{task}/{size:g} MP/memory beside source and result"].value > 0
    found = growth.job("upscale", 0.04, 4.0)
    assert found["megapixels"] == pytest.approx(0.04, rel=0.1)
    assert found["held"] == pytest.approx(3e6 * found["megapixels"] * (1 + 1 / 16))


def test_large_runs_to_a_hundred_megapixels():
    sizes = [(task, size, scale) for _, task, size, scale in growth.kinds((), large=True, quick=False)]
    assert ("colorize", 100, 4.0) in sizes and ("upscale", 100, 4.0) in sizes and ("upscale", 100, 2.0) in sizes


def test_tasks_and_sections_are_chosen(tmp_path, capsys):
    assert run(["bench", "generate", "--quick", "--only", "tasks", "--json", str(tmp_path / "a.json")]) == 0
    names = figures.from_json(json.loads((tmp_path / "a.json").read_text()))
    assert {name.split("/")[0] for name in names} == {"machine", "generate"}
    assert "progan.faces/net" in capsys.readouterr().out
    with pytest.raises(errors.OptionError):
        main(["paint"])
    assert run(["bench", "paint"]) == 2


def test_figures_are_added_to_a_file(quick, tmp_path):
    path = tmp_path / "figures.json"
    path.write_text(quick.read_text())
    before = figures.from_json(json.loads(path.read_text()))
    assert main(["generate", "--quick", "--only", "tasks", "--add", "--json", str(path)]) == 0
    after = figures.from_json(json.loads(path.read_text()))
    assert set(after) == set(before) and after["growth/upscale/0.01 MP/time"] == before["growth/upscale/0.01 MP/time"]
    assert after["generate/progan.faces/net"] != before["generate/progan.faces/net"]
    path.write_text(path.read_text().replace(json.dumps(machine.describe()["torch"]), '"1.0"'))
    with pytest.raises(errors.OptionError, match="another machine"):
        main(["generate", "--quick", "--only", "tasks", "--add", "--json", str(path)])
    with pytest.raises(errors.OptionError, match="--json"):
        main(["generate", "--quick", "--only", "tasks", "--add"])


@pytest.mark.slow
def test_startup_and_service_for_real(tmp_path):
    """Real processes: the command, an engine, its worker, several clients."""
    path = tmp_path / "figures.json"
    assert main(["--quick", "--only", "startup", "--only", "service", "--json", str(path)]) == 0
    measures = figures.from_json(json.loads(path.read_text()))
    first, least = (
        measures[f"startup/{n}"] for n in ("first colorized photograph, cold", "import torch and read the weights")
    )
    ratio = measures["startup/first photograph over torch and weights"]
    assert ratio.value == pytest.approx(first.value / least.value) and ratio.limit == 1.5
    trip = measures["service/1 MB layer there and back"]
    assert trip.runs == 3
    assert measures["service/1 MB layer there and back, bytes moved"].value == pytest.approx(2e0 / trip.value, rel=0.3)
    assert measures["service/2 clients at once, the last to be served over the first"].value >= 1
    assert "service/colorize 0.0123 MP, over in process" in measures


def test_an_engine_of_the_bench_leaves_nothing_behind(tmp_path):
    with startup.Serving(tmp_path) as serving:
        assert serving.process.poll() is None
    assert serving.process.returncode == 0


def test_missing_runtimes_are_named(tmp_path, monkeypatch, capsys):
    from engine.bench import peers

    monkeypatch.setattr(peers, "RUNTIMES", {"onnxruntime": ("no_such_package",)})
    path = tmp_path / "figures.json"
    assert main(["upscale", "--quick", "--only", "peers", "--json", str(path)]) == 0
    data = json.loads(path.read_text())
    assert data["skipped"]["peers/upscale/srgan.psnr/onnxruntime"] == "not installed: no_such_package"
    assert "peers/upscale/srgan.psnr/torch eager" in figures.from_json(data)
    assert "no_such_package" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("runtime", "tasks"),
    [
        ("onnxruntime", ("upscale", "colorize")),
        # `make slow` installs it.
        pytest.param("openvino", ("upscale", "colorize"), marks=pytest.mark.slow),
        ("ncnn", ("upscale",)),  # its converter does not know all that the colorizer does
    ],
)
def test_runtimes_that_are_installed_give_our_network_s_pixels(runtime, tasks, monkeypatch):
    from engine.bench import peers

    for package in peers.RUNTIMES[runtime]:
        pytest.importorskip(package)
    monkeypatch.setattr(peers, "RUNTIMES", {runtime: peers.RUNTIMES[runtime]})
    book = Book()
    peers.run(book, tasks, True, 1)
    differences = {n: m.value for n, m in book.measures.items() if f"/{runtime}" in n and "difference" in n}
    assert {name.split("/")[1] for name in differences} == set(tasks)
    assert max(differences.values()) < 0.01 and not book.skipped


# ---- arithmetic ----------------------------------------------------------------------------------------------------


def test_medians_quartiles_and_ratios_turn_by_turn():
    book = Book()
    m = book.add("a/b", [5.0, 1.0, 2.0, 3.0, 4.0], "s", limit=3.0)
    assert (m.low, m.value, m.high, m.runs, m.within) == (2.0, 3.0, 4.0, 5, True)
    # Each turn's own ratio: a machine that is half as fast for one turn changes nothing.
    assert book.ratio("a/c", [1.1, 2.2, 1.1], [1.0, 2.0, 1.0], limit=0.05, less=1).value == pytest.approx(0.1)
    assert book.measures["a/c"].within is False
    assert figures.quartiles([7.0]) == (7.0, 7.0, 7.0)


def test_jobs_take_turns_and_warm_ups_do_not_count():
    seen = []
    found = figures.turns({"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}, 2, warm=1)
    assert seen == ["a", "b"] * 3 and [len(v) for v in found.values()] == [2, 2]


def test_operations_are_counted_without_computing():
    _, work_of_one = machine.convolution(8, 16, None, torch.device("cpu"))
    assert work_of_one == 2 * 8 * 8 * 9 * 16 * 16

    network = srgan.Generator(channels=8, blocks=2)
    small, large = (work.operations(network, ((1, 3, side, side),)) for side in (16, 32))
    assert all(p.device.type == "cpu" for p in network.parameters())
    assert small > 0 and large == pytest.approx(4 * small, rel=0.02)


def test_operations_of_a_network_whose_buffers_say_how_much_it_computes():
    network = progan.Generator(**progan.CONFIG)
    network.stage.fill_(1)
    first = work.operations(network, ((1, progan.LATENT, 1, 1),))
    network.stage.fill_(2)
    assert work.operations(network, ((1, progan.LATENT, 1, 1),)) > first > 0


def test_the_clock_counts_inner_functions_once():
    clock = work.Clock()
    inner = clock.around("inner", lambda: sum(range(20000)))
    clock.around("outer", lambda: [inner() for _ in range(20)])()
    assert clock.seconds["outer"] < clock.seconds["inner"]


def test_a_baseline_compares_ratios_anywhere_and_seconds_on_one_machine():
    now, then = Measure("a/b", 2.0, "s", 2, 2, 1), Measure("a/b", 1.0, "s", 1, 1, 1)
    assert tables.compared(now, then, same=True) == ("1", "+100 %")
    assert tables.compared(now, then, same=False) == ("1", "")
    share = Measure("a/c", 1.0, "x", 1, 1, 1)
    assert tables.compared(share, Measure("a/c", 2.0, "x", 2, 2, 1), same=False) == ("2", "-50 %")
    assert tables.compared(share, None, same=True) == ("", "")


def test_baseline_stored_figures_and_page(quick, tmp_path, capsys):
    assert main(["--from", str(quick), "--baseline", str(quick)]) == 0
    shown = capsys.readouterr().out
    assert "+0 %" in shown and "baseline" in shown
    page = tables.page(json.loads(quick.read_text()))
    assert "### Growth" in page and "| colorize: 0.01 MP: time |" in page
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(errors.OptionError):
        stored(tmp_path / "other.json")
    with pytest.raises(errors.InputMissing):
        stored(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.0123"), (1.234, "1.23"), (123.4, "123"), (12345.6, "12346"), (99.96, "100")],
)
def test_three_digits(value, text):
    assert tables.number(value) == text


def test_plots_are_small(quick, tmp_path):
    pytest.importorskip("matplotlib")
    drawn = plots.draw(json.loads(quick.read_text()), tmp_path)
    assert {p.name for p in drawn} == {"bench-growth.png", "bench-phases.png"}
    assert all(1000 < p.stat().st_size < 100_000 for p in drawn)


def test_the_picture_is_smooth_but_for_its_grain():
    """No sample overflows: jumps from white to black would be hard to enlarge, and nothing like a photograph."""
    array = work.photograph(256, 256, 3).array.astype(int)
    assert abs(array[1:] - array[:-1]).max() < 40 and array.max() > 200
