"""A finished run's network for a file of few bits: rounded by what pictures show, then with batch norms measured anew.

Rounded weights make other activations: with the statistics of the unrounded ones `yuv_cgan.photo` in 3 bits lost 0.8 points of
its gain, with its own 0.2. Nagel 2019 (Data-Free Quantization, section 3.2.2) corrects the means for the same reason.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.generators import base
from engine.store import rounded
from engine.store.models import SUFFIX
from engine.train import norms
from engine.train.compensate import compensated
from engine.train.data import PictureStore, pictures_in
from engine.train.plan import Plan

FINISHED_BY = 64  # batches


def settle(
    network: nn.Module, bits: int, facts: Mapping[str, Any], state: Mapping[str, Any], folders: Sequence[Path]
) -> None:
    """Round the network's weights to `bits` in place, give it batch norms of its own and finish it as its recipe does, all by
    pictures of the folders.

    facts, state: the run's description and checkpoint, for its recipe and how far it had come. Raises InputMissing.
    """
    # What a teacher or a feature network says teaches nobody here.
    options = {
        key: "" if isinstance(value, str) and value.endswith(SUFFIX) else value
        for key, value in facts["options"].items()
    }
    recipe = base.module(facts["generator"]).Recipe(copy.deepcopy(network).train(), options)
    plan = Plan(**{**facts["plan"], "device": "cpu"})
    store = PictureStore([path for folder in folders for path in pictures_in(folder)], recipe.crop)
    rng = torch.Generator().manual_seed(plan.seed)
    moment = plan.moment(recipe.phases(), state["step"], state["seconds"])

    def lesson(_: int) -> None:
        recipe.step(recipe.batch(store, plan.batch, rng), norms.without_learning, moment)

    def look() -> None:
        for number in range(norms.BATCHES):
            lesson(number)

    with norms.undisturbed(torch.device("cpu")):
        if bits <= 8:
            compensated(network, recipe.nets()["generator"], bits, look)
            small = rounded.packed(network.state_dict(), bits, rounded.fine_of(network))
            network.load_state_dict(rounded.unpacked(small))
        norms.measured_anew(network, recipe.nets(), lesson)
        recipe.finish(network.eval(), (recipe.batch(store, plan.batch, rng) for _ in range(FINISHED_BY)))
