"""`pincel evaluate` as people type it, with the tiny networks: table, JSON and contact sheet for every task."""

import json
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.cli.app import run as pincel
from engine.client.options import TASKS
from engine.generators import base
from engine.nn.perceptual import Features
from engine.store import models
from engine.store.header import digest
from engine.train import metrics
from engine.train.evaluate import contact_sheet, endings, print_table
from engine.train.evaluation import generate, sketch
from engine.train.evaluation.base import SHOWN, Report, Request, Tally
from engine.train.evaluation.neighbours import Neighbours
from tests.nn.test_perceptual import own_file


@pytest.fixture
def folder(tmp_path, photo):
    """Two pieces of a photograph."""
    (tmp_path / "pictures").mkdir()
    for number, left in enumerate((0, 90)):
        Image.fromarray(photo[:100, left : left + 110]).save(tmp_path / "pictures" / f"{number}.png")
    return tmp_path / "pictures"


def figures(folder, name):
    said = json.loads((folder / f"{name}.json").read_text())
    assert said["generator"] == name and said["weights"] == digest(models.files()[name])
    [data] = said["data"].values()
    assert data["pictures"] == 2
    return data["figures"]


def test_upscale(folder, tmp_path, capsys):
    out = tmp_path / "out"
    rows = ["--also", "quality=best", "--also", "realism=0.5,quality=normal"]
    assert pincel(["evaluate", "srgan", "--data", str(folder), "--size", "64", "--out", str(out), *rows]) == 0
    found = figures(out, "srgan.psnr")
    assert list(found) == [
        "bicubic",
        "bicubic, luma alone",
        "lanczos",
        "srgan.psnr",
        "srgan.psnr, quality=best",
        "srgan.psnr, realism=0.5, quality=normal",
    ]
    assert set(found.pop("bicubic, luma alone")) == {"psnr_y", "ssim_y"}
    for row in found.values():
        assert {"psnr_y", "ssim_y", "psnr_rgb", "ssim_rgb", "mse", "sharpness"} <= set(row)
    assert len({row["psnr_y"] for row in found.values()}) == 5
    sheet = Image.open(next(out.glob("srgan.psnr-*-pictures.png")))
    assert sheet.size == (6 * 192, 16 + 2 * 192)
    said = capsys.readouterr().out
    assert "psnr_y" in said and f"{found['bicubic']['psnr_y']:.4f}" in said


def test_upscale_of_damaged_pictures(folder, tmp_path, capsys):
    own_file(tmp_path / "own.safetensors")
    line = ["evaluate", "srgan.psnr", "--data", str(folder), "--features", str(tmp_path / "own.safetensors")]
    spoilt = ["--damage", "noise=20", "--damage", "jpeg=30"]
    assert pincel([*line, "--out", str(tmp_path / "clean")]) == 0
    assert pincel([*line, "--out", str(tmp_path / "spoilt"), *spoilt]) == 0
    clean, worse = (figures(tmp_path / name, "srgan.psnr")["bicubic"] for name in ("clean", "spoilt"))
    [perceptual] = [name for name in clean if name.startswith("perceptual")]
    assert worse["psnr_y"] < clean["psnr_y"] and worse[perceptual] > clean[perceptual] > 0
    assert json.loads((tmp_path / "spoilt" / "srgan.psnr.json").read_text())["damage"] == {"noise": 20, "jpeg": 30}
    for wrong in (
        ["srgan.psnr", "--damage", "rain=3"],
        ["srgan.psnr", "--damage", "jpeg=200"],
        ["srgan.psnr", "--damage", "jpeg=60.5"],
        ["yuv_cgan", "--damage", "jpeg=30"],
    ):
        capsys.readouterr()
        assert pincel(["evaluate", *wrong, "--data", str(folder)]) == 2
        assert "damage" in capsys.readouterr().err


