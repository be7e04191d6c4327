"""The sketch U-Net: the thesis' sizes and parts, hints and Z, every phase of its training, learning one batch by heart."""

import copy

import pytest
import torch

from engine.generators import sketch_unet
from engine.imaging import hsv, references, spread
from engine.nn.optim import Ranger
from engine.nn.sketch_parts import HueDropout, ResBlock, ZBank, ZDecoder, ZEncoder, positions
from engine.train.recipe import Moment, Phase

SMALL = {
    "widths": (12, 16, 32),
    "deep": 1,
    "octaves": 1,
    "hints": True,
    "correct": True,
    "encoder": (8, 16, 16),
    "decoder": 16,
}


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def inputs(n=2, height=48, width=64):
    rng = torch.Generator().manual_seed(0)
    sketch = (torch.rand(n, 1, height, width, generator=rng) > 0.1).float()
    return sketch, torch.zeros(n, 8, height, width), torch.rand(n, 64, 1, 1, generator=rng) * 2 - 1


# ---- facts of the thesis -------------------------------------------------------------------------------------------


def test_the_printed_parameter_counts():
    """Section 6.1: 7.9 million in the generator; 6.2: 3.2 million in the discriminator. Within 5 %."""
    with torch.device("meta"):
        net, judge = sketch_unet.Generator(**sketch_unet.THESIS), sketch_unet.Discriminator()
    assert parameters(net) == pytest.approx(7.9e6, rel=0.05)
    assert parameters(judge) == pytest.approx(3.2e6, rel=0.05)
    assert parameters(sketch_unet.Generator(**sketch_unet.CONFIG)) == pytest.approx(7.9e6, rel=0.05)


def test_the_default_arguments_are_the_thesis_network():
    with torch.device("meta"):
        assert parameters(sketch_unet.Generator()) == parameters(sketch_unet.Generator(**sketch_unet.THESIS))


def test_shapes_of_the_thesis_network_at_256():
    net, judge = sketch_unet.Generator(**sketch_unet.THESIS).eval(), sketch_unet.Discriminator().eval()
    with torch.inference_mode():
        z = net.encode(torch.zeros(1, 4, 300, 200))
        assert z.shape == (1, 64, 1, 1)
        made, extra = net.forward_with_extra(torch.ones(1, 1, 256, 256), torch.zeros(1, 8, 256, 256), z)
        assert net.zdecoder(z).shape == (1, 32, 8, 8)
        assert judge(torch.zeros(1, 3, 256, 256)).shape == (1, 1)
    assert made.shape == (1, 4, 256, 256) and extra.shape == (1, 4, 8, 8)


def test_two_encoder_blocks_three_decoder_blocks_two_skips():
    """With block 1 at half size and block 2 at a quarter, each decoder block ends in a PixelShuffle of 2."""
    net = sketch_unet.Generator(**SMALL).eval()
    sizes = {}
    for name in ("down1", "down2", "up1", "up2", "up3"):
        getattr(net, name).register_forward_hook(lambda m, i, o, name=name: sizes.update({name: (i[0].shape, o.shape)}))
    net(*inputs())
    assert [sizes[n][1][-2:] for n in sizes] == [(24, 32), (12, 16), (12, 16), (24, 32), (48, 64)]
    assert sizes["down2"][0][1] == sizes["down1"][1][1] + 32  # the Z decoder's map joins the second encoder block
    assert sizes["up2"][0][1] == sizes["up1"][1][1] + sizes["down2"][1][1]  # the skips are concatenations
    assert sizes["up3"][0][1] == sizes["up2"][1][1] + sizes["down1"][1][1]


def test_the_thesis_network_sees_no_hints():
    net = sketch_unet.Generator(**{**SMALL, "hints": False}).eval()
    sketch, hints, z = inputs()
    assert torch.equal(net(sketch, hints, z), net(sketch, hints + 0.5, z))


