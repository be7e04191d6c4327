"""Sketches made of pictures, rough references and hints, colours spread between lines and carried under them."""

import pytest
import torch

from engine.imaging import hsv, lines, references, sketch, spread


@pytest.fixture
def disc():
    """A red disc with a black outline on blue: RGB [1, 3, 96, 96]; and where its outline is."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    distance = torch.hypot(rows - 47.5, columns - 47.5)
    outline = (distance - 30).abs() < 1.5
    rgb = torch.where(
        distance < 30, torch.tensor([0.9, 0.2, 0.2])[:, None, None], torch.tensor([0.3, 0.5, 0.9])[:, None, None]
    )
    return torch.where(outline, torch.zeros_like(rgb), rgb)[None], outline[None, None]


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("extractor", [sketch.xdog, sketch.dodge, sketch.contours])
def test_ink_lies_on_the_lines_and_nowhere_else(extractor, disc):
    rgb, outline = disc
    drawn = extractor(rgb)
    assert drawn.shape == (1, 1, 96, 96) and drawn.min() >= 0 and drawn.max() <= 1
    near = torch.nn.functional.max_pool2d(outline.float(), 11, 1, 5) > 0
    assert drawn[~near].min() > 0.95
    under = drawn if extractor is sketch.xdog else -torch.nn.functional.max_pool2d(-drawn, 5, 1, 2)
    assert under[outline].mean() < 0.4


def test_contours_see_borders_between_colours_of_one_brightness():
    rgb = torch.zeros(1, 3, 32, 32)
    rgb[:, 0, :, :16], rgb[:, 1, :, 16:] = 0.587, 0.299  # the same luma
    assert sketch.contours(rgb)[..., 15:17].max() < 0.3
    assert sketch.xdog(rgb).min() > 0.9


def test_blur_keeps_the_mean_and_equals_a_gaussian():
    from scipy.ndimage import gaussian_filter

    x = torch.rand(1, 1, 40, 40, generator=rng(), dtype=torch.float64)
    wanted = gaussian_filter(x[0, 0].numpy(), 2.0, mode="nearest", truncate=2.5)
    assert abs(sketch.blur(x, 2.0)[0, 0].numpy() - wanted).max() < 1e-9


def test_average_and_strengthen():
    black, white = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    assert torch.equal(sketch.average(black, white), torch.full((1, 1, 4, 4), 0.5))
    faint = torch.zeros(1, 1, 20, 20)
    faint[..., 10] = 0.4
    assert sketch.strengthen(faint).max() == 1
    assert torch.equal(sketch.strengthen(0 * faint), 0 * faint)


def test_all_randomness_comes_from_the_generator(disc):
    rgb = disc[0].repeat(5, 1, 1, 1)
    one, same, other = (references.lesson(rgb, rng(seed)) for seed in (3, 3, 4))
    assert all(torch.equal(one[k], same[k]) for k in one)
    assert not torch.equal(one["sketch"], other["sketch"])
    assert not torch.equal(one["hints"], other["hints"])
    turned = [references.turned(rgb, rng(seed)) for seed in (1, 1, 2)]
    assert torch.equal(turned[0], turned[1]) and not torch.equal(turned[0], turned[2])


def test_a_lesson_is_complete_and_in_range(disc):
    made = references.lesson(disc[0].repeat(40, 1, 1, 1), rng())
    shapes = {k: tuple(v.shape) for k, v in made.items()}
    assert shapes == {
        "sketch": (40, 1, 48, 48), "truth": (40, 3, 48, 48), "hints": (40, 8, 48, 48),
        "reference": (40, 4, 96, 96), "coarse": (40, 4, 8, 8), "own": (40,),
    }  # fmt: skip
    for name, (low, high) in {"sketch": (0, 1), "truth": (0, 1), "hints": (-1, 1), "reference": (-1, 1)}.items():
        assert made[name].min() >= low and made[name].max() <= high, name
    without = (made["reference"][:, 3].amax((1, 2)) == 0).float().mean()
    assert 0.05 < without < 0.5  # a quarter has no reference
    assert 0.2 < made["own"].float().mean() < 0.7


def test_the_truth_has_no_lines(disc):
    made = references.lesson(disc[0], rng(), under_lines=True)["truth"]
    with_lines = references.lesson(disc[0], rng(), under_lines=False)["truth"]
    assert with_lines.amax(1).min() < 0.3 < 0.5 < made.amax(1).min()


def test_hints_carry_the_colours_below_them():
    values = torch.rand(6, 3, 40, 60, generator=rng())
    painted = references.hinted(values, rng(1), share=1.0, dots=9, largest=0.0)
    mask = painted[:, 3:4]
    assert ((mask == 0) | (mask == 1)).all() and (mask.sum((1, 2, 3)) > 0).all()
    assert (painted[:, :3] * (1 - mask)).abs().max() == 0
    dots = references.hinted(values, rng(1), share=1.0, dots=1, largest=0.0)
    for n in range(6):
        seen = dots[n, :3, dots[n, 3] > 0].unique(dim=1)
        assert seen.shape[1] == 1  # one colour a dot, which is one of the picture's
        assert (values[n].flatten(1) - seen).abs().amax(0).min() == 0
    assert references.hinted(values, rng(1), share=0.0).abs().max() == 0


def test_rough_references_show_rough_colours():
    values = torch.zeros(30, 3, 64, 64)
    values[:, :, :, 32:] = 0.5
    made = references.rough(values, rng())
    assert made.shape == (30, 4, 96, 96)
    whole = made[made[:, 3].amin((1, 2)) == 1]
    assert 5 < len(whole) < 25
    assert whole[..., :3, :, 8:30].abs().mean() < 0.05 and (whole[:, :3, :, 60:88] - 0.5).abs().mean() < 0.05


def test_a_hint_spreads_to_its_side_of_a_line():
    drawing = torch.ones(1, 1, 64, 64)
    drawing[..., 31:33] = 0
    hints = torch.zeros(1, 4, 64, 64)
    hints[0, :, 10, 10] = torch.tensor([0.5, 0.0, 0.2, 1.0])
    hints[0, :, 50, 50] = torch.tensor([-0.5, 0.3, 0.9, 1.0])
    taken = spread.spread(hints, drawing)
    assert (taken[0, 0, :, :30] == 0.5).all() and (taken[0, 0, :, 34:] == -0.5).all()
    assert torch.equal(taken[0, 3], hints[0, 3])
    nearness = taken[0, 7]
    assert nearness[10, 10] > 0.9 and nearness[10, 10] > nearness[40, 10] > 0
    assert spread.spread(torch.zeros(1, 4, 64, 64), drawing).abs().max() == 0
    one = spread.spread(hints * (hints[:, 3:] * (torch.arange(64) < 32)), drawing)
    assert (one[0, 7, :, 34:].max() < one[0, 7, :, :30].min()).item()


def test_nearest_is_the_cheapest_way():
    """Against Dijkstra's algorithm on the same grid."""
    import heapq

    cost = 1.0 + 20 * (torch.rand(1, 12, 15, generator=rng(2)) > 0.8).double()
    mask = torch.zeros(1, 12, 15, dtype=torch.bool)
    mask[0, 2, 3] = mask[0, 9, 12] = True
    best = {(2, 3): 0.0, (9, 12): 0.0}
    queue = [(0.0, 2, 3), (0.0, 9, 12)]
    while queue:
        d, r, c = heapq.heappop(queue)
        for dr in (-1, 0, 1):
            for dc in (-1, 0, 1):
                p = (r + dr, c + dc)
                if p != (r, c) and 0 <= p[0] < 12 and 0 <= p[1] < 15:
                    further = d + float(cost[0, p[0], p[1]]) * (1.41 if dr and dc else 1)
                    if further < best.get(p, 1e9):
                        best[p] = further
                        heapq.heappush(queue, (further, *p))
    index, distance = spread.nearest(mask, cost, rounds=3)
    for (r, c), d in best.items():
        assert distance[0, r, c].item() == pytest.approx(d)
    assert set(index.unique().tolist()) == {2 * 15 + 3, 9 * 15 + 12}


