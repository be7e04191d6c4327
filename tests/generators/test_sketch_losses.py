"""The UNAM 2022 thesis' losses (section 5.3) by hand: what the sketch recipe pays in each phase with the thesis' options."""

import pytest
import torch
import torch.nn.functional as F

from engine.generators import sketch_unet
from engine.imaging import hsv
from engine.nn import sketch_losses
from engine.train.recipe import Moment, Phase
from tests.nn.test_perceptual import own_file

SMALL = {"widths": (8, 8, 16), "encoder": (4, 8), "decoder": 8}


def test_the_printed_weights():
    assert sketch_losses.FEATURE_WEIGHTS == (0.04, 0.12, 0.18, 0.6)
    assert sketch_losses.GRAM_FACTOR == 200 and sketch_losses.GRAM_WEIGHTS == (0.04, 0.12, 0.14, 0.05)
    own = {**sketch_unet.Recipe.OPTIONS, **sketch_unet.Recipe.THESIS}
    assert own["rate"] == 3e-3 and own["lambda"] == 0.003 and own["size"] == 256 and own["optimizer"] == "ranger"
    assert (own["rotate"], own["warp"], own["light"]) == (30, 0.2, 0.1)


def grams(x):
    return torch.einsum("nahw,nbhw->nab", x, x) / x[0].numel()


@pytest.mark.parametrize("name", ["mse", "perceptual", "gan"])
def test_what_each_phase_pays(tmp_path, name):
    """Features of a classifier of our own in XYV; the adversarial share is lambda times the verdict."""
    own_file(tmp_path / "own.safetensors", "xyv")
    torch.manual_seed(0)
    net = sketch_unet.Generator(**SMALL).eval()  # without HueDropout the step's own forward can be repeated
    options = {**sketch_unet.Recipe.THESIS, "size": 32, "features": str(tmp_path / "own.safetensors")}
    recipe = sketch_unet.Recipe(net, options)
    assert [phase.name for phase in recipe.phases()] == ["mse", "perceptual"]
    assert recipe.phases()[1].share == pytest.approx(3 / 13)  # of 10 and 3 epochs
    recipe.discriminator = sketch_unet.Discriminator((4, 8)).eval()
    batch = recipe.examples(torch.rand(2, 3, 64, 64), torch.Generator().manual_seed(1))
    losses = {}
    recipe.step(batch, losses.__setitem__, Moment(Phase(name), 0, 0.5, 0.5))

    with torch.no_grad():
        made, extra = net.forward_with_extra(batch["sketch"], batch["hints"], net.encode(batch["reference"]))
        truth = batch["truth"]
        pixels, coarse = F.mse_loss(made, hsv.rgb_to_hxhysv(truth)), F.mse_loss(extra, batch["coarse"])
        wanted = pixels + coarse if name == "mse" else 4 * pixels + 2 * coarse
        if name != "mse":
            seen, true = recipe.features(hsv.hxhysv_to_xyv(made)), recipe.features(hsv.rgb_to_xyv(truth))
            for a, b, w in zip(seen, true, (0.04, 0.12, 0.18, 0.6), strict=True):
                wanted += w * F.smooth_l1_loss(a, b)
            for a, b, w in zip(seen, true, (0.04, 0.12, 0.14, 0.05), strict=True):
                wanted += 200 * w * F.smooth_l1_loss(grams(a), grams(b))
        if name == "gan":
            wanted -= 0.003 * recipe.discriminator(hsv.hxhysv_to_xyv(made)).mean()
    assert losses["generator"].item() == pytest.approx(wanted.item(), rel=1e-4)
    assert set(losses) == ({"discriminator", "generator"} if name == "gan" else {"generator"})
