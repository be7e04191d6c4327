"""SRGAN: the thesis' and the paper's sizes, receptive fields, tiles, and that it learns."""

import json

import pytest
import torch
from safetensors.torch import save_file

from engine.generators import srgan
from engine.imaging.resize import bicubic
from engine.nn.classifier import Classifier
from engine.nn.perceptual import FORMAT
from engine.train.recipe import Moment
from tests.generators.test_contract import measured_radius

TINY = {**srgan.CONFIG, "channels": 8, "blocks": 1}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_parameter_counts():
    # Counted by hand from the thesis' table: 9x9 head, 16 blocks, long skip, two upsampling blocks, 9x9 tail.
    def conv(a, b, k):
        return a * b * k * k + b

    def batch_norm(c):
        return 2 * c

    block = 2 * (conv(64, 64, 3) + batch_norm(64)) + 64
    body = conv(3, 64, 9) + 64 + 16 * block + conv(64, 64, 3) + batch_norm(64)
    with torch.device("meta"):
        thesis, paper = srgan.Generator(**srgan.THESIS), srgan.Generator(**srgan.PAPER)
    assert parameters(thesis) == body + conv(64, 256, 3) + 256 + conv(256, 256, 3) + 256 + conv(256, 3, 9)
    assert parameters(paper) == body + 2 * (conv(64, 256, 3) + 64) + conv(64, 3, 9)
    assert parameters(paper) == pytest.approx(1.55e6, rel=0.01)  # SRResNet, as published implementations count it


def test_the_thesis_sizes():
    with torch.device("meta"):
        assert srgan.Generator(**srgan.THESIS)(torch.empty(1, 3, 64, 64)).shape == (1, 3, 256, 256)
        judge = srgan.Discriminator()
        assert judge(torch.empty(2, 3, 256, 256)).shape == (2, 1)
    widths = [m.out_channels for m in judge.modules() if isinstance(m, torch.nn.Conv2d)]
    strides = [m.stride[0] for m in judge.modules() if isinstance(m, torch.nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512]
    assert strides == [1, 2] * 4
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in judge.modules()) == 7
    dense = [(m.in_features, m.out_features) for m in judge.modules() if isinstance(m, torch.nn.Linear)]
    assert dense == [(16 * 16 * 512, 1024), (1024, 1)]
    assert {m.negative_slope for m in judge.modules() if isinstance(m, torch.nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("upsampling", ["nearest", "shuffle", "direct"])
@pytest.mark.parametrize("kernel", [3, 9])
def test_the_halo_is_the_receptive_field(upsampling, kernel):
    net = srgan.Generator(channels=4, blocks=2, norm="batch", kernel=kernel, upsampling=upsampling, skip=False)
    for block in net.body:  # a fresh block adds nothing
        torch.nn.init.ones_(block.norm2.weight)
    radius = measured_radius(net, srgan.CARD)
    assert radius <= net.halo() <= radius + 1


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="upsampling"):
        srgan.Generator(upsampling="magic")
    with pytest.raises(ValueError, match="normalization"):
        srgan.Generator(norm="magic")


@pytest.mark.parametrize("config", [TINY, {**TINY, "attention": False}, {**srgan.THESIS, "channels": 4, "blocks": 1}])
def test_tiles_with_the_halo_equal_the_whole(config):
    net = srgan.Generator(**config).eval()
    halo = net.halo()
    picture = torch.rand(1, 3, 2 * halo + 9, 3 * halo + 10, generator=torch.Generator().manual_seed(1))
    cut = halo + 7
    with torch.no_grad():
        whole = net(picture)
        left = net(picture[..., : cut + halo])[..., : 4 * cut]
        right = net(picture[..., cut - halo :])[..., 4 * halo :]
    assert torch.allclose(torch.cat((left, right), -1), whole, atol=2e-6)


def test_attention_changes_nothing_until_it_has_learnt():
    plain, gated = srgan.Generator(**{**TINY, "attention": False}), srgan.Generator(**TINY)
    for block in plain.body:
        torch.nn.init.normal_(block.conv2.weight, std=0.1)
    missing = gated.load_state_dict(plain.state_dict(), strict=False).missing_keys
    assert missing == [f"body.{n}.gate.{part}" for n in range(TINY["blocks"]) for part in ("weight", "bias")]
    picture = torch.rand(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.allclose(plain(picture), gated(picture), atol=1e-6)
        torch.nn.init.normal_(gated.body[0].gate.weight)
        assert not torch.allclose(plain(picture), gated(picture), atol=1e-5)


def test_it_starts_near_bicubic():
    picture = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        difference = srgan.Generator(**srgan.CONFIG)(picture) - bicubic(picture, 96, 96)
    assert difference[..., 16:-16, 16:-16].abs().mean() < 0.05


def test_it_learns_one_batch_by_heart():
    torch.manual_seed(0)
    net = srgan.Generator(**TINY)
    recipe = srgan.Recipe(net, {"patch": 12})
    smooth = torch.rand(2, 3, 12, 12)
    truth = (bicubic(smooth, 48, 48) + 0.2 * torch.sign(torch.rand(2, 1, 48, 48) - 0.5) * 0.1).clamp(0, 1)
    batch = {"low": smooth, "truth": truth}
    phase = recipe.phases()[0]
    optimizer = recipe.optimizers(phase)["generator"]
    losses = []

    def update(name, loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    for step in range(60):
        recipe.step(batch, update, Moment(phase, step, 0.0, 0.0))
    assert losses[-1] < 0.7 * losses[0]


def take_steps(recipe, phase, batch, steps):
    """Train on one batch; what was updated, and the scalars of each step."""
    optimizers, seen, scalars = recipe.optimizers(phase), [], []

    def update(name, loss):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        seen.append(name)

    for step in range(steps):
        scalars.append(recipe.step(batch, update, Moment(phase, step, 0.5, 0.0)))
    return seen, scalars


@pytest.fixture
def feature_file(tmp_path):
    """A tiny feature network of our own, by the colour space that it reads."""

    def make(space):
        torch.manual_seed(3)
        path = tmp_path / f"{space}.safetensors"
        config = {"base": 4, "classes": 3, "space": space}
        save_file(Classifier(**config).state_dict(), path, {"format": FORMAT, "config": json.dumps(config)})
        return str(path)

    return make


GAN = {"patch": 8, "gan": 0.5, "discriminator": 4, "dense": 8}


@pytest.mark.parametrize("space", ["", "rgb", "xyv"])
def test_the_gan_phase_trains_both_nets(feature_file, space):
    torch.manual_seed(0)
    recipe = srgan.Recipe(srgan.Generator(**TINY), {**GAN, "features": feature_file(space) if space else ""})
    assert [p.name for p in recipe.phases()] == ["psnr", "gan"]
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in recipe.nets().items()}
    assert "features" not in recipe.nets()  # frozen: neither trained nor kept in checkpoints
    batch = {"low": torch.rand(2, 3, 8, 8), "truth": torch.rand(2, 3, 32, 32)}
    seen, scalars = take_steps(recipe, recipe.phases()[1], batch, 1)
    assert seen == ["discriminator", "generator"]
    assert set(scalars[0]) == {"pixels", "calm", "adversarial", "discriminator"} | ({"features"} if space else set())
    for name, net in recipe.nets().items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True)), name


