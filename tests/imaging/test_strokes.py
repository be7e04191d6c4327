"""Strokes over lines: pieces that give way, and pieces that stay."""

import numpy as np
import pytest
import torch

from engine.api import Engine
from engine.imaging.shapes import components
from engine.imaging.strokes import own

RED, BLUE = (0.9, 0.1, 0.1), (0.1, 0.2, 0.9)
SIDE, LINE = 60, 30  # pixels; the column of the line between two shapes


def looked_at(*strokes, hatching=()):
    """own() for discs (x, y, radius, colour) on a drawing with a line down its middle; hatching: more, (x, first, end)."""
    ink, layer = torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, 4, SIDE, SIDE)
    ink[..., LINE] = 1
    for x, first, end in hatching:
        ink[..., first:end, x] = 1
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    for x, y, radius, colour in strokes:
        disc = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
        layer[0, :, disc] = torch.tensor((*colour, 1.0))[:, None]
    kept = own(layer, ink)
    assert kept.shape == (1, 1, SIDE, SIDE)
    return (kept * layer[:, 3:])[0, 0] > 0


def test_a_spill_gives_way_to_the_stroke_whose_shape_it_is():
    kept = looked_at((26, 30, 9, RED), (45, 30, 4, BLUE))
    assert kept[30, 20:28].all()  # where it belongs
    assert not kept[20:40, 31:38].any()  # beyond the line, and not on it either
    assert kept[30, 42:49].all()


def test_without_a_rival_a_stroke_colours_all_that_it_covers():
    assert looked_at((26, 30, 9, RED), (10, 10, 3, BLUE))[30, 18:36].all()


def test_the_larger_piece_is_at_home_whichever_stroke_is_the_larger():
    kept = looked_at((33, 30, 9, RED), (20, 30, 2, BLUE), (50, 30, 2, BLUE))
    assert kept[30, 33:42].all() and not kept[30, 24:30].any()
    assert kept[30, 19:22].all() and kept[30, 49:52].all()


def test_pieces_of_one_shape_stay_together():
    hatching = [(x, 20, 40) for x in (10, 14, 18)]
    assert looked_at((14, 30, 8, RED), (24, 10, 3, BLUE), (45, 30, 3, BLUE), hatching=hatching)[30, 7:22].all()


def test_neither_a_seam_nor_the_rest_of_a_stroke_of_the_same_colour_is_a_rival():
    # Something thin was painted over the red: beside it its colours are mixed, and beyond it more of the red is left.
    layer = torch.zeros(1, 4, SIDE, SIDE)
    layer[0, :, 25:36, 10:40] = torch.tensor((*RED, 1.0))[:, None, None]
    layer[0, :, 25:36, 36:38] = torch.tensor((0.5, 0.15, 0.5, 1.0))[:, None, None]
    ink = torch.zeros(1, 1, SIDE, SIDE)
    ink[..., LINE] = 1
    assert own(layer, ink).all()


def test_a_brush_with_grain_is_one_stroke():
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    layer, ink = torch.zeros(1, 4, SIDE, SIDE), torch.zeros(1, 1, SIDE, SIDE)
    ink[..., LINE] = 1
    for x, radius, colour in ((26, 9, RED), (45, 4, BLUE)):
        disc = (columns - x) ** 2 + (rows - 30) ** 2 <= radius**2
        grain = 0.025 * torch.randn(3, int(disc.sum()), generator=torch.Generator().manual_seed(x))
        layer[0, :3, disc] = torch.tensor(colour)[:, None] + grain
        layer[0, 3, disc] = 1
    kept = (own(layer, ink) * layer[:, 3:])[0, 0] > 0
    assert not kept[20:40, 31:38].any() and kept[25:36, 20:29].all()


def test_a_spill_goes_with_its_seam():
    # A red spill that touches the blue: between them the colours are mixed, and that is no hint either.
    ink, layer = torch.zeros(1, 1, SIDE, SIDE), torch.zeros(1, 4, SIDE, SIDE)
    ink[..., LINE] = 1
    for first, end, colour in ((12, 40, RED), (40, 41, (0.5, 0.15, 0.5)), (41, 55, BLUE)):
        layer[0, :, 25:36, first:end] = torch.tensor((*colour, 1.0))[:, None, None]
    kept = (own(layer, ink) * layer[:, 3:])[0, 0] > 0
    assert kept[25:36, 12:29].all() and not kept[25:36, 31:41].any() and kept[25:36, 41:55].all()


def test_a_dot_on_a_ground_drives_the_ground_out_of_nothing():
    assert looked_at((20, 30, 28, RED), (45, 30, 1, BLUE))[30, 2:48].all()


def test_no_hints_and_nothing_but_ink():
    assert own(torch.zeros(1, 4, 20, 30), torch.zeros(1, 1, 40, 60)).all()
    assert own(torch.ones(1, 4, 20, 30), torch.ones(1, 1, 40, 60)).all()


@pytest.mark.parametrize("share", [0.3, 0.55, 0.6, 0.9])
def test_components_are_those_of_scikit_image(share):
    measure = pytest.importorskip("skimage.measure")
    member = np.random.default_rng(3).random((40, 57)) < share
    ours, theirs = components(member), measure.label(member, connectivity=1)
    assert ((ours < 0) == (theirs == 0)).all()
    pairs = set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == len(np.unique(ours)) == len(np.unique(theirs))


def test_through_the_task_a_careless_patch_keeps_to_its_shape():
    lines = np.full((240, 240), 255, np.uint8)
    lines[:, 118:122] = 0
    hints = np.zeros((240, 240, 4), np.uint8)
    hints[90:150, 60:150] = (220, 40, 40, 255)  # two thirds of it left of the line
    hints[40:60, 180:200] = (40, 80, 220, 255)
    with Engine() as engine:
        made = np.asarray(engine.sketch(lines, hints=hints).image).astype(int)
    left, right = made[30:210, 20:100], made[30:210, 140:220]
    assert (left[..., 0] > left[..., 2] + 60).mean() > 0.95
    assert (right[..., 2] > right[..., 0] + 60).mean() > 0.95
