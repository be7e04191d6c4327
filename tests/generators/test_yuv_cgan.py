"""The YUV conditional GAN: the thesis' shapes, the compact net, noise and hints, learning one batch by heart."""

import copy

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from engine.generators import yuv_cgan
from engine.imaging import colour
from engine.train.data import PictureStore, pictures_in
from tests.generators.facts import receptive_field

SMALL = {**yuv_cgan.CONFIG, "base": 8, "max_filters": 32, "depth": 4, "residual": [0, 1, 1, 1]}


def inputs(n=2, size=64):
    g = torch.Generator().manual_seed(0)
    return (
        torch.rand(n, 1, size, size, generator=g),
        torch.randn(n, 1, size, size, generator=g),
        torch.zeros(n, 3, size, size),
    )


def test_the_default_is_the_thesis_network_for_256():
    with torch.device("meta"):
        net, judge = yuv_cgan.Generator(), yuv_cgan.Discriminator()
        planes = [torch.empty(1, c, 256, 256) for c in (1, 1, 3)]
        assert net(*planes).shape == (1, 2, 256, 256)
        assert judge(torch.empty(1, 2, 256, 256), torch.empty(1, 1, 256, 256)).shape == (1, 1, 30, 30)
    assert net.downs[0].conv.out_channels == 64 and len(net.downs) == 8
    assert sum(p.numel() for p in net.parameters()) == 54_414_530
    assert any(isinstance(m, torch.nn.ConvTranspose2d) for m in net.modules())
    assert sum(m.p > 0 for m in net.modules() if isinstance(m, torch.nn.Dropout)) == 3
    assert [d.conv.out_channels for d in net.downs] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert {d.conv.stride for d in net.downs} == {u.conv.stride for u in net.ups} == {(2, 2)}
    assert all(isinstance(u.norm, torch.nn.BatchNorm2d) for u in net.ups)