def test_each_pattern_of_a_folder_has_a_sheet_of_its_own(folder, tmp_path):
    sheets = endings([str(folder), f"{folder}:*0*", f"{folder}:?0?", f"{folder}:1*", f"{folder}:1*"])
    end = f"{folder.parent.name}-pictures"
    assert list(sheets.values()) == [end, f"{end}-_0_", f"{end}-_0_-2", f"{end}-1_"]
    (tmp_path / "pics:2024").mkdir()
    for number, name in enumerate(("a.png", "b.png")):
        (folder / f"{number}.png").rename(tmp_path / "pics:2024" / name)
    # A folder's name may hold a colon: cut as trainings cut it.
    data = [word for letter in "ab" for word in ("--data", f"{tmp_path}/pics:2024:{letter}*")]
    assert pincel(["evaluate", "srgan", *data, "--size", "20", "--out", str(tmp_path / "out")]) == 0
    made = sorted(path.name.partition("pics:2024")[2] for path in (tmp_path / "out").glob("*.png"))
    assert made == ["-a_.png", "-b_.png"]


def test_the_json_of_several_is_one_list(folder, tmp_path, capsys):
    line = ["--data", str(folder), "--size", "20", "--out", str(tmp_path / "out"), "--json"]
    assert pincel(["evaluate", "srgan.psnr", "swift.x4", *line]) == 0
    assert [said["generator"] for said in json.loads(capsys.readouterr().out)] == ["srgan.psnr", "swift.x4"]


def test_what_cannot_be_measured_is_left_out_and_counted(folder, tmp_path, capsys):
    for name in ("empty.jpg", "words.jpg", "._0.png"):
        (folder / name).write_bytes(b"" if name == "empty.jpg" else b"no picture")
    (folder / "cut.png").write_bytes((folder / "0.png").read_bytes()[:200])
    (folder / "folder.png").mkdir()
    for width, height in ((40, 8), (40, 3), (40, 19)):
        Image.new("RGB", (width, height)).save(folder / f"{width}x{height}.png")
    Image.new("RGB", (48, 40), "white").save(folder / "white.png")
    assert pincel(["evaluate", "srgan", "--data", str(folder), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "(3 pictures, 8 left out)" in said and " inf" not in said and " nan" not in said
    [data] = json.loads((tmp_path / "out/srgan.psnr.json").read_text())["data"].values()
    assert data["left_out"] == 8
    # Bicubic gives back white exactly: its infinite PSNR counts for no method.
    assert pincel(["evaluate", "srgan", "--data", f"{folder}:[01].png", "--out", str(tmp_path / "without")]) == 0
    for method, row in figures(tmp_path / "without", "srgan.psnr").items():
        assert data["figures"][method]["psnr_y"] == pytest.approx(row["psnr_y"], rel=1e-9)
    capsys.readouterr()
    assert pincel(["evaluate", "srgan", "--data", str(folder), "--out", str(tmp_path / "out"), "--size", "16"]) == 3
    assert "at least 20 pixels" in capsys.readouterr().err


def test_colorize_with_a_frechet_distance(folder, tmp_path, capsys):
    own_file(tmp_path / "net.safetensors")
    options = ["--size", "40", "--set", "saturation=0.5", "--features", str(tmp_path / "net.safetensors"), "--json"]
    assert pincel(["evaluate", "yuv_cgan.photo", "--data", str(folder), "--out", str(tmp_path), *options]) == 0
    found = figures(tmp_path, "yuv_cgan.photo")
    assert json.loads(capsys.readouterr().out)["options"] == {"saturation": 0.5}
    for name, row in found.items():
        assert "skin" in name or row["Frechet own-classifier (net.safetensors) distance"] >= 0
        assert {"ab_error", "chroma", "chroma_share", "gain_percent"} <= set(row)
    assert found["yuv_cgan.photo, 20 hints"]["hint_error"] > 0


def test_pix2pix_is_a_colorizer_without_hints(folder, tmp_path):
    assert pincel(["evaluate", "pix2pix", "--data", str(folder), "--size", "40", "--out", str(tmp_path)]) == 0
    rows = [name for name in figures(tmp_path, "pix2pix.art") if "skin" not in name]
    assert rows == ["mean colour", "pix2pix.art"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["esrgan"], 2, "no generator called 'esrgan'"),
        (["srgan", "--set", "realism=2"], 2, "from 0 to 1"),
        (["srgan", "--also", "colour=1"], 2, "no option called 'colour'"),
        (["srgan", "--features", "nowhere.safetensors"], 5, "no feature network"),
        (["srgan", "--sizes", "3"], 2, "--sizes"),
        (["srgan", "--limit", "-3"], 2, "-3 is no whole number of at least 1"),
        (["srgan", "--size", "-3"], 2, "-3 is no whole number of at least 1"),
        (["srgan", "--size", "x"], 2, "whole number"),
        (["srgan", "progan"], 2, "several tasks: generate, upscale"),
        (["srgan", "--neighbours", "docs/pictures"], 2, "copies"),
    ],
)
def test_mistakes_are_told(folder, tmp_path, capsys, arguments, status, said):
    assert pincel(["evaluate", *arguments, "--data", str(folder), "--out", str(tmp_path)]) == status
    assert said in capsys.readouterr().err


