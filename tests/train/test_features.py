"""`pincel train features`: a classifier of our own through the one loop, and its file as perceptual features."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from engine.client.errors import InputError
from engine.generators import base
from engine.imaging.hsv import rgb_to_xyv
from engine.nn.classifier import Classifier
from engine.nn.perceptual import Features
from engine.store.header import digest, read_header
from engine.train import __main__ as command
from engine.train import features, publish, trainables
from engine.train.data import PictureStore, pictures_in
from engine.train.recipe import Moment


@pytest.fixture
def kinds(tmp_path):
    """Pictures of three kinds that a tiny net can tell apart: red, green and striped; and one lone kind."""
    rng = np.random.default_rng(0)
    for folder in ("train", "heldout"):
        (tmp_path / folder).mkdir()
        for number in range(4):
            for kind in ("red", "green", "striped"):
                array = rng.integers(0, 60, (40, 44, 3), dtype=np.uint8)
                if kind == "striped":
                    array[::4] += 180
                else:
                    array[..., 0 if kind == "red" else 1] += 150
                Image.fromarray(array).save(tmp_path / folder / f"{kind}{'-_'[number % 2]}{number}.png")
    Image.fromarray(array).save(tmp_path / "train" / "lonely-0.png")
    return tmp_path


def test_labels_come_from_names_or_folders():
    assert features.label(Path("x/flowers-0a_1.webp")) == "flowers"
    assert features.label(Path("x/n01440764_10026.JPEG")) == "n01440764"
    assert features.label(Path("photos/cats/IMG_1.jpg"), "folder") == "cats"
    with pytest.raises(ValueError, match="by colour"):
        features.label(Path("a-b.png"), "by colour")


def test_features_are_trainable_and_no_task(kinds):
    assert "features" in trainables.names() and "features" not in base.names()
    assert trainables.module("srgan") is base.module("srgan")


@pytest.mark.parametrize("space", ["rgb", pytest.param("xyv", marks=pytest.mark.slow)])
def test_training_by_command_gives_a_feature_network(kinds, space):
    run = kinds / "run"
    sizes = ["--config", "base=4", "--config", "classes=5", "--config", f"space={space}"]
    options = ["--set", "least=3", "--set", "crop=36", "--set", "size=24", "--set", "lr=0.01"]
    folders = ["--data", str(kinds / "train"), "--heldout", str(kinds / "heldout"), "--out", str(run)]
    command.main(
        ["features", *folders, *sizes, *options, "--steps", "80", "--batch", "12", "--device", "cpu", "--no-bf16"]
    )
    with safe_open(run / "features.safetensors", "pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["labels"]) == ["green", "red", "striped"] and metadata["space"] == space
    metrics = json.loads(metadata["metrics"])
    assert metrics["accuracy"] > 0.9 and metrics["commonest"] == pytest.approx(1 / 3, abs=1e-4)
    with (run / "stats.jsonl").open("a") as stats:
        stats.write('{"step": 80, "he')  # a crash may cut off a line
    assert features.export(run) == run / "features.safetensors"
    net = Features(run / "features.safetensors")
    store = PictureStore(pictures_in(kinds / "train"))
    rgb = torch.stack([store.picture(i) for i in range(len(store))]).float() / 255
    maps = net(rgb_to_xyv(rgb) if net.space == "xyv" else rgb)
    for found in maps:  # the scale was measured
        assert 0.3 < found.square().mean().sqrt() < 3
    assert (run / "samples").is_dir()


def test_a_resumed_training_keeps_its_labels(kinds):
    store = PictureStore(pictures_in(kinds / "train"), 36)
    options = {"least": 3, "crop": 36, "size": 24}
    first = features.Recipe(Classifier(base=4), options)
    first.batch(store, 2, torch.Generator())
    second = features.Recipe(Classifier(base=4), options)
    second.load_state(first.state())
    assert second.labels == ["green", "red", "striped"]
    batch = second.batch(store, 64, torch.Generator().manual_seed(0))
    assert set(batch["kind"].tolist()) == {0, 1, 2}  # the lone kind is left out


def test_a_bad_batch_leaves_the_scale_alone():
    recipe = features.Recipe(Classifier(base=4), {})
    batch = {"rgb": torch.full((2, 3, 32, 32), float("nan")), "kind": torch.zeros(2, dtype=torch.long)}
    recipe.step(batch, lambda name, loss: False, Moment(recipe.phases()[0], 5, 0.1, 0.1))
    assert torch.equal(recipe.net.scale, torch.ones_like(recipe.net.scale))


def test_pictures_of_one_kind_are_refused(kinds):
    store = PictureStore(pictures_in(kinds / "train", "red*"))
    with pytest.raises(InputError, match="fewer than two"):
        features.Recipe(Classifier(base=4), {"least": 2}).batch(store, 2, torch.Generator())


@pytest.mark.slow
def test_weights_name_the_network_that_helped(kinds):
    """Our own features serve srgan's GAN phase; the published file says whose."""
    options = ["--set", "least=3", "--set", "crop=36", "--set", "size=24", "--config", "base=4", "--device", "cpu"]
    data, short = ["--data", str(kinds / "train")], ["--steps", "2", "--batch", "2", "--no-bf16"]
    command.main(["features", *data, *options, *short, "--out", str(kinds / "run")])
    network = kinds / "run" / "features.safetensors"
    sizes = ["--config", "channels=4", "--config", "blocks=1", "--set", "patch=8", "--device", "cpu"]
    gan = ["--set", "gan=1", "--set", "discriminator=4", "--set", "dense=4", "--set", f"features={network}"]
    command.main(["srgan", *data, *sizes, *gan, *short, "--out", str(kinds / "gan")])
    assert '"features"' in (kinds / "gan" / "stats.jsonl").read_text()
    path = publish.publish(kinds / "gan", kinds / "weights", "gan", "MIT", [])
    assert {"pack": network.name, "sha256": digest(network)} in read_header(path).data
