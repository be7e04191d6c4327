"""Flats: as many colours as a picture has, named; every pixel in one of them; no freckles."""

from __future__ import annotations

import numpy as np
import pytest


def finish(generator):
    try:
        while True:
            next(generator)
    except StopIteration as end:
        return end.value


def bgra(rgb):
    """u8 [H, W, 3] as opaque Pixels' bytes."""
    return np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 255, np.uint8)]).tobytes()


def patches(colours, size=40):
    return np.concatenate([np.full((size, size, 3), colour, np.uint8) for colour in colours], 1)


@pytest.mark.parametrize("count", [1, 5, 12, 24, 34])
def test_as_many_colours_as_there_are_up_to_24(plugin, count):
    grid, lab = [], plugin("palette").lab
    for colour in ((r, g, b) for r in range(10, 256, 60) for g in range(10, 256, 60) for b in range(10, 256, 60)):
        if len(grid) < count and all(
            sum((a - b) ** 2 for a, b in zip(lab(colour), lab(c), strict=True)) > 30**2 for c in grid
        ):
            grid.append(colour)
    assert len(grid) == count
    entries = finish(plugin("palette").palette(bgra(patches(grid))))
    assert len(entries) == min(count, 24)
    if count <= 24:
        assert all(min(max(abs(a - b) for a, b in zip(c, e, strict=True)) for e in entries) <= 4 for c in grid)


def test_near_colours_are_one_and_small_areas_go_to_their_nearest(plugin):
    picture = patches([(200, 60, 50), (204, 66, 52), (40, 90, 200)], 60)
    picture[0:3, 0:3] = (190, 90, 70)
    entries = finish(plugin("palette").palette(bgra(picture)))
    assert len(entries) == 2


def test_soft_shading_does_not_become_many_flats(plugin):
    rows, columns = np.mgrid[0:96, 0:96]
    picture = np.dstack([200 + columns // 8, 80 + columns // 8, 60 + rows // 8]).astype(np.uint8)
    assert len(finish(plugin("palette").palette(bgra(picture)))) <= 2


def test_every_pixel_has_its_nearest_colour_and_specks_are_given_away(plugin):
    picture = patches([(200, 60, 50), (40, 90, 200)], 300)
    picture[100:104, 100:104] = (40, 90, 200)  # a freckle
    pixels = plugin("pincel_client.pixels").Pixels(bgra(picture), 600, 300, "BGRA", "u8")
    numbers = np.frombuffer(finish(plugin("flats").sort(pixels, [(200, 60, 50), (40, 90, 200)])), np.uint8)
    assert (numbers.reshape(300, 600) == (np.arange(600) >= 300)[None]).all()


def test_large_regions_stay(plugin):
    picture = patches([(200, 60, 50), (40, 90, 200)], 300)
    picture[100:130, 100:130] = (40, 90, 200)
    pixels = plugin("pincel_client.pixels").Pixels(bgra(picture), 600, 300, "BGRA", "u8")
    numbers = np.frombuffer(finish(plugin("flats").sort(pixels, [(200, 60, 50), (40, 90, 200)])), np.uint8)
    assert numbers.reshape(300, 600)[100:130, 100:130].all()


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((255, 255, 255), "white"), ((8, 6, 8), "black"), ((128, 128, 130), "grey"), ((200, 30, 30), "red"),
        ((115, 75, 45), "brown"), ((245, 225, 185), "beige"), ((250, 205, 60), "yellow"), ((60, 140, 60), "green"),
        ((150, 200, 240), "light blue"), ((20, 30, 90), "dark blue"), ((240, 130, 20), "orange"),
        ((240, 120, 180), "light pink"), ((130, 60, 200), "violet"),
    ],
)  # fmt: skip
def test_names(plugin, rgb, name):
    assert plugin("palette").colour_name(rgb) == "{} (#{:02x}{:02x}{:02x})".format(name, *rgb)
