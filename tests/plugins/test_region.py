"""What is sent for a selection and what of the result comes back, for layers anywhere on or off the canvas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.client.errors import EmptyPicture
from engine.client.options import TASKS
from engine.client.pixels import Pixels
from engine.client.region import Plan, Rect, cut, fitting, paste

quick = settings(deadline=None, max_examples=60)


def rects(least=1):
    return st.builds(Rect, st.integers(-90, 90), st.integers(-90, 90), st.integers(least, 200), st.integers(least, 120))


def pixels(array):
    height, width, channels = array.shape
    return Pixels(array.tobytes(), width, height, {1: "GRAY", 3: "RGB", 4: "RGBA"}[channels], "u8")


def array(made):
    return np.frombuffer(made.data, np.uint8).reshape(made.height, made.width, -1)


def scene(rect, scale=1):
    """Every pixel of a rectangle tells its place on the canvas."""
    ys, xs = np.mgrid[: rect.height * scale, : rect.width * scale]
    return np.stack([(xs + rect.x * scale) % 251, (ys + rect.y * scale) % 241, (xs + ys) % 5], -1).astype(np.uint8)


@quick
@given(rects(), st.none() | rects())
def test_what_is_kept_lies_where_it_was(layer, selection):
    try:
        plan = Plan(TASKS["colorize"], {}, layer, selection)
    except EmptyPicture:
        assert selection is not None and layer.intersect(selection).empty
        return
    assert plan.read.intersect(layer) == plan.read and plan.inside.intersect(plan.read) == plan.inside
    kept = plan.keep(pixels(scene(plan.read)))
    assert plan.place(kept) == plan.inside
    assert np.array_equal(array(kept)[..., :2], scene(plan.inside)[..., :2])


@quick
@given(rects(4), rects(4), st.sampled_from([2, 3, 4]))
def test_an_enlarged_selection_is_the_enlarged_part(layer, selection, scale):
    if layer.intersect(selection).empty:
        return
    plan = Plan(TASKS["upscale"], {"scale": float(scale)}, layer, selection)
    if plan.read == plan.inside:
        assert plan.options == {"scale": float(scale)}
    else:
        assert plan.options == {"width": plan.read.width * scale, "height": plan.read.height * scale}
    kept = plan.keep(pixels(scene(plan.read, scale)))
    assert np.array_equal(array(kept)[..., :2], scene(plan.inside, scale)[..., :2])
    assert plan.place(kept) == Rect(plan.inside.x, plan.inside.y, plan.inside.width * scale, plan.inside.height * scale)


@pytest.mark.parametrize(
    "wanted, size", [({"width": 90}, (90, 60)), ({"height": 90}, (135, 90)), ({"width": 50, "height": 100}, (50, 100))]
)
def test_an_exact_size_is_the_selections_own(wanted, size):
    plan = Plan(TASKS["upscale"], wanted, Rect(0, 0, 200, 200), Rect(20, 30, 30, 20))
    large = Pixels(
        bytes(plan.options["width"] * plan.options["height"]),
        plan.options["width"],
        plan.options["height"],
        "GRAY",
        "u8",
    )
    kept = plan.keep(large)
    assert (kept.width, kept.height) == size


def test_a_selection_beside_the_layer_is_an_error_with_a_remedy():
    with pytest.raises(EmptyPicture, match="does not touch"):
        Plan(TASKS["colorize"], {}, Rect(0, 0, 10, 10), Rect(10, 0, 5, 5))


def test_cut_and_paste():
    whole = scene(Rect(0, 0, 9, 7))
    part = cut(pixels(whole), Rect(2, 1, 4, 3))
    assert np.array_equal(array(part), whole[1:4, 2:6])
    onto = np.zeros_like(whole)
    back = paste(part, pixels(onto), -1, 5)
    expected = onto.copy()
    expected[5:7, 0:3] = whole[1:3, 3:6]
    assert np.array_equal(array(back), expected)
    assert np.array_equal(array(paste(part, pixels(onto), 50, 5)), onto)


def test_a_picture_from_nothing_goes_to_the_middle():
    assert fitting(10, 20, Rect(5, 5, 30, 30)) == Rect(15, 10, 10, 20)
