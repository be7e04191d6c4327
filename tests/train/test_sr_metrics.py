"""PSNR and SSIM against scikit-image; the evaluation of an enlarger; publishing a run."""

import hashlib
import json
import math
import re
import shlex

import numpy as np
import pytest
import torch
from PIL import Image

from engine.client.errors import WeightsShape
from engine.generators import base
from engine.imaging.resize import bicubic
from engine.store import weights
from engine.train import __main__ as command
from engine.train import publish
from engine.train.arguments import status_of
from engine.train.evaluation import upscale
from engine.train.evaluation.base import Request
from engine.train.metrics.checks import checks
from engine.train.metrics.mse import mse
from engine.train.metrics.psnr import luma, psnr_rgb, psnr_y
from engine.train.metrics.sharpness import sharpness
from engine.train.metrics.ssim import ssim, ssim_rgb, ssim_y
from tests.house.tree import ROOT

skimage_metrics = pytest.importorskip("skimage.metrics")


@pytest.fixture
def pair():
    """Two 8-bit pictures in [0, 1] that resemble each other."""
    rng = torch.Generator().manual_seed(0)
    truth = bicubic(torch.rand(3, 12, 15, generator=rng), 48, 60).clamp(0, 1)
    result = (truth + 0.05 * torch.randn(truth.shape, generator=rng)).clamp(0, 1)
    return (result * 255).round() / 255, (truth * 255).round() / 255


def reference_luma(rgb):
    """MATLAB's rgb2ycbcr, 0 to 255."""
    from skimage.color import rgb2ycbcr

    return rgb2ycbcr(rgb.permute(1, 2, 0).double().numpy())[..., 0]


def test_luma_is_matlabs(pair):
    assert np.allclose(luma(pair[0].double()).numpy(), reference_luma(pair[0]), atol=1e-6)


def test_psnr(pair):
    a, b = (reference_luma(x)[4:-4, 4:-4] for x in pair)
    expected = skimage_metrics.peak_signal_noise_ratio(b, a, data_range=255)
    assert psnr_y(*pair) == pytest.approx(expected, abs=1e-6)
    expected = skimage_metrics.peak_signal_noise_ratio(pair[1].double().numpy(), pair[0].double().numpy(), data_range=1)
    assert psnr_rgb(*pair) == pytest.approx(expected, abs=1e-6)
    assert psnr_rgb(pair[0], pair[0]) == math.inf


def test_ssim(pair):
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    a, b = (reference_luma(x)[4:-4, 4:-4] for x in pair)
    _, full = skimage_metrics.structural_similarity(a, b, data_range=255, full=True, **options)
    assert ssim_y(*pair) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-6)
    assert ssim(pair[0], pair[0]) == pytest.approx(1.0)


def test_ssim_of_colours_and_mean_squared_error(pair):
    a, b = (x.permute(1, 2, 0).double().numpy() for x in pair)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
    _, full = skimage_metrics.structural_similarity(a, b, data_range=1, full=True, **options)
    assert ssim_rgb(*pair) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-6)
    assert mse(*pair) == pytest.approx(skimage_metrics.mean_squared_error(a, b), rel=1e-6)
    assert mse(pair[0] + 0.001, pair[0]) == 0  # less than half a step of 8 bits


def test_sharpness(pair):
    from scipy import ndimage
    from skimage import data, filters

    from engine.imaging.colour import luma as plain_luma

    y = plain_luma(pair[0][None].double() * 255)[0, 0].numpy()
    assert sharpness(pair[0]) == pytest.approx(ndimage.laplace(y, mode="nearest").var(), rel=1e-6)
    photo = torch.from_numpy(data.astronaut()[::2, ::2].copy()).permute(2, 0, 1) / 255
    soft = torch.from_numpy(filters.gaussian(photo.numpy(), 1.0, channel_axis=0))
    assert sharpness(torch.full((3, 9, 9), 0.3)) == 0 and sharpness(soft) < 0.5 * sharpness(photo)


