"""What every generator must keep, whatever it is: run for each file of the folder."""

import pytest
import torch

from engine.client.errors import OptionError
from engine.client.options import TASKS
from engine.generators import base
from engine.train.recipe import BaseRecipe


@pytest.fixture(params=base.names())
def found(request):
    return base.module(request.param)


def inputs_of(card, side):
    rng = torch.Generator().manual_seed(0)
    sides = [(1, 1) if p.vector or not TASKS[card.task].source else (side, side) for p in card.inputs]
    drawn = [torch.rand(1, p.channels, *s, generator=rng) for p, s in zip(card.inputs, sides, strict=True)]
    return [p.low + (p.high - p.low) * values for p, values in zip(card.inputs, drawn, strict=True)]


def test_the_card_is_complete(found):
    card = found.CARD
    assert card.task in TASKS
    assert card.inputs and card.output.channels >= 1
    for port in (*card.inputs, card.output):
        assert port.low < port.high and port.meaning
    assert card.multiple >= 1 and card.scale >= 1


def test_the_docstring_begins_with_paper_and_thesis(found):
    first = found.__doc__.strip().splitlines()[0]
    assert first.split()[1].rstrip(",:").isdigit(), "the first line names the paper: Author Year"
    assert "thesis" in found.__doc__.partition("\n\n")[0] or "thesis" in first


def test_the_output_is_as_the_card_says(found):
    card = found.CARD
    net = found.Generator(**found.CONFIG).eval()
    side = 2 * card.multiple if card.multiple > 1 else 12
    with torch.no_grad():
        output = net(*inputs_of(card, side))
    side = side * card.scale if TASKS[card.task].source else net.size
    assert output.shape == (1, card.output.channels, side, side)
    assert output.isfinite().all()
    # An untrained net may overshoot its range, as the card of a residual net says, but not by much.
    assert output.min() >= card.output.low - 0.5 and output.max() <= card.output.high + 0.5


def test_the_halo_covers_the_receptive_field(found):
    card = found.CARD
    if not card.tiled:
        pytest.skip("works on whole pictures")
    assert measured_radius(found.Generator(**found.CONFIG), card) <= found.Generator(**found.CONFIG).halo()


def measured_radius(net, card):
    """How far from an input pixel the gradient of the outputs above it reaches, in input pixels."""
    net = net.eval()
    halo = net.halo()
    side = 2 * halo + 5
    rgb = torch.rand(
        1, card.inputs[0].channels, side, side, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    middle, scale = side // 2, card.scale
    net(rgb)[..., middle * scale : (middle + 1) * scale, middle * scale : (middle + 1) * scale].sum().backward()
    rows = rgb.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    return max(middle - int(rows.min()), int(rows.max()) - middle)


def test_the_recipe_is_one(found):
    net = found.Generator(**found.CONFIG)
    recipe = found.Recipe(net)
    assert isinstance(recipe, BaseRecipe)
    assert recipe.nets()["generator"] is net
    phases = recipe.phases()
    assert phases and len({p.name for p in phases}) == len(phases) and all(p.share > 0 for p in phases)
    for phase in phases:
        assert set(recipe.optimizers(phase)) <= set(recipe.nets())
    if hasattr(found, "THESIS"):  # `pincel train --thesis`
        with torch.device("meta"):
            assert found.Recipe(found.Generator(**found.THESIS), found.Recipe.THESIS).phases()
        assert found.Recipe.THESIS, "the thesis' own training"
    with pytest.raises(OptionError, match="no option nonsense"):
        found.Recipe(net, {"nonsense": 1})
