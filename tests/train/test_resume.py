"""Interrupted and resumed equals uninterrupted, to the bit, for real recipes: dropout, balance, growth and noise included."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from engine.client import errors
from engine.generators import base
from engine.train import __main__ as command
from engine.train.arguments import given
from engine.train.data import PictureStore, pictures_in
from engine.train.loop import Loop, Plan
from engine.train.runs import RunFolder
from engine.train.training import Training
from tests.train.test_command import TINY, train
from tests.train.test_loop import tensors

SMALL = {
    "yuv_cgan": ({"base": 4, "depth": 3, "max_filters": 8, "residual": [0, 0, 1]}, {"small": 16, "large": 32}),
    "srgan": ({"channels": 4, "blocks": 1}, {"patch": 8, "gan": 0.5, "dense": 8}),
    "dense_gan": ({"filters": 8}, {"judge": 0.02, "ahead": 0.0, "instance_noise": 0.1}),
    "progan": ({"stages": 2, "most": 8, "least": 4}, {"shares": [1, 1], "augment": ["shift"], "fade_step": 0.05}),
}


@pytest.mark.parametrize(
    "name", ["yuv_cgan", *(pytest.param(n, marks=pytest.mark.slow) for n in SMALL if n != "yuv_cgan")]
)
def test_a_real_recipe_goes_on_to_the_bit(tmp_path, name):
    rng = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for number in range(2):
        pixels = rng.integers(0, 256, (256, 257, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"pictures/{number}.png")
    found, (config, options) = base.module(name), SMALL[name]
    options = {**options, **({"discriminator": 4} if "discriminator" in found.Recipe.OPTIONS else {})}

    def loop_in(folder, stop=None):
        torch.manual_seed(0)
        recipe = found.Recipe(found.Generator(**{**found.CONFIG, **config}), options)
        store = PictureStore(pictures_in(tmp_path / "pictures"), recipe.crop)
        plan = Plan(steps=8, batch=2, bf16=False, sample_every=100, warmup=2)
        run = RunFolder(tmp_path / folder, tensorboard=False, plots=False)
        loop, step = Loop(recipe, store, run, plan, report=lambda line: None), recipe.step

        def stopping(batch, update, moment):
            loop.stopped |= moment.step + 1 == stop
            return step(batch, update, moment)

        recipe.step = stopping
        return loop

    whole = loop_in("whole")
    whole.run()
    loop_in("parts", stop=5).run()  # in the last phase or stage
    torch.rand(7)  # whatever happened in between
    second = loop_in("parts")
    second.resume()
    assert second.step == 5
    second.run()
    one, other = whole.state(), second.state()
    assert one["recipe"] == other["recipe"] and second.step == 8
    for part in ("ema", "nets", "optimizers", "rng", "torch_rng"):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one[part]), tensors(other[part]), strict=True)), part


def test_files_given_to_a_training_are_named_so_that_they_are_found_from_anywhere(place):
    words = ["--data", "train:*.png", "--heldout", "heldout", "--steps", "1", "--pack", "all.tar"]
    made = Training(given([*TINY, *words, "--set", "features=nets/own.bin"]), "", print)
    assert made.recipe.options["features"] == made.values["set"]["features"] == str(place / "nets/own.bin")
    assert made.values["pack"] == [str(place / "all.tar")] and made.values["data"] == [f"{place / 'train'}:*.png"]
    assert made.values["heldout"] == [str(place / "heldout")] and made.recipe.options["patch"] == 8
    none = Training(given([*TINY, *words, "--set", "features="]), "", print)
    assert none.recipe.options["features"] == ""


def test_a_resume_says_what_has_no_say_and_what_is_missing(place):
    train("--steps", "1", "--out", "runs/one")
    for words in (["--finetune", "srgan.psnr"], ["--thesis"]):
        with pytest.raises(errors.OptionError, match=f"{words[0]} has no say"):
            command.main(["--resume", "--out", "runs/one", *words])
    gan = ["--set", "gan=0.5", "--set", "discriminator=4", "--set", "dense=4", "--set", "moved=0"]
    with pytest.raises(errors.TrainingError, match=r"not one of this training: it holds no 'discriminator'\."):
        command.main(["--resume", "--out", "runs/one", "--steps", "2", *gan])
    assert json.loads((place / "runs/one/run.json").read_text())["resumed"] == []
