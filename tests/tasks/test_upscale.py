"""Upscale through the Python door: tiles equal the whole, exact sizes, alpha, samples of every kind, lack of memory."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from engine import Engine
from engine.client import errors
from engine.store import cache
from engine.tasks import upscale as task
from engine.tasks.base import Picture


@pytest.fixture(scope="module")
def engine():
    with Engine() as made:
        yield made


@pytest.fixture
def small(photo):
    return photo[:61, :83]


@pytest.mark.parametrize(
    "options", [{"scale": 4}, {"scale": 2.7}, {"width": 97, "height": 300}, {"scale": 1}, {"scale": 5.3}]
)
@pytest.mark.parametrize("tile", [16, 23])
def test_tiles_equal_the_whole(engine, small, options, tile, monkeypatch):
    whole = engine.upscale(small, **options).array
    monkeypatch.setattr(task, "TILE", tile)
    tiled = engine.upscale(small, **options).array
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_tiles_equal_the_whole_under_transparency(engine, small, monkeypatch):
    alpha = np.full(small.shape[:2], 255, np.uint8)
    alpha[10:40, 20:50] = 0
    source = np.dstack([small, alpha])
    whole = engine.upscale(source).array
    monkeypatch.setattr(task, "TILE", 17)
    tiled = engine.upscale(source).array
    visible = whole[..., 3] > 0
    assert np.abs(whole.astype(int) - tiled.astype(int))[visible].max() <= 1
    assert np.abs(whole[..., 3].astype(int) - tiled[..., 3]).max() == 0


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (332, 244)),
        ({"scale": 2}, (166, 122)),
        ({"scale": 3.3}, (274, 201)),
        ({"width": 100}, (100, 73)),
        ({"height": 100}, (136, 100)),
        ({"width": 200, "height": 90}, (200, 90)),
        ({"scale": 9}, (747, 549)),
    ],
)
def test_any_factor_and_exact_sizes(engine, small, options, size):
    result = engine.upscale(small, **options)
    assert (result.picture.width, result.picture.height) == size == tuple(result.info["size"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_every_kind_of_sample_stays_what_it_is(engine, small, dtype, channels):
    source = np.dstack([small, np.full(small.shape[:2], 200, np.uint8)])[
        ..., [[1], [1, 3], [0, 1, 2], [0, 1, 2, 3]][channels - 1]
    ]
    unit = source / 255
    typed = np.rint(unit * np.iinfo(dtype).max).astype(dtype) if dtype.startswith("u") else unit.astype(dtype)
    result = engine.upscale(typed, scale=2).picture.array
    assert result.dtype == typed.dtype and result.shape == (122, 166, channels)
    eight = engine.upscale(source, scale=2).picture.array / 255
    top = np.iinfo(dtype).max if dtype.startswith("u") else 1
    assert np.abs((result.astype(float) / top).clip(0, 1) - eight).max() < 0.01


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_grey_picture_stays_grey_however_it_is_stored(engine, small, dtype):
    """In three equal channels it gives the bytes that it gives in one; a single coloured pixel makes it a colour picture."""
    grey = small[..., :1] if dtype == np.uint8 else (small[..., :1] / 255).astype(dtype)
    single = engine.upscale(grey, scale=4).picture.array
    for more in ([], [np.full_like(grey, grey.max())]):
        equal = np.concatenate([grey, grey, grey, *more], 2)
        result = engine.upscale(equal, scale=4).picture.array
        assert result.shape[2] == 3 + len(more)
        for channel in range(3):
            np.testing.assert_array_equal(result[..., channel], single[..., 0])
    coloured = np.concatenate([grey, grey, grey], 2)
    coloured[-1, -1, 0] = 0 if coloured[-1, -1, 0] > 0 else grey.max()
    result = engine.upscale(coloured, scale=4).picture.array
    assert (np.ptp(result, axis=2) > 0).any()


def test_sixteen_bits_are_not_eight_bits_widened(engine):
    ramp = np.tile(np.linspace(20000, 20600, 64).astype(np.uint16), (32, 1))
    result = engine.upscale(np.dstack([ramp] * 3), scale=2).array
    assert len(np.unique(result)) > 50 and np.any(result % 257)


def test_no_fringe_comes_from_under_the_mask(engine, small):
    alpha = np.full(small.shape[:2], 255, np.uint8)
    alpha[:, 40:] = 0
    black, white = small.copy(), small.copy()
    black[:, 40:], white[:, 40:] = 0, 255
    one = engine.upscale(np.dstack([black, alpha])).array
    other = engine.upscale(np.dstack([white, alpha])).array
    assert np.array_equal(one, other)
    assert set(np.unique(one[:, :120, 3])) == {255} and one[:, 200:, 3].max() == 0


def test_floats_beyond_one_are_kept(engine):
    bright = np.full((20, 20, 3), 3.0, np.float32)
    assert np.abs(engine.upscale(Picture(bright, linear=True), scale=2).array[8:-8, 8:-8] - 3.0).max() < 1.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2)])
def test_smallest_pictures(engine, shape):
    assert engine.upscale(np.full(shape, 7, np.uint8)).array.shape == (shape[0] * 4, shape[1] * 4)


@pytest.mark.parametrize(
    "options", [{"width": 10}, {"scale": 0.5}, {"scale": 17}, {"scale": "big"}, {"colour": 1}, {"width": 2.5}]
)
def test_impossible_options_are_refused(engine, small, options):
    with pytest.raises(errors.OptionError):
        engine.upscale(small, **options)


def test_a_result_too_large_is_refused(engine):
    with pytest.raises(errors.TooLarge):
        engine.upscale(np.zeros((2, 15000), np.uint8))


def test_more_than_twice_the_network_s_factor_is_refused(engine):
    source = np.zeros((10, 12, 3), np.uint8)
    assert engine.upscale(source, width=192).info["size"] == [192, 160]
    with pytest.raises(errors.OptionError, match="more than 16 times"):
        engine.upscale(source, width=193)


@pytest.mark.parametrize("fails", [1, 2, 3])
def test_lack_of_memory_at_any_tile_halves_it(engine, small, monkeypatch, fails):
    whole = engine.upscale(small).array
    monkeypatch.setattr(task, "TILE", 40)
    monkeypatch.setattr(task, "TILE_LEAST", 3)
    real, calls = cache.Model.__call__, []

    def short(self, *inputs, **how):
        calls.append(inputs[0].shape)
        if len(calls) <= fails:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried to ..."
            )
        return real(self, *inputs, **how)

    monkeypatch.setattr(cache.Model, "__call__", short)
    result = engine.upscale(small)
    assert np.abs(result.array.astype(int) - whole.astype(int)).max() <= 1
    assert any("Memory" in notice for notice in result.info["notices"])


def test_no_memory_at_all_is_said_so(engine, small, monkeypatch):
    def never(self, *inputs, **how):
        raise MemoryError

    monkeypatch.setattr(cache.Model, "__call__", never)
    with pytest.raises(errors.OutOfMemory):
        engine.upscale(small)


def test_another_error_is_not_retried(engine, small, monkeypatch):
    calls = []

    def broken(self, *inputs, **how):
        calls.append(1)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(cache.Model, "__call__", broken)
    with pytest.raises(RuntimeError, match="mat1"):
        engine.upscale(small)
    assert len(calls) == 1


def test_nan_from_the_network_is_no_picture(engine, small, monkeypatch):
    real = cache.Model.__call__
    monkeypatch.setattr(cache.Model, "__call__", lambda self, *x, **how: real(self, *x, **how) * float("nan"))
    with pytest.raises(errors.WeightsNotFinite):
        engine.upscale(small)


def test_progress_names_tiles(engine, small, monkeypatch):
    monkeypatch.setattr(task, "TILE", 30)
    seen = []
    engine.upscale(small, on_progress=seen.append)
    net = [p for p in seen if p.phase == "net"]
    assert net[-1].step == net[-1].steps == 9
    assert all(a.fraction <= b.fraction < 1 for a, b in pairwise(seen))


def test_cancel_between_tiles(engine, small, monkeypatch):
    monkeypatch.setattr(task, "TILE", 20)
    seen = []

    def stop():
        return len(seen) > 4

    with pytest.raises(errors.Cancelled):
        engine.upscale(small, on_progress=seen.append, cancelled=stop)
    assert len(seen) <= 6


def test_best_quality_is_the_same_for_a_turned_picture(engine, small, monkeypatch):
    best = engine.upscale(small, quality="best").array.astype(int)
    assert np.abs(best - engine.upscale(small).array).max() > 0
    turned = engine.upscale(np.ascontiguousarray(np.rot90(small)), quality="best").array.astype(int)
    assert np.abs(np.rot90(best) - turned).max() <= 1
    monkeypatch.setattr(task, "TILE", 23)
    assert np.abs(best - engine.upscale(small, quality="best").array).max() <= 1


def test_realism_goes_from_one_network_to_the_other(engine, small):
    faithful, realistic = (engine.upscale(small, generator=name).array for name in ("srgan.psnr", "srgan.gan"))
    assert np.array_equal(engine.upscale(small, realism=0.0).array, faithful)
    assert np.array_equal(engine.upscale(small, realism=1.0).array, realistic)
    half = engine.upscale(small, realism=0.5)
    assert not np.array_equal(half.array, faithful) and not np.array_equal(half.array, realistic)
    assert [part["share"] for part in half.info["mixed"]] == [0.5, 0.5]
    with pytest.raises(errors.OptionError, match="from 0 to 1"):
        engine.upscale(small, realism=1.5)


@pytest.mark.parametrize("grain", [0.0, 0.05])
def test_half_precision_rounds_a_little_where_the_cpu_has_it(engine, photo, grain):
    part = photo[:150, :160] / 255
    crop = (part + np.random.default_rng(1).normal(0, grain, part.shape)).clip(0, 1).astype(np.float32)
    exact = engine.upscale(crop, quality="exact").array
    difference = np.abs(engine.upscale(crop).array - exact).max()
    assert 0 < difference < 0.006 if cache.quick_type(torch.device("cpu")) else difference == 0