def test_a_residual_block_is_celu_then_batch_norm():
    block = ResBlock(3, 5, 2).eval()
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    inner = block.norm1(torch.celu(block.conv1(x), 1.0))
    wanted = block.norm2(torch.celu(block.conv2(inner) + block.shortcut(torch.nn.functional.avg_pool2d(x, 2)), 1.0))
    assert torch.allclose(block(x), wanted, atol=1e-6)
    assert block(x).shape == (1, 5, 4, 4)


def test_hue_dropout_makes_a_quarter_white_in_training_only():
    reference = torch.full((1, 4, 200, 200), 0.5)
    dropout = HueDropout()
    assert torch.equal(dropout.eval()(reference), reference)
    torch.manual_seed(0)
    dropped = dropout.train()(reference)
    white = (dropped == torch.tensor([0.0, 0.0, 1.0, 0.0]).view(1, 4, 1, 1)).all(1)
    assert white.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert ((dropped == reference).all(1) | white).all()
    rgb = hsv.xyv_to_rgb(dropped[:, :3])
    assert (rgb.permute(0, 2, 3, 1)[white] == 1).all()  # white in RGB


def test_positions_tell_every_pixel_apart():
    where = positions(6, 7, torch.zeros(1))
    assert where.shape == (1, 4, 6, 7)
    assert len(where.flatten(2)[0].T.unique(dim=0)) == 42


def test_z_is_bounded_and_takes_any_reference_or_none():
    torch.manual_seed(0)
    encoder = ZEncoder((8, 8)).eval()
    reference = torch.rand(1, 4, 50, 30)
    reference[:, 3] = 1
    z = encoder(reference)
    assert z.shape == (1, 64, 1, 1) and z.abs().max() < 1
    assert not torch.equal(z, encoder(reference.flip(3)))
    nothing = encoder(torch.zeros(1, 4, 1, 1))
    assert torch.allclose(
        nothing, encoder(torch.rand(1, 4, 40, 40) * torch.tensor([1, 1, 1, 0]).view(1, 4, 1, 1)), atol=1e-6
    )


def test_the_z_decoder_ends_at_8_by_8_with_32_channels():
    assert ZDecoder(8)(torch.zeros(3, 64, 1, 1)).shape == (3, 32, 8, 8)


# ---- the contract --------------------------------------------------------------------------------------------------


def test_every_input_matters_and_the_output_stays_in_range():
    torch.manual_seed(0)
    net = sketch_unet.Generator(**SMALL).eval()
    sketch, hints, z = inputs()
    made = net(sketch, hints, z)
    assert made.shape == (2, 4, 48, 64)
    assert made[:, :2].abs().max() <= 1 and made[:, 2:].min() >= 0 and made[:, 2:].max() <= 1
    dotted = hints.clone()
    dotted[:, 3, 20, 20] = 1
    for other in (net(1 - sketch, hints, z), net(sketch, dotted, z), net(sketch, hints, -z)):
        assert not torch.equal(made, other)


def test_a_hint_is_taken_where_it_lies_before_any_training():
    torch.manual_seed(0)
    net = sketch_unet.Generator(**SMALL).eval()
    sketch, hints, z = inputs(1)
    sketch.fill_(1)
    green = hsv.rgb_to_xyv(torch.tensor([0.1, 0.8, 0.2]).view(1, 3, 1, 1))
    hints[:, :3, 20:24, 20:24], hints[:, 3, 20:24, 20:24] = green, 1
    hints = spread.spread(hints[:, :4], sketch)
    with torch.no_grad():
        rgb = hsv.hxhysv_to_rgb(net(sketch, hints, z))
    r, g, b = rgb[0, :, 22, 22].tolist()
    assert g > r + 0.1 and g > b + 0.1