@pytest.mark.slow
def test_the_gan_phase_learns_one_batch_by_heart(feature_file):
    """Goes on from a net of the first phase (gan=1): pixels and features come nearer, the discriminator sees it."""
    torch.manual_seed(0)
    options = {**GAN, "gan": 1, "features": feature_file("rgb"), "gan_lr": 3e-3, "feature_weight": 0.2}
    options["moved"] = 0  # one batch is one only where the same part of it is judged
    recipe = srgan.Recipe(srgan.Generator(**TINY), options)
    (phase,) = recipe.phases()
    assert phase.name == "gan"
    smooth = torch.rand(2, 3, 8, 8)
    truth = (bicubic(smooth, 32, 32) + 0.2 * torch.sign(torch.rand(2, 1, 32, 32) - 0.5)).clamp(0, 1)
    _, scalars = take_steps(recipe, phase, {"low": smooth, "truth": truth}, 60)
    for name in ("pixels", "features", "discriminator"):
        assert scalars[-1][name] < 0.8 * scalars[0][name], name


@pytest.mark.parametrize("moved, side, places", [(8, 24, 20), (0, 32, 1)])
def test_what_is_judged_moves_about(moved, side, places):
    """And result and truth move together; with the thesis' numbers all of the patch is judged."""
    torch.manual_seed(0)
    recipe, seen = srgan.Recipe(srgan.Generator(**TINY), {**GAN, "moved": moved}), []
    place = torch.arange(32.0) / 100
    truth = torch.stack((place.expand(32, 32), place.view(32, 1).expand(32, 32), torch.zeros(32, 32)))[None]
    recipe.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0].detach()))
    recipe.generator.register_forward_hook(lambda *_: truth.clone().requires_grad_())
    with torch.no_grad():
        for _ in range(40):
            recipe.step(
                {"low": torch.rand(1, 3, 8, 8), "truth": truth},
                lambda name, loss: None,
                Moment(recipe.phases()[1], 0, 0.5, 0.5),
            )
    assert {tuple(x.shape[-2:]) for x in seen} == {(side, side)}
    assert all(torch.equal(seen[i], seen[i + 1]) for i in range(0, len(seen), 3))  # the truth, then the result
    assert len({tuple(x[0, :2, 0, 0].tolist()) for x in seen}) >= places
    assert srgan.Recipe.THESIS["moved"] == 0
    with pytest.raises(ValueError, match="moved must be 0 to 16"):
        srgan.Recipe(srgan.Generator(**TINY), {**GAN, "moved": 17})


def test_published_sizes_of_the_discriminator_are_the_defaults():
    recipe = srgan.Recipe(srgan.Generator(**TINY), {"gan": 0.1, "patch": 64})
    widths = [m.out_channels for m in recipe.discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert widths == [64, 64, 128, 128, 256, 256, 512, 512] and recipe.crop == 256
    assert recipe.options["adversarial"] == 1e-3
