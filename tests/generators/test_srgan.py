"""SRGAN: the thesis' and the paper's sizes, receptive fields, tiles, and that it learns."""

import pytest
import torch

from engine.generators import srgan
from engine.imaging.resize import bicubic
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


@pytest.mark.parametrize("config", [TINY, {**srgan.THESIS, "channels": 4, "blocks": 1}])
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


def test_the_gan_phase_trains_both_nets():
    torch.manual_seed(0)
    recipe = srgan.Recipe(srgan.Generator(**TINY), {"patch": 8, "gan": 0.5})
    assert [p.name for p in recipe.phases()] == ["psnr", "gan"]
    phase = recipe.phases()[1]
    optimizers, seen = recipe.optimizers(phase), []
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in recipe.nets().items()}

    def update(name, loss):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        seen.append(name)

    batch = {"low": torch.rand(2, 3, 8, 8), "truth": torch.rand(2, 3, 32, 32)}
    scalars = recipe.step(batch, update, Moment(phase, 0, 0.5, 0.0))
    assert seen == ["discriminator", "generator"]
    assert set(scalars) == {"content", "adversarial", "discriminator"}
    for name, net in recipe.nets().items():
        assert any(not torch.equal(a, b) for a, b in zip(before[name], net.parameters(), strict=True)), name
