"""Generate: the seed decides, alone and among others; neighbours, ways between seeds, sizes; what is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from engine import Engine
from engine.client import errors
from engine.tasks.generate import between


@pytest.fixture(scope="module")
def engine():
    with Engine() as opened:
        yield opened


def pictures(engine, **options):
    result = engine.generate(generator="progan.faces", **options)
    return [made.array for made in result.variants]


def test_a_seed_is_a_picture(engine):
    result = engine.generate(seed=7, count=3, generator="progan.faces")
    assert result.array.shape == (32, 32, 3) and result.array.dtype == np.uint8
    assert result.info["seeds"] == [7, 8, 9] and result.info["size"] == [32, 32]
    assert [made.info["seed"] for made in result.variants] == [7, 8, 9]
    for made, seed in zip(result.variants, (7, 8, 9), strict=True):  # each the same alone
        assert np.array_equal(made.array, engine.generate(seed=seed, generator="progan.faces").array)
    first, second, _ = (made.array for made in result.variants)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(("name", "size"), [("dense_gan.comics", 48), ("conv_gan.comics", 28)])
def test_grey_networks_make_grey_pictures(engine, name, size):
    result = engine.generate(seed=1, generator=name)
    assert result.array.shape == (size, size) and result.info["generator"] == name
    assert engine.generate(seed=1, generator=name, size=2 * size).array.shape == (2 * size, 2 * size)


def test_seeds_come_round(engine):
    result = engine.generate(seed=2**32 - 1, count=2, generator="progan.faces")
    assert result.info["seeds"] == [2**32 - 1, 0]


def test_neighbours_are_nearer_than_strangers(engine):
    own, *strangers = pictures(engine, seed=3, count=5)
    same, *near = pictures(engine, seed=3, count=5, spread=0.1)
    assert np.array_equal(own, same)

    def away(those):
        return np.mean([np.abs(own.astype(int) - other).mean() for other in those])

    assert 0 < away(near) < 0.5 * away(strangers)
    assert all(np.array_equal(own, other) for other in pictures(engine, seed=3, count=3, spread=0.0))


def test_a_way_leads_from_seed_to_seed(engine):
    way = pictures(engine, seed=3, to_seed=11, count=5)
    assert np.array_equal(way[0], pictures(engine, seed=3)[0])
    assert np.array_equal(way[-1], pictures(engine, seed=11)[0])
    steps = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(way)]
    whole = np.abs(way[0].astype(int) - way[-1]).mean()
    assert max(steps) < whole
    half = pictures(engine, seed=3, to_seed=11, count=3, spread=0.5)
    assert np.array_equal(half[-1], way[2])
    with pytest.raises(errors.OptionError, match="at least two"):
        engine.generate(seed=3, to_seed=11)


def test_the_arc_between_vectors():
    a, b = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1), torch.tensor([0.0, 2.0]).view(1, 2, 1, 1)
    assert torch.equal(between(a, b, 0.0), a) and torch.equal(between(a, b, 1.0), b)
    middle = between(a, b, 0.5).flatten()
    assert torch.allclose(middle, torch.tensor([1.0, 2.0]) * 2**-0.5)
    assert torch.equal(between(a, a, 0.3), a)


@pytest.mark.parametrize("size", [8, 31, 33, 100, 200])
def test_any_size(engine, size):
    [made] = pictures(engine, seed=3, size=size)
    own = pictures(engine, seed=3)[0]
    assert made.shape == (size, size, 3)
    assert made.mean() == pytest.approx(own.mean(), abs=3)


def test_larger_ones_are_by_the_upscale_network(engine):
    result = engine.generate(seed=3, size=64, generator="progan.faces")
    assert result.info["enlarged_by"]["generator"] == "srgan.art"
    direct = engine.upscale(
        engine.generate(seed=3, generator="progan.faces").picture, width=64, height=64, content="drawing"
    )
    assert np.array_equal(result.array, direct.array)


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"count": 17}, {"size": 7}, {"spread": 1.5}, {"generator": "srgan.psnr"}]
)
def test_what_is_refused(engine, wrong):
    with pytest.raises((errors.OptionError, errors.GeneratorUnknown)):
        engine.generate(**wrong)


def test_it_takes_no_source_and_others_need_one(engine, photo):
    from engine import tasks
    from engine.tasks.base import Picture

    with pytest.raises(errors.OptionError, match="takes no source"):
        tasks.run("generate", Picture(photo), {}, engine._transport.cache)
    with pytest.raises(errors.OptionError, match="needs a source"):
        tasks.run("colorize", None, {}, engine._transport.cache)


def test_it_stops_when_asked(engine):
    with pytest.raises(errors.Cancelled):
        engine.generate(count=4, cancelled=lambda: True)
    seen = []
    engine.generate(count=4, size=64, generator="progan.faces", on_progress=lambda p: seen.append(p.fraction))
    assert seen == sorted(seen) and 0 < seen[-1] < 1
