"""The pictures of docs/quality-lineart.md can be made anew, with code that is shown."""

import itertools

import numpy as np
import pytest
import torch

from engine import Engine, lineart
from engine.imaging import hsv
from engine.paths import shipped
from engine.store.weights import load
from engine.train.metrics.colorfulness import colorfulness


@pytest.mark.parametrize("drawn", lineart.DRAWINGS, ids=lambda drawn: drawn.__name__)
def test_a_drawing_is_the_same_each_time_and_its_hints_lie_on_paper(drawn):
    (lines, hints), (again, _) = drawn(), drawn()
    assert lines.size == (lineart.SIDE,) * 2 and np.array_equal(np.asarray(lines), np.asarray(again))
    paper, ink = np.percentile(np.asarray(lines), [90, 0.5])
    assert paper - ink > 80
    for x, y, _ in hints:
        assert np.asarray(lines)[int(y * 5.12), int(x * 5.12)] > (paper + ink) / 2


@pytest.mark.slow
def test_a_sheet_has_a_row_for_each_drawing():
    with Engine(device="cpu") as engine:
        made = lineart.sheet(engine, [lineart.fish()])
    step = lineart.SHOWN + 4
    assert made.size == (5 * step - 4, lineart.HEAD + step - 4)
    tiles = [np.asarray(made.crop((k * step, lineart.HEAD, k * step + lineart.SHOWN, made.height))) for k in range(4)]
    assert all(not np.array_equal(one, other) for one, other in itertools.pairwise(tiles))


@torch.inference_mode()
def test_a_seed_takes_a_varied_z_of_the_bank():
    net = load(shipped("weights") / "sketch_unet.illustration.safetensors")[1]

    def colours_of(z):
        return colorfulness(hsv.hxhysv_to_rgb(net(torch.ones(1, 1, 64, 64), torch.zeros(1, 8, 64, 64), z))[0])

    chosen = [net.imagine(seed) for seed in range(12)]
    assert all(torch.equal(z, net.imagine(seed)) for seed, z in enumerate(chosen))
    assert all(z.shape == (1, 64, 1, 1) for z in chosen) and len(torch.cat(chosen).flatten(1).unique(dim=0)) == 12
    plain = [colours_of(net.bank.draw(seed)) for seed in range(12)]
    assert sum(map(colours_of, chosen)) > 1.2 * sum(plain)