def test_seeds_draw_from_the_bank_alone():
    bank = ZBank(4)
    assert bank.draw(7).abs().max() == 0  # nothing learnt yet: the middle
    zs = torch.rand(6, 64, 1, 1, generator=torch.Generator().manual_seed(0)) * 2 - 1
    bank.remember(zs[:3])
    bank.remember(zs[3:])
    assert torch.equal(bank.zs, zs.flatten(1)[[4, 5, 2, 3]])  # the oldest two are gone
    assert torch.equal(bank.draw(7), bank.draw(7))
    drawn = torch.stack([bank.draw(seed) for seed in range(20)])
    assert drawn.shape == (20, 1, 64, 1, 1) and drawn.abs().max() <= 1
    assert len(drawn.flatten(1).unique(dim=0)) > 10


@pytest.mark.parametrize("wrong", [{"widths": (0, 1, 1)}, {"widths": (8, 8, 4096)}, {"deep": 99}, {"octaves": 9}])
def test_a_monstrous_config_is_refused(wrong):
    with pytest.raises(ValueError, match="out of range"):
        sketch_unet.Generator(**wrong)


# ---- training ------------------------------------------------------------------------------------------------------


def lesson(recipe, count=3):
    rng = torch.Generator().manual_seed(1)
    rgb = torch.rand(count, 3, 4, 4, generator=rng).repeat_interleave(16, 2).repeat_interleave(16, 3)
    return recipe.examples(rgb, rng)


def make_update(recipe, phase, seen=None):
    optimizers = recipe.optimizers(phase)

    def update(name, loss):
        for optimizer in optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizers[name].step()
        if seen is not None:
            seen.append(name)

    return update


@pytest.mark.slow
def test_one_batch_is_learnt_by_heart():
    """Sixteen flat colours a picture, told by references: in seconds the net paints them."""
    torch.manual_seed(0)
    none = dict.fromkeys(("displaced", "foreign", "hinted", "z", "perceptual"), 0.0)
    options = {"size": 32, "own": 1.0, "under_lines": False, **none}
    recipe = sketch_unet.Recipe(sketch_unet.Generator(**SMALL).train(), options)
    batch = lesson(recipe)
    phase = recipe.phases()[0]
    update = make_update(recipe, phase)
    losses = [float(recipe.step(batch, update, Moment(phase, n, n / 60, n / 60))["mse"]) for n in range(60)]
    assert losses[-1] < 0.2 * losses[0], (losses[0], losses[-1])
    assert int(recipe.net.bank.filled) == 60 * 3


def test_every_phase_of_nogan_trains_what_it_should():
    torch.manual_seed(0)
    options = {"size": 32, "judge": 0.2, "gan": 0.2, "optimizer": "ranger"}
    recipe = sketch_unet.Recipe(sketch_unet.Generator(**SMALL).train(), options)
    recipe.discriminator = sketch_unet.Discriminator((8, 8))
    batch = lesson(recipe)
    wanted = {"z": ["generator"], "mse": ["generator"], "perceptual": ["generator"], "judge": ["discriminator"]}
    for phase in recipe.phases():
        seen = []
        scalars = recipe.step(batch, make_update(recipe, phase, seen), Moment(phase, 0, 0.0, 0.0))
        assert seen == wanted.get(phase.name, ["discriminator", "generator"])
        assert all(v.isfinite() for v in scalars.values())
        if phase.name in ("judge", "gan"):
            assert sum(float(v) for k, v in scalars.items() if k.startswith("confusion/")) == 6
    assert [p.name for p in recipe.phases()] == ["z", "mse", "perceptual", "judge", "gan"]
    assert recipe.options["lambda"] == 0.003


def test_the_published_model_is_trained_without_a_discriminator():
    recipe = sketch_unet.Recipe(sketch_unet.Generator(**SMALL))
    assert set(recipe.nets()) == {"generator"}
    assert [p.name for p in recipe.phases()] == ["z", "mse", "perceptual"]


