"""Colour metrics against scikit-image and by construction; the evaluation's own arithmetic."""

import numpy as np
import pytest
import torch
from PIL import Image

from engine.generators import base
from engine.train.evaluation import colorize as evaluate
from engine.train.evaluation.base import Request, load
from engine.train.metrics.ab_error import ab_error
from engine.train.metrics.chroma import chroma
from engine.train.metrics.colorfulness import colorfulness
from engine.train.metrics.hint_obedience import hint_error
from engine.train.metrics.skin import skin_figures, tones
from tests.files.pictures import exif_block


def pictures(count=3, height=40, width=56):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)[None].double() / 255


def test_ab_error_and_chroma_equal_scikit_image():
    color = pytest.importorskip("skimage.color")
    one, other = pictures(2)
    a, b = color.rgb2lab(one)[..., 1:], color.rgb2lab(other)[..., 1:]
    assert ab_error(tensor(one), tensor(other)) == pytest.approx(np.linalg.norm(a - b, axis=2).mean(), abs=0.02)
    assert chroma(tensor(one)) == pytest.approx(np.linalg.norm(a, axis=2).mean(), abs=0.02)


def test_grey_has_no_colour_and_pure_colours_have_much():
    assert colorfulness(torch.full((3, 8, 8), 0.4)) == 0
    stripes = torch.zeros(3, 8, 8)
    stripes[0, :, ::2] = stripes[2, :, 1::2] = 1.0
    # rg is 255 and 0, yb is 127.5 and -255: deviations 127.5 and 191.25, means 127.5 and -63.75.
    assert colorfulness(stripes) == pytest.approx(np.hypot(127.5, 191.25) + 0.3 * np.hypot(127.5, 63.75), rel=1e-5)


def test_hint_error_looks_only_inside_the_mask():
    one, other = (tensor(p) for p in pictures(2))
    mask = torch.zeros(1, 1, *one.shape[2:])
    with pytest.raises(ValueError, match="no hint"):
        hint_error(one, other, mask)
    mask[..., 5:9, 5:9] = 1
    mixed = torch.where(mask > 0, other, one)
    assert hint_error(mixed, other, mask) == 0
    assert hint_error(one, other, mask) > 1


def test_hint_error_is_ciede2000_at_the_results_lightness():
    color = pytest.importorskip("skimage.color")
    one, other = pictures(2)
    mask = torch.zeros(1, 1, *one.shape[:2])
    mask[..., 10:20, 8:40] = 1
    given, wanted = color.rgb2lab(one), color.rgb2lab(other)
    wanted[..., 0] = given[..., 0]
    expected = color.deltaE_ciede2000(given, wanted)[10:20, 8:40].mean()
    assert hint_error(tensor(one), tensor(other), mask) == pytest.approx(expected, abs=0.01)


def test_colorfulness_of_a_real_photograph_against_the_formula(photo):
    rgb = photo.astype(float)
    rg, yb = rgb[..., 0] - rgb[..., 1], (rgb[..., 0] + rgb[..., 1]) / 2 - rgb[..., 2]
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colorfulness(tensor(photo)[0]) == pytest.approx(expected, rel=1e-5)


def faces(*tones_shown):
    """Lab [1, 3, 20, 20 * n]: patches in the mean colours of light, medium and dark skin, or of a lawn."""
    means = {"light": (72, 10, 16), "medium": (58, 13, 19), "dark": (37, 12, 14), "lawn": (50, -20, 30)}
    return torch.cat([torch.tensor(means[t]).float().view(1, 3, 1, 1).expand(1, 3, 20, 20) for t in tones_shown], 3)


def test_skin_is_told_by_its_tone_and_lawns_are_none():
    found = tones(faces("light", "lawn", "dark", "medium"))
    assert list(found) == ["light", "medium", "dark"]
    assert [int(found[t].nonzero()[:, 1].min()) for t in found] == [0, 60, 40] and found["light"].sum() == 400
    assert tones(faces("lawn")) == {}
    assert "light" not in tones(faces("light", *["lawn"] * 60))  # fewer than a fiftieth of the pixels


def test_skin_figures_say_how_far_off_and_in_which_direction():
    truth = faces("dark", "lawn")
    greenish = truth + torch.tensor((0.0, -3.0, 4.0)).view(1, 3, 1, 1)
    found = skin_figures(greenish, truth)
    assert list(found) == ["dark"]
    assert found["dark"]["ab_error"] == pytest.approx(5) and found["dark"]["ab_error_grey"] == pytest.approx(340**0.5)
    assert (found["dark"]["redder"], found["dark"]["yellower"]) == pytest.approx((-3, 4))


def test_dots_carry_the_true_colour():
    flat = np.empty((50, 60, 3), np.uint8)
    flat[:] = (200, 40, 90)
    layer = evaluate.dotted(flat, 0)
    assert 100 < (layer[..., 3] > 0).sum() < 20 * 49
    assert (layer[layer[..., 3] > 0] == (200, 40, 90, 255)).all()


@pytest.mark.parametrize(("generator", "hinted"), [("yuv_cgan", True), ("pix2pix", False)])
def test_measuring_a_perfect_painter_and_sepia(generator, hinted):
    truth = [
        np.asarray(Image.fromarray(p).resize((56, 40), Image.Resampling.BILINEAR)) for p in pictures(height=5, width=7)
    ]
    known = {evaluate.grey_of(p).tobytes(): p for p in truth}
    request = Request("mine", base.card(generator), truth, None, {"mine": {}, "other": {"saturation": 0.5}})
    request.run = lambda grey, options, hints=None: [known[grey.tobytes()] if not options else grey.repeat(3, 2)]
    report = evaluate.run(request)
    perfect, grey, sepia = (report.rows[name] for name in ("mine", "other", "mean colour"))
    assert perfect["ab_error"] == 0 and perfect["gain_percent"] == 100 and perfect["chroma_share"] == 1
    assert abs(grey["gain_percent"]) < 0.1 and grey["chroma_share"] < 1e-3
    assert 0 < sepia["chroma_share"] < 1 and "hint_error" not in sepia
    if hinted:
        dots = report.rows["mine, 20 hints"]
        assert dots["hint_error"] < dots["hint_error_grey"]
    else:  # the card has no port for them
        assert [name for name in report.rows if "skin" not in name] == ["mean colour", "mine", "other"]
    assert len(report.columns) == len(report.sheet[0]) == (6 if hinted else 4)  # every setting is shown


def test_pictures_are_brought_down_and_picked(tmp_path):
    for index, picture in enumerate(pictures(4, 80, 120)):
        Image.fromarray(picture).save(tmp_path / f"{index}.png")
    assert [p.shape for p in load(str(tmp_path), 40, 2)[0]] == [(40, 60, 3)] * 2
    assert len(load(f"{tmp_path}:[12]*")[0]) == 2
    Image.fromarray(pictures(1, 80, 120)[0]).save(tmp_path / "turned.jpg", exif=b"Exif\0\0" + exif_block(6))
    assert [p.shape for p in load(f"{tmp_path}:turned*")[0]] == [(120, 80, 3)], "measured upright"