def test_the_discriminator_is_that_of_the_thesis():
    judge = yuv_cgan.Discriminator()
    convolutions = [m for m in judge.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [64, 128, 256, 1] and convolutions[0].in_channels == 3
    assert {m.kernel_size for m in convolutions} == {(3, 3)}
    assert [m.stride for m in convolutions] == [(2, 2)] * 3 + [(1, 1)]
    assert sum(isinstance(m, torch.nn.BatchNorm2d) for m in judge.modules()) == 2
    small = yuv_cgan.Discriminator(2).eval()
    assert receptive_field(lambda x: small(x[:, :2], x[:, 2:]), 3, 256) == (31, 31)


@pytest.mark.parametrize("upsample", ["transpose", "bilinear"])
@pytest.mark.parametrize("sides", [(64, 64), (48, 80)])
def test_the_output_is_chroma_of_the_inputs_size_in_range(upsample, sides):
    net = yuv_cgan.Generator(base=4, depth=4, max_filters=16, upsample=upsample).eval()
    uv = net(torch.rand(2, 1, *sides), torch.randn(2, 1, *sides), torch.zeros(2, 3, *sides))
    assert uv.shape == (2, 2, *sides)
    assert uv.abs().max() <= 1


def test_an_unknown_upsampling_is_refused():
    with pytest.raises(ValueError, match="upsample"):
        yuv_cgan.Generator(upsample="nearest")


def test_saturation_multiplies_the_output():
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    before = net(*inputs())
    net.saturation = 1.5
    assert torch.allclose(net(*inputs()), (before * 1.5).clamp(-1, 1))


def test_saturation_leaves_the_colours_near_hints():
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    y, noise, hints = inputs(1, 64)
    hints[:] = 0
    hints[:, :2, 30:34, 30:34], hints[:, 2:, 30:34, 30:34] = 0.5, 1.0
    before = net(y, noise, hints)
    net.saturation = 1.5
    after = net(y, noise, hints)
    assert torch.allclose(after[..., 30:34, 30:34], before[..., 30:34, 30:34])
    assert torch.allclose(after[..., :12, :12], (before[..., :12, :12] * 1.5).clamp(-1, 1))


def test_views_are_averaged_outside_training_every_second_one_mirrored():
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    turned = [x.flip(3) for x in inputs()]
    plain, other = net(*inputs()), net(*turned).flip(3)
    net.views = (1.0, 1.0)
    assert torch.allclose(net(*inputs()), (plain + other) / 2, atol=1e-6)
    assert torch.allclose(net(*turned).flip(3), net(*inputs()), atol=1e-6)
    net.train()
    assert net.forward(*inputs()).shape == plain.shape
    net.views = ()  # in training nothing looks at them
    assert net.forward(*inputs()).shape == plain.shape


def test_a_smaller_view_sees_the_same_picture_hints_and_meaning_of_noise(monkeypatch):
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    net.views = (0.5,)
    given: list[torch.Tensor] = []

    def seen(*planes):
        given.extend(planes)
        return torch.zeros(1, 2, *planes[0].shape[2:]), []

    monkeypatch.setattr(net, "forward_with_levels", seen)
    y, noise, hints = inputs(1, 128)
    y[:] = torch.linspace(0, 1, 128)
    hints[:] = 0
    hints[:, :, 40, 41] = torch.tensor([0.5, -0.5, 1.0])
    uv = net(y, noise, hints)
    small_y, small_noise, small_hints = given
    assert uv.shape == (1, 2, 128, 128)
    assert torch.allclose(small_y[0, 0, 3], torch.linspace(0, 1, 128).view(64, 2).mean(1), atol=1e-6)
    block = net.multiple
    large, small = (F.avg_pool2d(x, block) for x in (noise, small_noise))
    assert torch.allclose(small, large[..., ::2, ::2], atol=1e-6)
    assert small_hints[0, :, 20, 20].tolist() == [0.5, -0.5, 1.0]
    assert small_hints[:, 2].sum() == 1


def test_noise_and_hints_reach_the_output():
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    y, noise, hints = inputs()
    uv = net(y, noise, hints)
    assert not torch.equal(uv, net(y, noise.flip(3), hints))
    hints[:, :, 20:24, 20:24] = 1.0
    assert not torch.equal(uv, net(y, noise, hints))


@pytest.mark.slow
def test_one_batch_is_learnt_by_heart_and_the_gan_phase_runs():
    """A few colours at one place each: in seconds the net paints them; then discriminator and generator play on."""
    torch.manual_seed(0)
    options = {"small": 32, "large": 32, "rate": 5e-3, "discriminator": 8, "hinted": 0.0}
    recipe = yuv_cgan.Recipe(yuv_cgan.Generator(**SMALL), options)
    g = torch.Generator().manual_seed(1)
    rgb = torch.rand(4, 3, 4, 4, generator=g).repeat_interleave(8, 2).repeat_interleave(8, 3)
    batch = {
        "rgb": rgb,
        "noise": torch.randn(4, 1, 32, 32, generator=g),
        "gamma": torch.ones(4, 1, 1, 1),
        "hints": torch.zeros(4, 3, 32, 32),
    }
    errors = []
    for phase in (recipe.phases()[0], recipe.phases()[-1]):
        optimizers = recipe.optimizers(phase)

        def update(name, loss, optimizers=optimizers):
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()

        for step in range(60 if phase.name == "small" else 3):
            moment = yuv_cgan.Moment(phase, step, 0.5, 0.5)
            scalars = recipe.step(batch, update, moment)
            errors.append(float(scalars["ab_error"]))
    grey = float(colour.rgb_to_lab(rgb)[:, 1:].norm(dim=1).mean())
    assert errors[59] < 0.6 * grey
    assert {"d", "fooled"} <= scalars.keys() and errors[-1] < grey
    assert recipe.sheet(recipe.net.eval(), batch).shape == (4, 3, 32, 128)


def test_the_thesis_training_is_bce_and_five_times_l1_and_l2():
    """By hand: flipped labels while it is young, and noise of a known deviation on both distributions."""
    torch.manual_seed(0)
    own = {**yuv_cgan.Recipe.THESIS, "large": 32, "discriminator": 4, "instance_noise": 0.0}
    recipe = yuv_cgan.Recipe(yuv_cgan.Generator(base=4, depth=5, max_filters=16), own)
    (phase,) = recipe.phases()
    assert phase.name == "gan" and recipe.options["l1"] == recipe.options["l2"] == 5.0
    assert yuv_cgan.Recipe.OPTIONS["instance_noise"] > 0 and yuv_cgan.Recipe.OPTIONS["flip_until"] > 0
    recipe.net.eval()  # without dropout the step's own forward can be repeated
    recipe.discriminator.eval()
    g = torch.Generator().manual_seed(1)
    rgb, noise = torch.rand(2, 3, 32, 32, generator=g), torch.randn(2, 1, 32, 32, generator=g)
    none = torch.zeros(2, 3, 32, 32)
    batch = {"rgb": rgb, "noise": noise, "gamma": torch.ones(2, 1, 1, 1), "hints": none}
    y, uv = colour.luma(rgb), colour.scale_uv(colour.rgb_to_yuv(rgb)[:, 1:])
    made, bce = recipe.net(y, noise, none), torch.nn.BCEWithLogitsLoss()
    real, fake = recipe.discriminator(uv, y), recipe.discriminator(made, y)
    pixels = 5 * (made - uv).abs().mean() + 5 * (made - uv).square().mean()
    for at, one, zero in ((0.0, torch.zeros_like, torch.ones_like), (0.5, torch.ones_like, torch.zeros_like)):
        losses = {}
        recipe.step(batch, losses.__setitem__, yuv_cgan.Moment(phase, 0, at, at))
        wanted = bce(real, one(real)) + bce(fake, zero(fake))
        assert losses["discriminator"].item() == pytest.approx(wanted.item(), rel=1e-5)
        assert losses["generator"].item() == pytest.approx((bce(fake, one(fake)) + pixels).item(), rel=1e-5)


def test_noise_lies_on_both_distributions_and_decays(monkeypatch):
    torch.manual_seed(0)
    recipe = yuv_cgan.Recipe(yuv_cgan.Generator(**SMALL), {"large": 32, "discriminator": 4, "instance_noise": 0.5})
    flat = torch.full((2, 3, 32, 32), 0.5)
    _, noise, hints = inputs(2, 32)
    batch = {"rgb": flat, "noise": noise, "gamma": torch.ones(2, 1, 1, 1), "hints": hints}
    flat_chroma = torch.zeros(2, 2, 32, 32, requires_grad=True)
    monkeypatch.setattr(recipe.net, "forward_with_levels", lambda y, noise, hints: (flat_chroma, []))
    for at, deviation in ((0.0, 0.5), (0.5, 0.25), (1.0, 0.0)):
        seen = []
        hook = recipe.discriminator.layers.register_forward_pre_hook(lambda m, x, seen=seen: seen.append(x[0][:, :2]))
        recipe.step(batch, lambda name, loss: None, yuv_cgan.Moment(recipe.phases()[-1], 0, at, at))
        hook.remove()
        assert [float(x.detach().std()) for x in seen] == pytest.approx([deviation] * 3, rel=0.1, abs=1e-6)


def teacher_file(folder):
    """A SqueezeNet with random weights, as a file: what training with a teacher needs."""
    from safetensors.torch import save_file

    from engine.nn import squeezenet

    class Untrained(squeezenet.SqueezeNet):
        def load_state_dict(self, state):
            pass

    path = folder / "teacher.safetensors"
    save_file({}, path)
    save_file(Untrained(path, ()).state_dict(), path)
    return path


def assert_students_wait(recipe, step):
    """The students learn with the net, not where its update was left out; nothing of a bad loss stays with them."""
    before = copy.deepcopy(recipe.students.state_dict())
    step(lambda name, loss: (loss * float("nan")).backward() or False)
    assert all(torch.equal(tensor, before[key]) for key, tensor in recipe.students.state_dict().items())
    assert all(p.grad is None for p in recipe.students.parameters())
    step(lambda name, loss: loss.backward() or True)
    assert not all(torch.equal(tensor, before[key]) for key, tensor in recipe.students.state_dict().items())


def test_a_teacher_is_imitated(tmp_path):
    torch.manual_seed(0)
    options = {"small": 32, "large": 32, "teacher": str(teacher_file(tmp_path)), "rate": 5e-3}
    recipe = yuv_cgan.Recipe(yuv_cgan.Generator(**SMALL), options)
    assert set(recipe.nets()) == {"generator", "discriminator", "students"}
    g = torch.Generator().manual_seed(1)
    batch = {
        "rgb": torch.rand(2, 3, 32, 32, generator=g),
        "noise": torch.randn(2, 1, 32, 32, generator=g),
        "gamma": torch.ones(2, 1, 1, 1),
        "hints": torch.zeros(2, 3, 32, 32),
    }
    phase = recipe.phases()[0]
    optimizers = recipe.optimizers(phase)

    def update(name, loss):
        optimizers[name].zero_grad()
        loss.backward()
        optimizers[name].step()
        return True

    moment = yuv_cgan.Moment(phase, 0, 0.0, 0.0)
    distil = [float(recipe.step(batch, update, moment)["distil"]) for _ in range(12)]
    assert distil[-1] < 0.8 * distil[0]
    assert_students_wait(recipe, lambda update: recipe.step(batch, update, moment))
    assert not any(p.requires_grad for p in recipe.teacher.parameters())


def test_temperature_scales_what_the_noise_does():
    torch.manual_seed(0)
    net = yuv_cgan.Generator(**SMALL).eval()
    y, noise, hints = inputs()
    expected = net(y, noise * 0.3, hints)
    net.temperature = 0.3
    assert torch.allclose(net(y, noise, hints), expected)


def test_a_share_of_the_pictures_is_learned_without_noise(tmp_path):
    """What has no noise it must tell from the grey picture: nothing of the truth's warmth gets there with the noise."""
    g = torch.Generator().manual_seed(2)
    for n in range(2):
        pixels = torch.randint(0, 256, (256, 256, 3), generator=g, dtype=torch.uint8).numpy()
        Image.fromarray(pixels).save(tmp_path / f"{n}.png")
    store = PictureStore(pictures_in(tmp_path), 256)
    recipe = yuv_cgan.Recipe(yuv_cgan.Generator(**SMALL), {"large": 32, "still": 0.5, "coupling": 1.0})
    batch = recipe.batch(store, 64, g)
    still = batch["noise"].flatten(1).abs().amax(1) == 0
    assert 16 <= int(still.sum()) <= 48
    _, _, uv, noise, _ = recipe._inputs(batch, 32)
    coupled = recipe._coupled(noise, uv)
    assert not coupled[still].any()
    changed = (coupled - noise).flatten(1).abs().amax(1)
    assert (changed[~still] > 1e-3).all()
    assert yuv_cgan.Recipe.THESIS["still"] == 0