def test_means_and_sheets(tmp_path):
    tally = Tally()
    tally.add(None, None, {"a": 1.0})
    tally.add(None, None, {"a": 2.0, "b": 5.0})
    assert tally.means() == {"a": 1.5, "b": 5.0}
    request = Request("x", None, [None] * 100, None, {})
    assert len(request.shown()) == SHOWN and request.shown()[0] == 0
    assert Request("x", None, [None] * 3, None, {}).shown() == [0, 1, 2]
    report = Report({}, ("one", "two"), [(np.zeros((9, 30, 3), np.uint8), np.zeros((50, 20, 3), np.uint8))])
    contact_sheet(report, tmp_path / "sheet.png", 32)
    assert Image.open(tmp_path / "sheet.png").size == (64, 48)


def test_sketch(folder, tmp_path):
    assert pincel(["evaluate", "sketch_unet", "--data", str(folder), "--size", "64", "--out", str(tmp_path)]) == 0
    name = next(n for n in models.files() if n.startswith("sketch_unet."))
    found = figures(tmp_path, name)
    assert list(found)[:3] == ["lines", "lines x reference", "nearest, 40 dots"] and len(found) == 10
    assert found["lines"]["chroma"] < 0.01 < found["lines x reference"]["chroma"]
    for way in ("40 dots", "patches"):
        assert found[f"{name}, {way}"]["hint_error"] > 0 and found[f"diffused, {way}"]["ciede2000"] > 0
    assert found["lines"]["saturation_share"] < 0.01 < found["diffused, patches"]["saturation_share"]
    assert {"mse", "psnr_rgb", "ab_error"} <= set(found[f"{name}, seed"])


@pytest.mark.parametrize("name", ["dense_gan.comics", "progan.faces"])
def test_generate(folder, tmp_path, name):
    """A grey net is compared with the folder in grey."""
    own_file(tmp_path / "net.safetensors")
    options = ["--features", str(tmp_path / "net.safetensors"), "--out", str(tmp_path)]
    assert pincel(["evaluate", name, "--data", str(folder), *options]) == 0
    found = figures(tmp_path, name)
    assert list(found) == ["half the folder", name]
    grey = base.card(name.split(".")[0]).output.channels == 1
    assert (found[name]["chroma_truth"] < 0.01) == grey
    assert found[name]["Frechet own-classifier (net.safetensors) distance"] > 0


def test_lines_are_extracted(photo):
    lines = sketch.lines_of(photo)
    assert lines.shape == (*photo.shape[:2], 1) and lines.min() < 60 and np.median(lines) > 200
    assert sketch.reference_of(photo).shape == (96, 96, 3)


def test_patches_stay_within_their_shapes():
    """A disc on white: none of its patches has a colour in between."""
    rows, columns = np.mgrid[:96, :128]
    picture = np.where((np.hypot(rows - 48, columns - 64) < 30)[..., None], (200, 30, 40), 255).astype(np.uint8)
    layer = sketch.patched(picture, 0)
    painted = layer[..., 3] > 0
    assert 0.15 < painted.mean() < 0.5 and np.array_equal(sketch.patched(picture, 0), layer)
    assert np.abs(layer[painted][:, :3].astype(int) - picture[painted]).max() <= 8
    near, diffused = (sketch.spread_out(np.full((96, 128, 1), 255, np.uint8), layer, way) for way in (False, True))
    assert np.array_equal(near[painted], layer[painted][:, :3]) and (diffused[painted] != 255).any()