def test_checks_are_found_however_weak():
    """Dots of two to four levels of 255, all over or in a corner, every four pixels or two; not every five, none in nature."""
    from skimage import data

    photo = torch.from_numpy(data.astronaut()[:256, :256].copy()).permute(2, 0, 1) / 255
    dots = torch.zeros(1, 256, 256)
    dots[:, ::4, ::4] = 4 / 255
    corner, two, five = dots.clone(), torch.zeros_like(dots), torch.zeros_like(dots)
    corner[:, 128:], corner[:, :, 128:] = 0, 0
    two[:, ::2, ::2], five[:, ::5, ::5] = 2 / 255, 4 / 255
    plain = checks(photo)
    assert 1 < plain < 1.2
    assert checks(photo + dots) > 4 * plain and checks(photo + two) > 4 * plain and checks(photo + corner) > 1.5 * plain
    assert checks(photo + five) < 1.05 * plain
    assert checks(torch.full((3, 64, 64), 0.4)) == 1


def test_bicubic_as_papers_print_it(pair):
    """MATLAB's way: rgb2ycbcr of 8 bits gives 8 bits, imresize there and back in floating point, 8 bits again."""
    y = reference_luma(pair[1]).round()[None] / 255
    back = bicubic(bicubic(torch.from_numpy(y), 12, 15), 48, 60)[0].numpy()
    a, b = ((x.clip(0, 1) * 255).round()[4:-4, 4:-4] for x in (back, y[0]))
    found = upscale.classical((pair[1] * 255).byte().permute(1, 2, 0).numpy(), 4)
    assert found["psnr_y"] == pytest.approx(skimage_metrics.peak_signal_noise_ratio(b, a, data_range=255), abs=1e-6)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, full = skimage_metrics.structural_similarity(a, b, data_range=255, full=True, **options)
    assert found["ssim_y"] == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-6)


def test_evaluation_of_bicubic_and_of_a_perfect_enlarger(pair):
    truth = (pair[1] * 255).byte().permute(1, 2, 0).numpy()
    perfect = upscale.figures_of(truth, truth, 4)
    assert perfect["psnr_y"] == math.inf and perfect["ssim_rgb"] == pytest.approx(1.0) and perfect["mse"] == 0
    wide = np.pad(truth, ((0, 2), (0, 3), (0, 0)), mode="edge")  # sides that are no multiples of 4
    asked = []

    def answer(low, options):
        asked.append((low.shape, options))
        return [truth]

    request = Request("mine", base.card("srgan"), [wide, wide], None, {"mine": {}, "best": {"quality": "best"}})
    request.run = answer
    report = upscale.run(request)
    assert asked[1] == ((12, 15, 3), {"quality": "best", "width": 60, "height": 48})
    assert 20 < report.rows["bicubic"]["psnr_y"] < 60 and report.rows["mine"]["psnr_y"] == math.inf
    assert list(report.rows) == ["bicubic", "bicubic, luma alone", "lanczos", "mine", "best"]
    assert report.columns == ("bicubic", "lanczos", "mine", "best", "truth") and len(report.sheet) == 2


