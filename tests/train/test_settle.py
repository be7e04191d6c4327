"""Weights of few bits with batch norms of their own, by `python -m engine.train.publish --pictures`."""

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm

from engine.client.errors import InputMissing
from engine.store import rounded, weights
from engine.train import __main__ as command
from engine.train import publish
from engine.train.settle import settle
from tests.train.toys import make_pictures

SIZES = ["base=8", "depth=4", "max_filters=32", "residual=[0,1,1,1]", "upsample=bilinear", "dropout=0", "still=true"]
OPTIONS = ["crop=24", "small=32", "large=32", "discriminator=8"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with pictures in train/ and a colorizer's run in run/."""
    place = tmp_path_factory.mktemp("settle")
    make_pictures(place / "train", ((40, 36), (36, 48), (33, 33)))
    sizes = [word for size in SIZES for word in ("--config", size)]
    options = [word for option in OPTIONS for word in ("--set", option)]
    where = ["--data", str(place / "train"), "--out", str(place / "run"), "--device", "cpu", "--no-bf16"]
    command.main(["yuv_cgan", *where, "--steps", "3", "--batch", "2", *sizes, *options])
    return place


def published(place, name, *more):
    out = place / name
    publish.main([str(place / "run"), "--tag", "toy", "--licence", "MIT", "--out", str(out), "--overwrite", *more])
    return weights.load(out / "yuv_cgan.toy.safetensors")[1]


def test_batch_norms_are_measured_anew_for_the_rounded_weights(trained):
    plain = published(trained, "plain", "--bits", "3")
    own = published(trained, "own", "--bits", "3", "--pictures", str(trained / "train"))
    for (name, value), other in zip(own.named_parameters(), plain.parameters(), strict=True):
        assert torch.allclose(value, other, rtol=1e-3, atol=1e-6), name  # what was rounded stays as it was rounded
    norms = [m for m in own.modules() if isinstance(m, _BatchNorm)]
    before = [m for m in plain.modules() if isinstance(m, _BatchNorm)]
    assert norms and any(not torch.allclose(a.running_mean, b.running_mean) for a, b in zip(norms, before, strict=True))


@pytest.mark.slow
def test_what_the_norms_were_before_does_not_matter(trained):
    """And the same network comes out twice, rounded to what a file of so many bits holds."""
    facts = publish.read_facts(trained / "run")
    state = publish.RunFolder(trained / "run", tensorboard=False, plots=False).load(torch.device("cpu"))
    made = []
    for start in (0.0, 7.0):
        network = published(trained, "plain", "--bits", "32")
        for norm in (m for m in network.modules() if isinstance(m, _BatchNorm)):
            norm.running_mean.fill_(start)
        settle(network, 3, facts, state, [trained / "train"])
        made.append(network.state_dict())
    for key, value in made[0].items():
        assert torch.equal(value, made[1][key]), key
    again = rounded.unpacked(rounded.packed(made[0], 3))
    assert all(torch.allclose(again[key], value) for key, value in made[0].items())


def test_norms_of_a_folder_that_is_missing(trained):
    with pytest.raises(InputMissing):
        published(trained, "none", "--bits", "3", "--pictures", str(trained / "nowhere"))
    assert not (trained / "none").exists()