@pytest.mark.slow
def test_z_learns_alone_first():
    """The phase "z" trains the Z encoder and decoder on references alone: the U-Net stays as it is."""
    torch.manual_seed(0)
    recipe = sketch_unet.Recipe(sketch_unet.Generator(**SMALL, direct=True).train(), {"size": 32})
    phase = recipe.phases()[0]
    update = make_update(recipe, phase)
    batch = lesson(recipe)
    assert set(batch) == {"reference", "coarse"}
    store = type("Store", (), {"crops": lambda self, n, side, rng: torch.zeros(n, 3, side, side, dtype=torch.uint8)})()
    shown = recipe.shown(store, 2, torch.Generator().manual_seed(0))
    assert recipe.sheet(recipe.net, shown).shape == (2, 3, 32, 128)  # sheets show whole lessons in every phase
    before = {name: p.clone() for name, p in recipe.net.named_parameters()}
    losses = [float(recipe.step(batch, update, Moment(phase, n, 0.0, 0.0))["extra"]) for n in range(40)]
    assert losses[-1] < 0.5 * losses[0]
    changed = {name.split(".")[0] for name, p in recipe.net.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"zencoder", "zdecoder"}


def test_saturation_follows_the_certainty_of_the_hue():
    """temper: a hue whose direction is half as long as it could be has, at power 1, half the saturation."""
    torch.manual_seed(0)
    plain = sketch_unet.Generator(**SMALL).eval()
    tempered = sketch_unet.Generator(**SMALL, temper=1.0).eval()
    tempered.load_state_dict(plain.state_dict())
    with torch.no_grad():
        one, other = plain(*inputs()), tempered(*inputs())
    length = one[:, :2].norm(dim=1)
    assert torch.allclose(other[:, 2], one[:, 2] * length.clamp(max=1), atol=1e-6)
    assert torch.equal(other[:, :2], one[:, :2]) and torch.equal(other[:, 3], one[:, 3])


def test_a_sheet_has_sketch_reference_result_and_truth():
    recipe = sketch_unet.Recipe(sketch_unet.Generator(**SMALL), {"size": 32})
    sheet = recipe.sheet(recipe.net.eval(), lesson(recipe, 3))
    assert sheet.shape == (3, 3, 32, 128) and sheet.min() >= 0 and sheet.max() <= 1


def test_an_all_unset_batch_is_legal():
    recipe = sketch_unet.Recipe(
        sketch_unet.Generator(**SMALL), {"size": 32, "own": 0.0, "displaced": 0.0, "foreign": 0.0, "hinted": 0.0}
    )
    batch = lesson(recipe)
    assert batch["reference"].abs().max() == 0 and batch["hints"].abs().max() == 0
    phase = Phase("mse")
    assert recipe.step(batch, make_update(recipe, phase), Moment(phase, 0, 0.0, 0.0))["loss"].isfinite()


def test_ranger_is_radam_that_looks_back():
    """Six steps of RAdam, then half of the way; the slow weights survive in the optimizer's state."""
    torch.manual_seed(0)
    start = torch.randn(5)
    ours, plain = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    ranger = Ranger([ours], 0.01)
    radam = torch.optim.RAdam([plain], 0.01, (0.95, 0.99), eps=1e-5)
    for n in range(6):
        for p, o in ((ours, ranger), (plain, radam)):
            p.grad = 2 * p.detach()
            o.step()
        if n < 5:
            assert torch.equal(ours, plain)
    assert torch.allclose(ours, (start + plain) / 2)
    again = torch.nn.Parameter(ours.detach().clone())
    other = Ranger([again], 0.01)
    other.load_state_dict(copy.deepcopy(ranger.state_dict()))
    for _ in range(6):
        for p, o in ((ours, ranger), (again, other)):
            p.grad = 2 * p.detach()
            o.step()
    assert torch.equal(ours, again)


def test_references_of_another_picture_come_with_many_hints():
    rng = torch.Generator().manual_seed(0)
    made = references.lesson(torch.rand(8, 3, 64, 64), rng, own=0.0, displaced=0.0, foreign=1.0, hinted_share=0.0)
    assert (made["hints"][:, 3].sum((1, 2)) >= 5).all()