@pytest.fixture
def trained(tmp_path):
    """A run folder of a real training, a few steps long, by the command."""
    rng = np.random.default_rng(0)
    for name in ("train", "heldout"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.fromarray(rng.integers(0, 256, (40, 48, 3), dtype=np.uint8)).save(tmp_path / name / f"{number}.png")
    run = tmp_path / "run"
    sizes = ["--config", "channels=4", "--config", "blocks=1", "--set", "patch=8", "--device", "cpu"]
    folders = ["--data", str(tmp_path / "train"), "--heldout", f"{tmp_path / 'heldout'}:0*", "--out", str(run)]
    command.main(["srgan", *folders, *sizes, "--steps", "3", "--batch", "2", "--no-bf16"])
    return run


def test_training_publishing_and_finetuning_by_command(trained, tmp_path, capsys):
    facts = json.loads((trained / "run.json").read_text())
    assert facts["generator"] == "srgan" and facts["config"]["channels"] == 4 and facts["pictures"] == 2
    assert "above_bicubic" in (trained / "stats.jsonl").read_text()
    pack = tmp_path / "pack.tar"
    pack.write_bytes(b"pictures")
    (tmp_path / "figures.json").write_text('{"psnr_y": 1.5, "ssim_y": NaN, "mse": Infinity}')
    out = tmp_path / "weights"
    arguments = ["--tag", "toy", "--licence", "MIT", "--pack", str(pack), "--out", str(out)]
    publish.main([str(trained), *arguments, "--metrics", str(tmp_path / "figures.json")])
    header, net = weights.load(out / "srgan.toy.safetensors")
    assert header.steps == 3 and header.metrics == {"psnr_y": 1.5} and header.licence == "MIT"
    assert header.data == [{"pack": "pack.tar", "sha256": hashlib.sha256(b"pictures").hexdigest()}]
    sums = (out / "SHA256SUMS").read_text().split()
    assert sums == [hashlib.sha256((out / "srgan.toy.safetensors").read_bytes()).hexdigest(), "srgan.toy.safetensors"]
    assert net(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)
    again = [
        "srgan",
        "--data",
        str(tmp_path / "train"),
        "--out",
        str(tmp_path / "again"),
        "--device",
        "cpu",
        "--steps",
        "1",
    ]
    again += ["--set", "patch=8", "--finetune", str(out / "srgan.toy.safetensors"), "--no-bf16", "--batch", "2"]
    command.main(again)
    facts = json.loads((tmp_path / "again" / "run.json").read_text())
    assert facts["config"]["channels"] == 4  # the file's sizes
    assert facts["helpers"] == [
        {"pack": "srgan.toy.safetensors", "sha256": sums[0]}
    ]  # what it began with, for the header
    with pytest.raises(WeightsShape):  # more blocks and channels fit, fewer do not
        command.main([*again, "--config", "channels=2"])


def test_publishing_as_the_page_prints_it_and_its_refusals(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    trained.rename(tmp_path / "runs/first")
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^python -m engine\.train\.publish (.*)$", page, re.M)
    words = shlex.split(line)

    def published(*more):
        monkeypatch.setattr("sys.argv", ["publish", *words, *more])
        return status_of(publish.main), capsys.readouterr()

    assert published() == (0, ("published/srgan.mine.safetensors\n", ""))
    before = (tmp_path / "published/srgan.mine.safetensors").read_bytes()
    (tmp_path / "list.json").write_text("[1]")
    for more, status, said in (
        ([], 4, "exists"),
        (["--tag", "No tag"], 2, "No tag"),
        (["--licence", ""], 2, "licence"),
        (["--bits", "7"], 2, "--bits"),
        (["--tag", "b", "--config", "blocks=3"], 2, "--config"),
        (["--tag", "b", "--config", "magic=3"], 2, "magic"),
        (["--tag", "b", "--metrics", "none.json"], 3, "none.json"),
        (["--tag", "b", "--metrics", "list.json"], 2, "no figures"),
        (["--tag", "b", "--pack", "none.tar"], 3, "none.tar"),
    ):
        assert (found := published(*more))[0] == status and said in found[1].err, more
        assert found[1].err.count("\n  ") == 1  # a sentence and its remedy
    words[0] = "nowhere"
    assert published()[0] == 7
    assert [path.name for path in (tmp_path / "published").glob("*.safetensors")] == ["srgan.mine.safetensors"]
    words[0] = "runs/first"
    assert published("--overwrite", "--title", "Anew")[0] == 0
    assert (tmp_path / "published/srgan.mine.safetensors").read_bytes() != before
