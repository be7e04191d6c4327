"""Network interpolation: the ends are the files themselves, the middle is the mean, and what cannot be mixed is said."""

import shutil

import pytest
import torch

from engine.client.errors import OptionError, WeightsMissing, WeightsShape
from engine.generators import base, srgan
from engine.store import models, weights
from engine.store.cache import ModelCache
from engine.store.header import digest, read_header


@pytest.fixture
def folder(tiny_folder, tmp_path, monkeypatch):
    """A copy of the tiny weights in a models folder of its own, so that tests may change it."""
    copy = tmp_path / "models"
    shutil.copytree(tiny_folder, copy)
    monkeypatch.setenv("PINCEL_MODELS", str(copy))
    return copy


def state(model):
    return {key: value.clone() for key, value in model.network.state_dict().items()}


def test_the_ends_are_the_files_and_the_middle_is_the_weighted_mean(folder):
    cache = ModelCache("cpu")
    faithful, realistic = (state(cache.get("upscale", name)) for name in ("srgan.psnr", "srgan.gan"))
    assert any(not torch.equal(faithful[k], realistic[k]) for k in faithful)
    assert cache.get("upscale", "srgan.gan", 0.0).name == "srgan.psnr"
    assert cache.get("upscale", "auto", 1.0) is cache.get("upscale", "srgan.gan")
    quarter = cache.get("upscale", "auto", 0.25)
    for key, value in state(quarter).items():
        assert torch.allclose(value, 0.75 * faithful[key] + 0.25 * realistic[key], atol=1e-7), key
    for name, before in (("srgan.psnr", faithful), ("srgan.gan", realistic)):  # mixing leaves the two as they are
        assert all(torch.equal(before[k], v) for k, v in state(cache.get("upscale", name)).items())


def test_a_mixture_says_its_parts_and_is_kept(folder):
    cache = ModelCache("cpu")
    mixture = cache.get("upscale", "auto", 0.25)
    assert cache.get("upscale", "srgan.gan", 0.25) is mixture  # whichever of the two was named
    assert cache.get("upscale", "auto", 0.26) is not mixture
    hashes = [digest(folder / f"srgan.{tag}.safetensors") for tag in ("psnr", "gan")]
    info = mixture.info()
    assert info["generator"] == "srgan.psnr + srgan.gan" and info["weights"] == " + ".join(hashes)
    assert info["mixed"] == [
        {"generator": "srgan.psnr", "weights": hashes[0], "share": 0.75},
        {"generator": "srgan.gan", "weights": hashes[1], "share": 0.25},
    ]
    path = folder / "srgan.gan.safetensors"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    assert cache.get("upscale", "auto", 0.25) is not mixture  # one of its files was written anew


def write(folder, tag, **config):
    sizes = read_header(folder / "srgan.psnr.safetensors").config | config
    header = read_header(folder / "srgan.psnr.safetensors")
    header = type(header)(**{**vars(header), "tag": tag, "config": sizes, "shapes": {}})
    weights.write(folder / f"srgan.{tag}.safetensors", srgan.Generator(**sizes), header)


def test_what_cannot_be_mixed_is_said(folder, monkeypatch):
    cache = ModelCache("cpu")
    write(folder, "mine")
    with pytest.raises(OptionError, match=r"srgan\.mine has no counterpart .* srgan\.psnr and srgan\.gan"):
        cache.get("upscale", "srgan.mine", 0.5)
    assert cache.get("upscale", "srgan.mine").name == "srgan.mine"
    write(folder, "gan", blocks=3)
    with pytest.raises(WeightsShape, match=r"srgan\.psnr and srgan\.gan differ in blocks"):
        cache.get("upscale", "auto", 0.5)
    monkeypatch.setattr(models.paths, "model_folders", lambda: [folder])  # whatever ships
    (folder / "srgan.gan.safetensors").unlink()
    with pytest.raises(WeightsMissing, match=r"Realism 0\.5 needs the weights srgan\.gan\.safetensors"):
        cache.get("upscale", "auto", 0.5)
    assert cache.get("upscale", "auto", 0.0).name == "srgan.psnr"  # needs only what is there


def test_the_card_names_the_two(folder):
    assert base.card("srgan").mixed == ("psnr", "gan")
    with pytest.raises(OptionError, match="no counterpart"):
        ModelCache("cpu").get("colorize", "auto", 0.5)
