"""pix2pix: the thesis' and the paper's networks, patches and receptive fields, jitter, and that it learns."""

import pytest
import torch
from torch import nn

from engine.generators import pix2pix
from engine.imaging import colour
from engine.train.recipe import Moment
from tests.generators.facts import receptive_field
from tests.generators.test_yuv_cgan import assert_students_wait, teacher_file

SMALL = {**pix2pix.CONFIG, "base": 8, "max_filters": 32, "depth": 4, "residual": [0, 1, 1, 1]}
SWIFT = {"start_size": 32, "size": 32, "discriminator": 4}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_the_default_is_the_network_of_the_thesis():
    with torch.device("meta"):
        net, paper = pix2pix.Generator(**pix2pix.THESIS), pix2pix.Generator(**pix2pix.PAPER)
        assert net(torch.empty(2, 3, 256, 256)).shape == (2, 3, 256, 256)
        assert net(torch.empty(1, 3, 512, 512)).shape == (1, 3, 512, 512)
        assert paper(torch.empty(1, 3, 256, 256)).shape == (1, 3, 256, 256)
    # TensorFlow's pix2pix tutorial counts 54,414,979 trainable ones; the thesis has biases in the first level besides.
    assert parameters(net) == 54_414_979 + 64
    assert parameters(paper) == pytest.approx(54e6, rel=0.01)
    downs = [m for m in net.downs.modules() if isinstance(m, nn.Conv2d)]
    ups = [m for m in net.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [m.out_channels for m in downs] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [m.out_channels for m in ups] == [512, 512, 512, 512, 256, 128, 64, 3]
    assert [m.in_channels for m in ups] == [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    assert {(*m.kernel_size, *m.stride) for m in (*downs, *ups)} == {(4, 4, 2, 2)}
    assert [isinstance(d.norm, nn.BatchNorm2d) for d in net.downs] == [False] + [True] * 7
    assert [isinstance(d.norm, nn.BatchNorm2d) for d in paper.downs] == [False] + [True] * 6 + [False]
    assert all(isinstance(u.norm, nn.BatchNorm2d) for u in net.ups)
    assert [u.dropout.p for u in net.ups] == [0.5] * 3 + [0.0] * 4


def test_weights_start_from_a_normal_distribution():
    torch.manual_seed(0)
    for net in (pix2pix.Generator(depth=5), pix2pix.Discriminator("thesis"), pix2pix.Discriminator("paper")):
        found = torch.cat(
            [m.weight.detach().flatten() for m in net.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
        )
        assert abs(float(found.mean())) < 1e-4 and float(found.std()) == pytest.approx(0.02, rel=0.01)


@pytest.mark.parametrize(
    ("layout", "side", "sees", "widths"),
    [("thesis", 16, 94, [64, 128, 128, 128, 1]), ("paper", 30, 70, [64, 128, 256, 512, 1])],
)
def test_the_discriminators_judge_patches(layout, side, sees, widths):
    with torch.device("meta"):
        net = pix2pix.Discriminator(layout)
        assert net(torch.empty(1, 3, 256, 256), torch.empty(1, 3, 256, 256)).shape == (1, 1, side, side)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions[0].in_channels == 6
    assert [m.out_channels for m in convolutions] == widths
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == 3
    small = pix2pix.Discriminator(layout, base=2)
    assert receptive_field(lambda x: small.eval()(x[:, :3], x[:, 3:]), 6, 256) == (sees, sees)
    with pytest.raises(ValueError, match="layout"):
        pix2pix.Discriminator("magic")


def test_values_go_from_0_to_1_and_are_scaled_inside():
    net = pix2pix.Generator(**SMALL).eval()
    seen = []
    net.downs[0].register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    grey = torch.tensor([0.0, 127.5, 255.0]).div(255).view(3, 1, 1, 1).expand(3, 3, 16, 16)
    made = net(grey)
    assert [float(x[0, 0, 0]) for x in seen[0]] == [-1.0, 0.0, 1.0]  # x / 127.5 - 1
    assert made.min() >= 0 and made.max() <= 1


def test_an_added_output_starts_as_the_picture():
    net = pix2pix.Generator(**SMALL).eval()
    nn.init.zeros_(net.head.out.weight)
    nn.init.zeros_(net.head.out.bias)
    grey = torch.rand(1, 1, 16, 16).expand(1, 3, 16, 16)
    assert (net(grey) - grey).abs().max() < 0.011


class Recorder:
    """A store of noise that notes the crops it is asked for."""

    def __init__(self):
        self.sides = []

    def crops(self, count, side, rng):
        self.sides.append(side)
        return torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)


def test_jitter_is_the_ratio_of_the_thesis():
    store, rng = Recorder(), torch.Generator().manual_seed(0)
    recipe = pix2pix.Recipe(pix2pix.Generator(**SMALL), SWIFT)
    batch = recipe.batch(store, 3, rng)
    assert batch["rgb"].shape == (3, 3, 32, 32) and batch["rgb"].min() >= 0 and batch["rgb"].max() <= 1
    assert store.sides[-1] == round(256 * 512 / 572) == 229
    colours = recipe.rarity
    recipe.batch(store, 3, rng)
    assert recipe.rarity is colours and len(store.sides) == 3  # counted once


def played(recipe, phase, batch, steps):
    """The scalars of some steps of one phase."""
    optimizers, seen = recipe.optimizers(phase), []

    def update(name, loss):
        seen.append(name)
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        return True

    rows = [recipe.step(batch, update, Moment(phase, n, 0.5, 0.5)) for n in range(steps)]
    return [{k: float(v) for k, v in row.items()} for row in rows], seen


def blocks_of_colour():
    g = torch.Generator().manual_seed(1)
    return {"rgb": torch.rand(4, 3, 4, 4, generator=g).repeat_interleave(8, 2).repeat_interleave(8, 3)}


@pytest.mark.slow
def test_one_batch_is_learnt_by_heart_and_the_gan_plays_on():
    torch.manual_seed(0)
    recipe = pix2pix.Recipe(pix2pix.Generator(**SMALL), {**SWIFT, "start_rate": 5e-3})
    assert [p.name for p in recipe.phases()] == ["start", "gan"]
    batch = blocks_of_colour()
    rows, seen = played(recipe, recipe.phases()[0], batch, 60)
    assert rows[-1]["l1"] < 0.5 * rows[0]["l1"] and set(seen) == {"generator"}
    gan, seen = played(recipe, recipe.phases()[1], batch, 3)
    assert seen == ["discriminator", "generator"] * 3
    assert {"d_real", "d_fake", "fooled"} <= gan[-1].keys() and gan[-1]["l1"] < 0.6 * rows[0]["l1"]
    net = recipe.net.eval()
    sheet = recipe.sheet(net, batch)
    assert sheet.shape == (4, 3, 32, 96) and sheet.min() >= 0 and sheet.max() <= 1
    made = sheet[..., 32:64]
    grey = colour.luma(batch["rgb"])
    assert (colour.luma(made) - grey).abs().max() < 1e-4  # the picture's own luma, whatever the net made of it
    truth, got = (colour.rgb_to_lab(x)[:, 1:] for x in (batch["rgb"], made))
    assert (got - truth).norm(dim=1).mean() < 0.7 * truth.norm(dim=1).mean()


def test_the_thesis_training_is_bce_and_a_hundred_times_l1():
    torch.manual_seed(0)
    own = {**pix2pix.Recipe.THESIS, "size": 32, "discriminator": 4}
    assert pix2pix.Recipe.THESIS["layout"] == "thesis" and pix2pix.Recipe.THESIS["size"] == 256
    recipe = pix2pix.Recipe(pix2pix.Generator(base=4, depth=5, max_filters=16), own)
    assert [p.name for p in recipe.phases()] == ["gan"]
    for name, optimizer in recipe.optimizers(recipe.phases()[0]).items():
        assert name in ("generator", "discriminator")
        assert optimizer.defaults["lr"] == 2e-4 and optimizer.defaults["betas"] == (0.5, 0.999)
    losses = {}
    recipe.net.eval()  # without dropout the step's own forward can be repeated
    recipe.discriminator.eval()
    batch = blocks_of_colour()
    row = recipe.step(batch, losses.__setitem__, Moment(recipe.phases()[0], 0, 0.0, 0.0))
    grey = colour.luma(batch["rgb"]).expand(-1, 3, -1, -1)
    made, bce = recipe.net(grey), nn.BCEWithLogitsLoss()
    real, fake = recipe.discriminator(batch["rgb"], grey), recipe.discriminator(made, grey)
    l1 = ((2 * made - 1) - (2 * batch["rgb"] - 1)).abs().mean()
    wanted = bce(fake, torch.ones_like(fake)) + 100 * l1
    assert losses["generator"].item() == pytest.approx(wanted.item(), rel=1e-5)
    wanted = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    assert losses["discriminator"].item() == pytest.approx(wanted.item() / 2, rel=1e-5)
    assert row["l1"].item() == pytest.approx(l1.item(), rel=1e-5)


def test_students_wait_where_the_nets_update_was_left_out(tmp_path):
    recipe = pix2pix.Recipe(pix2pix.Generator(**SMALL), {**SWIFT, "teacher": str(teacher_file(tmp_path))})
    phase, batch = recipe.phases()[0], blocks_of_colour()
    recipe.optimizers(phase)
    assert_students_wait(recipe, lambda update: recipe.step(batch, update, Moment(phase, 0, 0.0, 0.0)))
