"""The pictures of docs/quality-upscale.md can be made anew: by the code that is shown, from pictures that come along."""

import numpy as np
import pytest
from PIL import Image

from engine import Engine, crops
from engine.train.degrade import Damage


@pytest.fixture(scope="module")
def made():
    rows = [(crops.drawing(), 70, 95), (crops.drawing(), 150, 35)]
    with Engine(device="cpu") as engine:
        return crops.sheet(engine, rows, Damage(), ("bicubic", "lanczos", "srgan.psnr"))


def tile(made, row, column):
    step = crops.SIDE * crops.ZOOM + 4
    left, top = column * step, crops.HEAD + row * step
    return made.crop((left, top, left + step - 4, top + step - 4))


def test_each_row_ends_with_the_truth_at_400_percent(made):
    for row, (left, top) in enumerate(((70, 95), (150, 35))):
        truth = crops.drawing().crop((left, top, left + crops.SIDE, top + crops.SIDE))
        assert np.array_equal(tile(made, row, 3).resize((crops.SIDE,) * 2, Image.Resampling.BOX), truth)


def test_every_way_to_enlarge_is_another(made):
    assert len({tile(made, 0, column).tobytes() for column in range(4)}) == 4


def test_the_places_lie_in_the_photographs():
    for name, left, top in crops.PLACES:
        width, height = crops.photograph(name).size
        assert left + crops.SIDE <= width // 4 * 4 and top + crops.SIDE <= height // 4 * 4