def test_filling_keeps_what_is_known():
    values = torch.rand(1, 3, 33, 20, generator=rng())
    weight = (torch.rand(1, 1, 33, 20, generator=rng(1)) > 0.5).float()
    filled = spread.fill(values, weight)
    assert torch.allclose(filled * weight, values * weight, atol=1e-6)
    assert filled.min() >= 0 and filled.max() <= 1
    flat = spread.fill(torch.full((1, 3, 33, 20), 0.25) * weight, weight)
    assert torch.allclose(flat, torch.full_like(flat, 0.25), atol=1e-5)


def test_colours_end_at_the_line_and_run_below_it():
    """Two halves, coloured at 32 pixels and blurred at their border, in a drawing of 256 with a line there."""
    colours = torch.zeros(1, 3, 32, 32)
    colours[:, 0, :, :16], colours[:, 2, :, 16:] = 1.0, 1.0
    colours[:, 0, :, 15:17] = colours[:, 2, :, 15:17] = 0.5
    ink = torch.zeros(1, 1, 256, 256)
    ink[..., 126:130] = 1
    made = lines.ColourUpsampler(colours, ink, 512, 512)
    whole = made.rows(0, 512)
    assert whole[0, 0, :, :250].min() > 0.97 and whole[0, 2, :, :250].max() < 0.03
    assert whole[0, 2, :, 262:].min() > 0.97 and whole[0, 0, :, 262:].max() < 0.03
    assert torch.allclose(whole[:, :, 100:130], made.rows(100, 130), atol=1e-6)


def test_a_drawing_that_is_all_ink_or_all_paper_has_colours_too():
    colours = torch.full((1, 3, 16, 16), 0.4)
    for ink in (0.0, 1.0):
        made = lines.ColourUpsampler(colours, torch.full((1, 1, 64, 64), ink), 100, 90).rows(0, 100)
        assert torch.allclose(made, torch.full((1, 3, 100, 90), 0.4), atol=1e-4)


def test_a_reference_in_xyv_averages_to_grey_where_hues_oppose():
    opposed = torch.tensor([[1.0, 0, 0], [0, 1.0, 1.0]]).T.reshape(1, 3, 1, 2)
    mean = hsv.rgb_to_xyv(opposed).mean(3, keepdim=True)
    assert hsv.xyv_to_hsv(mean)[0, 1].item() < 1e-6


@pytest.mark.parametrize("width", [200, 700])
def test_paper_is_told_from_what_is_drawn_on_it(width):
    light = torch.linspace(0.95, 0.6, width).expand(1, 1, 160, width)
    drawn = light.clone()
    drawn[..., 40:44, :] = 0.1  # a line
    drawn[..., 90:, : width // 2] = 0.05  # black that is no paper, however large
    found = sketch.paper(drawn)
    assert 0.85 < float(found.max()) < 0.95  # the brightest tenth is all paper
    assert float((found - light.clamp(max=float(found.max())))[..., :80, :].abs().max()) < 0.03
    assert float(found[..., 120:, : width // 4].min()) >= 0.25
    assert torch.equal(sketch.paper(torch.ones(1, 1, 5, 9)), torch.ones(1, 1, 5, 9))
