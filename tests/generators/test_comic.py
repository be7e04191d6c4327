"""The three stages of ComicGAN: the thesis' sizes, growth, and that each learns one batch by heart."""

import pytest
import torch
import torch.nn.functional as F

from engine.generators import base, conv_gan, dense_gan, progan
from engine.nn.progressive import PixelNorm
from engine.train.recipe import Moment, Phase

TINY = {
    "dense_gan": ({"filters": 16}, {"judge": 0.02, "dropout": 0.0, "rate": 4e-3, "judge_rate": 4e-3}),
    "conv_gan": (
        {"size": 28, "filters": 16},
        {"judge": 8, "dropout": 0.0, "norm": False, "rate": 2e-3, "judge_rate": 2e-3},
    ),
    "progan": (
        {"stages": 2, "most": 16, "least": 8},
        {
            **{"shares": [1, 1], "rate": 2e-3, "judge_rate": 2e-3, "loss": "bce", "beta1": 0.0},
            **{"slope": 0.0, "augment": [], "imitate": 0.0, "muon": 0.0},
        },
    ),
}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def latents(count, seed=0):
    return torch.randn(count, 100, 1, 1, generator=torch.Generator().manual_seed(seed))


def moment(progress, step=0):
    return Moment(Phase("train"), step, progress, progress)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def test_the_dense_gan_of_the_thesis():
    net, judge = dense_gan.Generator(**dense_gan.THESIS).eval(), dense_gan.Discriminator()
    with torch.no_grad():
        made = net(latents(2))
    assert made.shape == (2, 1, 48, 48) and made.min() >= 0 and made.max() <= 1
    # Counted from the listing: dense 100 -> 6*6*256, convolutions 3x3 to 128, 5x5 to 64, 5x5 to 1, batch norms between.
    dense = 101 * 9216 + 2 * 9216
    assert parameters(net) == dense + (256 * 9 + 1) * 128 + 256 + (128 * 25 + 1) * 64 + 128 + 64 * 25 + 1
    assert judge(made).shape == (2, 1)
    widths = [m.out_features for m in judge.modules() if isinstance(m, torch.nn.Linear)]
    assert widths == [2304, 4098, 2046, 1024, 512, 256, 1]
    assert sum(isinstance(m, torch.nn.Dropout) and m.p == 0.5 for m in judge.modules()) == 6
    assert all(m.negative_slope == 0.2 for m in judge.modules() if isinstance(m, torch.nn.LeakyReLU))


@pytest.mark.parametrize(("size", "start", "ups", "judge"), [(28, 7, 2, 2), (48, 12, 2, 3), (64, 8, 3, 4)])
def test_the_conv_gan_of_the_thesis(size, start, ups, judge):
    net = conv_gan.Generator(size, 128).eval()
    with torch.no_grad():
        made = net(latents(2))
    assert made.shape == (2, 1, size, size) and made.min() >= 0 and made.max() <= 1
    layers = [m for m in net.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    assert net.start == start and net.dense.out_features == start * start * 128 and net.dense.bias is None
    assert [m.stride[0] for m in layers] == [2] * ups + [1] and all(m.kernel_size == (5, 5) for m in layers)
    assert [m.out_channels for m in layers] == ([128, 128, 64, 1] if size == 64 else [128, 64, 1])
    judged = conv_gan.Discriminator(size)
    assert judged(made).shape == (2, 1)
    assert [m.out_channels for m in judged.modules() if isinstance(m, torch.nn.Conv2d)] == [32, 64, 128, 128][:judge]


@pytest.mark.parametrize(("config", "sizes"), [("THESIS", [8, 16, 32, 64, 128]), ("FACES", [10, 20, 40, 80, 160])])
def test_the_progan_of_the_thesis(config, sizes):
    net, judge = progan.Generator(**getattr(progan, config)), progan.Discriminator(**getattr(progan, config))
    assert net.width == [256, 256, 256, 128, 64, 64]
    for stage, size in enumerate(sizes, 1):
        net.grow(stage, 1.0)
        judge.grow(stage, 1.0)
        assert net.size == size
        if size <= 40:
            with torch.no_grad():
                made = net(latents(2))
                assert made.shape == (2, 3, size, size) and judge(made).shape == (2, 1)
    pairs = [[m.out_channels for m in block if isinstance(m, torch.nn.Conv2d)] for block in net.blocks]
    assert pairs == [[w, w] for w in net.width]  # two 3x3 convolutions a level
    assert all(m.epsilon == 1e-8 for m in net.modules() if isinstance(m, PixelNorm))


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("conv_gan", {"size": 50}),
        ("conv_gan", {"filters": 10**6}),
        ("dense_gan", {"filters": 10**6}),
        ("progan", {"stages": 12}),
        ("progan", {"most": 10**6}),
    ],
)
def test_monstrous_sizes_are_refused(name, config):
    with pytest.raises(ValueError):
        base.module(name).Generator(**config)


# ---- growth ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def grown():
    torch.manual_seed(0)
    return progan.Generator(4, 3, 16, 8).eval(), progan.Discriminator(4, 3, 16, 8).eval()


def test_a_new_stage_begins_as_the_old_picture_enlarged(grown):
    net, judge = grown
    with torch.no_grad():
        net.grow(2, 1.0)
        old = net(latents(3))
        net.grow(3, 0.0)
        large = net(latents(3))
        assert torch.allclose(large, F.interpolate(old, scale_factor=2, mode="nearest"), atol=1e-6)
        judge.grow(2, 1.0)
        before = judge(old)
        judge.grow(3, 0.0)
        assert torch.allclose(judge(large), before, atol=1e-5)
        net.grow(3, 0.3)
        mixed = net(latents(3))
        net.grow(3, 1.0)
        assert torch.allclose(mixed, 0.7 * large + 0.3 * net(latents(3)), atol=1e-6)


