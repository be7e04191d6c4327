"""Colorize through the Python door: luma, seeds, hints, masks, samples of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine import Engine
from engine.client import errors
from engine.store import models, weights
from engine.tasks.base import Picture


@pytest.fixture(scope="module")
def engine():
    with Engine() as made:
        yield made


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb[..., :3].astype(np.float64) @ [0.299, 0.587, 0.114]


@pytest.fixture
def grey(photo):
    return np.rint(luma(photo)).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_the_luma_is_the_source_in_its_own_precision(engine, grey, dtype):
    source = {"uint8": grey, "uint16": grey.astype(np.uint16) * 257 + 3}.get(dtype)
    if source is None:
        source = (grey / 255).astype(dtype)
    result = engine.colorize(source, seed=3, saturation=2.0).array
    assert result.dtype == source.dtype and result.shape == (*grey.shape, 3)
    if result.dtype.kind == "u":
        assert np.array_equal(np.rint(luma(result)), source)
    else:
        steps = {"float16": 2e-3, "float32": 1e-6}[dtype]
        assert np.abs(luma(result) - source).max() < steps
    assert np.ptp(result.astype(float), axis=2).max() > 0.02 * np.iinfo(dtype).max if result.dtype.kind == "u" else True


def test_luma_holds_at_every_grey_and_any_strength_of_colour(engine):
    ramp = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    for saturation in (0.3, 1.0, 3.0):
        result = engine.colorize(ramp, saturation=saturation).array
        assert np.array_equal(np.rint(luma(result)), ramp)


def test_a_colour_source_keeps_its_luma_to_half_a_step(engine, photo):
    result = engine.colorize(photo).array
    assert np.abs(luma(result) - luma(photo)).max() <= 0.5


def test_seed_0_is_without_chance_where_the_network_learned_that(grey, tmp_path, monkeypatch):
    header, network = weights.load(models.files()["yuv_cgan.photo"])
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path))
    for tag, still, temperature in (("still", True, 1.0), ("noisy", False, 1.0), ("cold", False, 0.0)):
        config = {**header.config, "still": still, "temperature": temperature}
        weights.write(tmp_path / f"yuv_cgan.{tag}.safetensors", network, replace(header, tag=tag, config=config))
    with Engine() as engine:

        def made(tag: str, seed: int) -> np.ndarray:
            return engine.colorize(grey, seed=seed, generator=f"yuv_cgan.{tag}").array

        assert np.array_equal(made("still", 0), made("cold", 0))
        assert not np.array_equal(made("still", 0), made("noisy", 0))
        assert np.array_equal(made("still", 3), made("noisy", 3))


def test_a_grey_photograph_in_three_channels_gives_the_same_bytes(engine):
    """GIMP turns a grey image to RGB when it gets its first coloured layer: the next result must not differ for it."""
    every = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    for grey in (every, (every >> 8).astype(np.uint8), (every % 251).astype(np.uint8)):
        one = engine.colorize(grey, seed=8).array
        assert np.array_equal(one, engine.colorize(np.repeat(grey[..., None], 3, 2), seed=8).array)


def test_same_seed_same_bytes_and_variants_differ(engine, grey):
    three = engine.colorize(grey, seed=5, variants=3)
    assert [v.info["seed"] for v in three.variants] == [5, 6, 7]
    alone = engine.colorize(grey, seed=6)
    assert np.array_equal(three.variants[1].array, alone.array)
    assert not np.array_equal(three.variants[0].array, three.variants[1].array)
    assert np.array_equal(engine.colorize(grey, seed=6).array, alone.array)


def test_strength_zero_is_the_source(engine, photo, grey):
    assert np.array_equal(engine.colorize(photo, strength=0.0).array, photo)
    assert np.array_equal(engine.colorize(grey, strength=0.0).array, np.repeat(grey[..., None], 3, 2))


def test_saturation_zero_is_grey(engine, photo):
    result = engine.colorize(photo, saturation=0.0).array.astype(int)
    assert np.ptp(result, axis=2).max() <= 1


def test_the_mask_bounds_the_work_to_the_byte(engine, photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[40:90, 50:120] = 255
    mask[90:100, 50:120] = np.linspace(250, 5, 10).astype(np.uint8)[:, None]
    masked = engine.colorize(photo, mask=mask, seed=1).array
    full = engine.colorize(photo, seed=1).array
    assert np.array_equal(masked[mask == 0], photo[mask == 0])
    assert np.array_equal(masked[mask == 255], full[mask == 255])
    feathered = (mask > 0) & (mask < 255)
    low, high = np.minimum(photo, full).astype(int), np.maximum(photo, full).astype(int)
    inside = (masked >= low - 2) & (masked <= high + 2)
    assert inside[feathered].all()


def test_a_mask_counts_by_its_brightness_and_its_opacity(engine, photo):
    shape = np.zeros(photo.shape[:2], np.uint8)
    shape[40:90, 50:120] = 255
    wanted = engine.colorize(photo, mask=shape, seed=1).array
    opaque, ramp = np.full_like(shape, 255), np.tile(np.arange(shape.shape[1], dtype=np.uint8), (len(shape), 1))

    def masked(*channels: np.ndarray) -> np.ndarray:
        return engine.colorize(photo, mask=np.dstack(channels), seed=1).array

    assert np.array_equal(masked(shape, opaque), wanted)
    assert np.array_equal(masked(shape, shape, shape, opaque), wanted)
    black = np.zeros_like(shape)
    for paint in (black, ramp // 255 + 90, opaque):  # whatever the paint on an empty layer, its shape is meant
        assert np.array_equal(masked(paint, black, paint, shape), wanted)
    assert np.array_equal(masked(black, black, black, opaque), photo)
    green = masked(black, shape, black)
    assert np.array_equal(green[shape == 0], photo[shape == 0])
    assert not np.array_equal(green[shape > 0], photo[shape > 0])
    half = masked(ramp, shape)  # brightness and opacity both differ: one times the other
    assert np.array_equal(half, masked(np.where(shape > 0, ramp, 0)))


def test_hints_change_the_colours(engine, grey):
    hints = np.zeros((*grey.shape, 4), np.uint8)
    hints[60:64, 60:64] = (220, 30, 30, 255)
    assert not np.array_equal(engine.colorize(grey, hints=hints).array, engine.colorize(grey).array)
    empty = np.zeros((*grey.shape, 4), np.uint8)
    unhinted = engine.colorize(grey, hints=empty)
    assert np.array_equal(unhinted.array, engine.colorize(grey).array)
    assert "Nothing is painted" in unhinted.info["notices"][0]


def test_alpha_stays_and_invisible_colours_do_not_matter(engine, grey):
    alpha = np.full(grey.shape, 255, np.uint8)
    alpha[:, :60] = 0
    alpha[:, 60:70] = 100
    one, other = grey.copy(), grey.copy()
    one[:, :40], other[:, :40] = 0, 255
    first = engine.colorize(np.dstack([one, alpha]), seed=2).array
    second = engine.colorize(np.dstack([other, alpha]), seed=2).array
    assert np.array_equal(first[..., 3], alpha)
    assert np.array_equal(first[:, 60:], second[:, 60:])


def test_colour_only_is_mid_grey_with_the_masks_alpha(engine, grey):
    mask = np.zeros(grey.shape, np.uint8)
    mask[50:, :] = 200
    layer = engine.colorize(grey, output="color-only", mask=mask).array
    assert layer.shape == (*grey.shape, 4)
    assert np.array_equal(layer[..., 3], mask)
    assert np.abs(luma(layer) - 127.5).max() <= 0.5
    assert engine.colorize(grey, output="color-only").array.shape == (*grey.shape, 3)


def test_linear_light_keeps_its_luma(engine, grey):
    linear = Picture(((grey[..., None] / 255) ** 2.2).astype(np.float32), linear=True)
    result = engine.colorize(linear)
    assert result.picture.linear and result.array.shape == (*grey.shape, 3)
    encoded = np.where(
        result.array <= 0.0031308, result.array * 12.92, 1.055 * np.maximum(result.array, 1e-9) ** (1 / 2.4) - 0.055
    )
    source = np.where(
        linear.array <= 0.0031308, linear.array * 12.92, 1.055 * np.maximum(linear.array, 1e-9) ** (1 / 2.4) - 0.055
    )
    assert np.abs(luma(encoded) - source[..., 0]).max() < 1e-3


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 3), (5, 700)])
def test_small_and_long_pictures(engine, shape):
    result = engine.colorize(np.full(shape, 90, np.uint8)).array
    assert result.shape == (*shape, 3)


@pytest.mark.parametrize(
    ("extra", "error"),
    [
        ({"hints": np.zeros((5, 5, 4), np.uint8)}, errors.HintsSize),
        ({"hints": np.zeros((151, 203, 3), np.uint8)}, errors.HintsInvalid),
        ({"mask": np.zeros((5, 5), np.uint8)}, errors.MaskSize),
    ],
)
def test_wrong_hints_and_masks_are_refused(engine, grey, extra, error):
    with pytest.raises(error) as caught:
        engine.colorize(grey, **extra)
    assert caught.value.sentence and caught.value.remedy


def test_progress_rises_and_never_claims_the_end_too_soon(engine, grey):
    seen = []
    engine.colorize(grey, variants=3, on_progress=seen.append)
    fractions = [p.fraction for p in seen]
    assert fractions == sorted(fractions) and fractions[-1] < 1
    assert {p.phase for p in seen} == {"load", "read", "net", "blend"}


def test_cancel(engine, grey):
    with pytest.raises(errors.Cancelled):
        engine.colorize(grey, cancelled=lambda: True)


def test_info_says_what_made_it(engine, grey):
    info = engine.colorize(grey, seed=9).info
    assert info["generator"] == "yuv_cgan.photo" and info["seed"] == 9
    assert len(info["weights"]) == 64 and set(info["seconds"]) >= {"load", "net", "blend"}


@pytest.mark.parametrize("task", ["colorize", "upscale"])
@pytest.mark.parametrize("channels", [2, 4])
def test_an_invisible_picture_is_refused(engine, task, channels):
    source = np.full((6, 7, channels), 80, np.uint8)
    source[..., -1] = 0
    with pytest.raises(errors.AllTransparent):
        getattr(engine, task)(source)
    source[2, 3, -1] = 1
    getattr(engine, task)(source)


def test_a_grey_profile_is_left_out_and_said_so(engine, grey):
    result = engine.colorize(Picture(grey[..., None], icc=b"a grey profile"))
    assert result.picture.icc == b"" and "profile" in result.info["notices"][0]
    kept = engine.colorize(Picture(np.repeat(grey[..., None], 3, 2), icc=b"an RGB profile"))
    assert kept.picture.icc == b"an RGB profile" and kept.info["notices"] == []


def test_a_network_without_seeds_and_hints_says_so(engine, grey):
    plain = engine.colorize(grey, generator="pix2pix.art")
    assert plain.info["generator"] == "pix2pix.art" and plain.info["notices"] == []
    assert np.array_equal(np.rint(luma(plain.array)), grey) and np.ptp(plain.array.astype(int), axis=2).max() > 5
    seeded = engine.colorize(grey, generator="pix2pix", seed=7)
    assert np.array_equal(seeded.array, plain.array)
    assert "every seed gives these colours" in seeded.info["notices"][0]
    with pytest.raises(errors.OptionError, match="variants must be 1") as caught:
        engine.colorize(grey, generator="pix2pix.art", variants=2)
    assert caught.value.detail == {"option": "variants"}
    hints = np.zeros((*grey.shape, 4), np.uint8)
    with pytest.raises(errors.HintsInvalid, match="follows no hints"):
        engine.colorize(grey, generator="pix2pix.art", hints=hints)


def test_a_network_of_another_size_names_its_own_multiple_and_working_size(grey, tmp_path, monkeypatch):
    """Trained with --config depth=6 --config working_size=128, say: the task follows the network, not the card."""
    import torch

    from engine.generators import pix2pix
    from engine.store.header import Header

    sizes = {"base": 2, "depth": 6, "max_filters": 4, "working_size": 70}
    network, card, seen = pix2pix.Generator(**sizes), pix2pix.CARD, []
    header = Header("pix2pix", "deep", card.task, "deep", card.thesis, "MIT", sizes, [{"pack": "none"}])
    weights.write(tmp_path / "pix2pix.deep.safetensors", network, header)
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path))
    forward = pix2pix.Generator.forward
    monkeypatch.setattr(pix2pix.Generator, "forward", lambda net, rgb: (seen.append(rgb.shape), forward(net, rgb))[1])
    with Engine() as engine:
        assert engine.colorize(grey, generator="pix2pix.deep").array.shape == (*grey.shape, 3)
    assert seen == [torch.Size([1, 3, 128, 128])]  # 70 x 94 in multiples of 64