def test_generated_sets_are_compared_with_the_folder(tmp_path):
    own_file(tmp_path / "net.safetensors")
    rng = np.random.default_rng(0)
    folder = [rng.integers(0, 256, (40, 52, 3), dtype=np.uint8) for _ in range(18)]
    asked = []

    def draw(source, options):
        assert source is None
        asked.append((options["seed"], options["count"]))
        return [folder[options["seed"] + n][:24, :24] for n in range(options["count"])]

    request = Request("mine", base.card("progan"), folder, None, {"mine": {}}, Features(tmp_path / "net.safetensors"))
    request.run = draw
    report = generate.run(request)
    assert asked == [(0, 16), (16, 2)]
    title = "Frechet own-classifier (net.safetensors) distance"
    assert report.rows["mine"][title] >= 0 and report.rows["half the folder"][title] >= 0
    assert (
        report.rows["mine"]["sharpness"] > 1.2 * report.rows["mine"]["sharpness_truth"]
    )  # the folder's were made smaller
    assert len(report.sheet) == 4 and {len(row) for row in report.sheet} == {len(report.columns)}
    assert report.sheet[0][0].shape == report.sheet[0][-1].shape == (24, 24, 3)


def test_copies_are_found(tmp_path):
    """A copy of a training picture, mirrored or not, lies at distance 0; the folder's own pictures do not."""
    own_file(tmp_path / "net.safetensors")
    rng = np.random.default_rng(0)
    training = [rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(5)]
    folder = [rng.integers(0, 256, (24, 24, 3), dtype=np.uint8) for _ in range(2)]
    near = Neighbours(training, Features(tmp_path / "net.safetensors"))
    found = near.figures([training[3], training[1][:, ::-1].copy()], folder)
    for kind in ("pixels", "features"):
        assert found[f"neighbour_{kind}"] < 1e-4 < found[f"neighbour_{kind}_least_truth"]
    difference = training[0].astype(float) / 255 - training[1] / 255
    between = Neighbours([training[1]]).distances([training[0]])["pixels"][0, 0]
    assert float(between) == pytest.approx(float((difference**2).mean() ** 0.5), rel=1e-4)
    sheet = near.sheet([training[3]])
    assert len(sheet.columns) == len(sheet.sheet[0]) == 4 and np.array_equal(sheet.sheet[0][1], training[3])


def test_several_side_by_side_and_their_neighbours(folder, tmp_path, capsys):
    names = ["dense_gan.comics", "conv_gan.comics", "progan.faces"]
    out = ["--out", str(tmp_path / "out"), "--neighbours", str(folder)]
    assert pincel(["evaluate", *names, "--data", str(folder), *out]) == 0
    said = capsys.readouterr().out
    for name in names:
        found = figures(tmp_path / "out", name)[name]
        assert (
            found["neighbour_pixels"] > 0 and found["neighbour_pixels_least_truth"] < 0.05 * found["neighbour_pixels"]
        )
    together = [path for path in (tmp_path / "out").glob("*.png") if path.name.startswith("-".join(names))]
    assert len(together) == 1 and together[0].name in said
    assert Image.open(together[0]).width == 3 * 192
    assert len(list((tmp_path / "out").glob("*-neighbours.png"))) == 3


@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_evaluated(task):
    assert callable(import_module(f"engine.train.evaluation.{task}").run)


def test_every_metric_names_its_paper_first():
    for path in Path(metrics.__file__).parent.glob("[!_]*.py"):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        assert re.match(r'"""[A-ZÀ-ž].*(19|20)\d\d', first), path.name


def test_a_figure_and_the_truths_stand_in_one_table(capsys):
    names = ["psnr_y", *(f"figure_of_some_length_{n}" for n in range(3)), "checks", "checks_truth", "last"]
    print_table("title", {"method": dict.fromkeys(names, 1.0)})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    heads = [line.split() for line in lines[1:] if "1.0" not in line]
    assert heads == [names[:4], names[4:]]