def test_stage_and_alpha_travel_with_the_weights(grown):
    net, _ = grown
    net.grow(2, 0.25)
    other = progan.Generator(4, 3, 16, 8)
    assert other.size == 32
    other.load_state_dict(net.state_dict())
    assert other.size == 16 and float(other.alpha) == 0.25
    with pytest.raises(ValueError, match="no stage 4"):
        net.grow(4, 1.0)


def test_growth_follows_the_shares():
    recipe = progan.Recipe(progan.Generator(4, 3, 8, 4), {"shares": [1, 1, 2], "fade": 0.5})
    assert recipe.growth(moment(0.0)) == (1, 1.0)
    assert recipe.growth(moment(0.25)) == (2, pytest.approx(0.2))
    assert recipe.growth(moment(0.25 + 0.0625)) == (2, pytest.approx(0.6))
    assert recipe.growth(moment(0.25 + 0.125)) == (2, 1.0)
    assert recipe.growth(moment(0.5)) == (3, pytest.approx(0.2))
    assert recipe.growth(moment(1.0)) == (3, 1.0)


def test_the_thesis_fades_by_the_batch():
    recipe = progan.Recipe(progan.Generator(4, 3, 8, 4), {"shares": [1, 1, 1], "fade_step": 0.00008})
    recipe.entered = 1000
    assert recipe.growth(moment(0.5, 1000)) == (2, pytest.approx(0.2))
    assert recipe.growth(moment(0.5, 6000)) == (2, pytest.approx(0.6))
    assert recipe.growth(moment(0.5, 11000)) == (2, 1.0)


def test_real_pictures_fade_in_alike():
    recipe = progan.Recipe(progan.Generator(4, 2, 8, 4))
    recipe._stand(2, 0.5)
    real = torch.rand(1, 3, 16, 16)
    means = F.interpolate(F.avg_pool2d(real, 2), scale_factor=2, mode="nearest")
    assert torch.allclose(recipe.seen_at(real, 0.5), (real + means) / 2)
    recipe._stand(1, 1.0)
    assert torch.allclose(recipe.seen_at(real, 1.0), F.avg_pool2d(real, 2))


# ---- training --------------------------------------------------------------------------------------------------------


def trained(name, options, steps, progress=0.4):
    """A tiny net after some steps on one picture: the scalars of each step."""
    torch.manual_seed(0)
    found = base.module(name)
    config, small = TINY[name]
    net = found.Generator(**config)
    rows = torch.linspace(0, 1, net.size)
    recipe = found.Recipe(net, {**small, **options})
    optimizers = recipe.optimizers(recipe.phases()[0])
    channels = found.CARD.output.channels
    real = (rows[:, None] * rows[None]).expand(8, channels, -1, -1).contiguous()
    updates, scalars = [], []

    def update(which, loss):
        optimizers[which].zero_grad(set_to_none=True)
        loss.backward()
        optimizers[which].step()
        updates.append(which)

    for step in range(steps):
        scalars.append(recipe.step({"real": real, "latent": latents(8, step)}, update, moment(progress, step)))
    return recipe, real, updates, scalars


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), [("dense_gan", 240), ("conv_gan", 90), ("progan", 110)])
def test_it_learns_one_picture_by_heart(name, steps):
    recipe, real, _, scalars = trained(name, {}, steps)
    blank, wanted = base.module(name).Generator(**TINY[name][0]), real[:1]
    if name == "progan":  # at its first stage: eight pixels are enough to see that it learns
        blank.grow(1, 1.0)
        wanted = F.avg_pool2d(wanted, 2)
    with torch.no_grad():
        after, before = ((net(latents(16, 999)) - wanted).abs().mean() for net in (recipe.generator, blank))
    assert after < 0.6 * before
    assert all(float(value) == float(value) for value in scalars[-1].values())


@pytest.mark.parametrize("name", TINY)
def test_the_balance_of_the_game(name):
    recipe, _, updates, scalars = trained(name, {"ahead": 0.0, "generator_steps": 2}, 3)
    assert updates == ["discriminator", "generator", "generator"] * 3
    counts = [sum(float(v) for k, v in s.items() if k.startswith("confusion/")) for s in scalars]
    assert counts == [16, 16, 16]
    _, _, updates, _ = trained(name, {"ahead": 1.1, "generator_steps": 2}, 2)
    assert updates == ["discriminator", "generator"] * 2
    other = base.module(name).Recipe(recipe.generator, TINY[name][1])
    other.load_state(recipe.state())
    assert other.accuracy == recipe.accuracy < 1


@pytest.mark.parametrize("options", [{"loss": "wasserstein", "slope": 10.0}, {"loss": "hinge"}, {"slope": 1.0}])
def test_other_losses_run(options):
    _, _, _, scalars = trained("progan", {**options, "augment": ["shift", "colour"], "instance_noise": 0.1}, 2, 0.6)
    assert all(float(value) == float(value) for value in scalars[-1].values())


@pytest.mark.parametrize("name", TINY)
def test_sheets_are_one_picture_a_vector(name):
    found = base.module(name)
    recipe = found.Recipe(found.Generator(**TINY[name][0]), TINY[name][1])
    with torch.no_grad():
        sheet = recipe.sheet(recipe.generator.eval(), {"latent": latents(4)})
    largest = {"dense_gan": 48, "conv_gan": 28, "progan": 16}[name]
    assert sheet.shape == (4, 3, largest, largest) and sheet.min() >= 0 and sheet.max() <= 1
