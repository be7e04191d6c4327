"""A generator, a recipe and pictures small enough that a whole training takes a second."""

from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from engine.train.norms import without_learning
from engine.train.recipe import BaseRecipe, Phase


class ToyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1))

    def forward(self, x):
        return self.layers(x)


class ToyRecipe(BaseRecipe):
    """Learns to invert pictures; the second phase takes another rate. `poison` names the steps with a bad loss."""

    OPTIONS: ClassVar = {"poison": ()}
    PHASES = (Phase("first", 1), Phase("second", 3))
    crop = 8

    def __init__(self, generator, options=None):
        super().__init__(generator, options)
        self.moments, self.rates = [], []
        self.seen = 1.0  # a running mean of the loss, which the next step depends on

    def state(self):
        return {"seen": self.seen}

    def load_state(self, state):
        self.seen = state["seen"]

    def optimizers(self, phase):
        self.optimizer = torch.optim.Adam(self.generator.parameters(), lr=1e-2 if phase.name == "first" else 5e-3)
        return {"generator": self.optimizer}

    def batch(self, store, size, rng):
        return {"x": store.crops(size, self.crop, rng).float() / 255}

    def step(self, batch, update, moment):
        if update is not without_learning:
            self.moments.append(moment)
            self.rates.append(self.optimizer.param_groups[0]["lr"])
        # Draws on torch's own randomness, which a resume must restore.
        noise = 0.01 * self.seen * torch.randn_like(batch["x"])
        loss = (self.generator(batch["x"] + noise).float() - (1 - batch["x"])).square().mean()
        if moment.step in self.options["poison"]:
            loss = loss * float("nan")
        else:
            self.seen = 0.9 * self.seen + 0.1 * float(loss.detach())
        update("generator", loss)
        return {"loss": loss.detach()}

    def sheet(self, generator, batch):
        return torch.cat((batch["x"], generator(batch["x"]).float()), 3)

    def score(self, generator, store):
        x = store.picture(0).float()[None] / 255
        return {"error": float((generator(x) - (1 - x)).abs().mean())}


def make_pictures(folder, sizes=((16, 12), (9, 20), (8, 8))):
    """Pictures of (height, width) in which every pixel's value tells its picture, row and column."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (height, width) in enumerate(sizes):
        rows, columns = np.mgrid[:height, :width]
        array = np.stack((np.full_like(rows, number), rows, columns), -1).astype(np.uint8)
        Image.fromarray(array).save(folder / f"{number}.png")
    return folder
