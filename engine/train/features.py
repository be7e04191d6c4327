"""`pincel train features`: a small classifier of our own, whose features serve perceptual losses (thesis 3, UNAM 2022).

The thesis trains a small VGG in XYV on cartoonized ImageNet. Here the kinds to tell apart come from the pictures' files: the
name up to its first "-" or "_" ("flowers" of flowers-0a1b.webp), or the folder's name. A module like a generator's, with no
card: the loop trains it, no task runs it. `export` writes the file that engine.nn.perceptual.Features reads.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine import disk
from engine.client.errors import InputError
from engine.imaging.hsv import rgb_to_xyv
from engine.nn.classifier import Classifier
from engine.nn.perceptual import FORMAT
from engine.train.recipe import BaseRecipe, Batch, Moment, Phase, Update

if TYPE_CHECKING:
    from engine.train.data import PictureStore

NAME = "features"
CONFIG: dict[str, Any] = {"base": 32, "classes": 64, "space": "rgb"}
Generator = Classifier


def label(path: Path, by: str = "name") -> str:
    """The kind of a picture. by: "name", the file's name up to the first "-" or "_", or "folder", its folder's name."""
    if by not in ("name", "folder"):
        raise ValueError(f"labels can be made by name or by folder, not by {by!r}")
    return path.parent.name if by == "folder" else re.split(r"[-_]", path.stem, maxsplit=1)[0]


class Recipe(BaseRecipe):
    """Cross-entropy with smoothed labels on crops of many sizes; kinds with few pictures are left out.

    The held-out figure is "accuracy", the share of pictures whose centred square is told right, beside "commonest", that
    of always saying the commonest kind.
    """

    OPTIONS: ClassVar[Mapping[str, Any]] = {
        "labels": "name",  # or "folder"
        "least": 20,  # kinds with fewer pictures are left out
        "crop": 224,  # side of the largest crops; the smallest are half as large
        "size": 96,  # side that the network sees
        "lr": 2e-3,
        "decay": 0.05,
        "smoothing": 0.1,
    }

    def __init__(self, generator: nn.Module, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(generator, options)
        assert isinstance(generator, Classifier)
        self.net: Classifier = generator
        self.crop = self.options["crop"]
        label(Path("kind-1.png"), self.options["labels"])  # says now whether it can be meant
        self.labels: list[str] = []  # in the order of the logits; made from the pictures when the first batch is
        self._numbers: dict[PictureStore, Tensor] = {}

    def optimizers(self, phase: Phase) -> dict[str, torch.optim.Optimizer]:
        decay = self.options["decay"]
        return {"generator": torch.optim.AdamW(self.net.parameters(), self.options["lr"], weight_decay=decay)}

    def state(self) -> dict[str, Any]:
        return {"labels": self.labels}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.labels = list(state["labels"])

    def _classes(self, store: PictureStore) -> Tensor:
        """The number of each picture's kind in the store, -1 where it has none [len(store)]."""
        if store not in self._numbers:
            found = [label(path, self.options["labels"]) for path in store.files]
            if not self.labels:
                common = Counter(found).most_common(self.net.head.out_features)
                self.labels = sorted(name for name, count in common if count >= self.options["least"])
            if len(self.labels) < 2:
                raise InputError(
                    f"The pictures have {len(set(found))} kinds, fewer than two of them with {self.options['least']} "
                    "pictures or more.",
                    "Name the files KIND-anything, or sort them into folders and add --set labels=folder.",
                )
            order = {name: number for number, name in enumerate(self.labels)}
            self._numbers[store] = torch.tensor([order.get(name, -1) for name in found])
        return self._numbers[store]

    def batch(self, store: PictureStore, size: int, rng: torch.Generator) -> Batch:
        """Crops of one random size a batch, brought to the network's size, and the numbers of their kinds."""
        kinds = self._classes(store)
        which = torch.multinomial(store.weight * (kinds >= 0), size, replacement=True, generator=rng)
        side = int(torch.randint(self.crop // 2, self.crop + 1, (), generator=rng))
        return {
            "rgb": _resize(store.crops(size, side, rng, which=which), self.options["size"]),
            "kind": kinds[which].to(store.device),
        }

    def _seen(self, rgb: Tensor) -> Tensor:
        return rgb_to_xyv(rgb) if self.net.space == "xyv" else rgb

    def step(self, batch: Batch, update: Update, moment: Moment) -> dict[str, Tensor]:
        maps = self.net.maps(self._seen(batch["rgb"]))
        logits = self.net.head(maps[-1].mean((2, 3))).float()
        loss = F.cross_entropy(logits, batch["kind"], label_smoothing=self.options["smoothing"])
        if update("generator", loss):
            with torch.no_grad():  # perceptual losses read how large the maps are
                size = torch.stack([m.float().square().mean().sqrt() for m in maps])
                self.net.scale.lerp_(size, max(0.01, 1 / (moment.step + 1)))
        return {"loss": loss.detach(), "accuracy": (logits.argmax(1) == batch["kind"]).float().mean()}

    def sheet(self, generator: nn.Module, batch: Batch) -> Tensor:
        """The pictures in a frame, green where the kind is told right and red elsewhere."""
        right = generator(self._seen(batch["rgb"])).argmax(1) == batch["kind"]
        frame = batch["rgb"].new_zeros(len(right), 3, 1, 1)
        frame[:, 0, 0, 0], frame[:, 1, 0, 0] = (~right).float(), right.float()
        inner = F.pad(torch.ones_like(batch["rgb"])[:, :1, 4:-4, 4:-4], (4, 4, 4, 4))
        return batch["rgb"] * inner + frame * (1 - inner)

    def score(self, generator: nn.Module, store: PictureStore) -> dict[str, float]:
        kinds = self._classes(store)
        right, known = 0, [i for i in range(len(store)) if int(kinds[i]) >= 0]
        for index in known:
            picture = store.picture(index)
            side = min(picture.shape[1:])
            top, left = (picture.shape[1] - side) // 2, (picture.shape[2] - side) // 2
            square = picture[None, :, top : top + side, left : left + side]
            logits = generator(self._seen(_resize(square, self.options["size"])))
            right += int(logits.argmax()) == int(kinds[index])
        if not known:
            return {}
        commonest = int(torch.bincount(kinds[known]).max())
        return {"accuracy": right / len(known), "commonest": commonest / len(known)}


def _resize(pictures: Tensor, side: int) -> Tensor:
    """[N, 3, S, S] uint8 -> [N, 3, side, side] in [0, 1], antialiased."""
    rgb = F.interpolate(pictures.float() / 255, (side, side), mode="bilinear", align_corners=False, antialias=True)
    return rgb.clamp(0, 1).contiguous(memory_format=torch.channels_last)


def export(run: Path, packs: Sequence[Mapping[str, str]] = ()) -> Path:
    """Write RUN/features.safetensors from the run's checkpoint and its last held-out figures; returns the path."""
    from safetensors.torch import save

    from engine.train.plots import read_lines
    from engine.train.runs import RunFolder

    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    state = RunFolder(run, tensorboard=False).load(torch.device("cpu"))
    metrics: dict[str, float] = {}
    for line in read_lines(run / "stats.jsonl"):
        metrics |= {k.removeprefix("heldout/"): v for k, v in line.items() if k.startswith("heldout/")}
    metadata = {
        "format": FORMAT,
        "space": facts["config"]["space"],
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": facts.get("command", ""),
        "commit": facts.get("commit", ""),
    }
    said = {"config": facts["config"], "labels": state["recipe"]["labels"], "metrics": metrics}
    said |= {"steps": state["step"], "data": list(packs) or facts.get("data", "")}
    metadata |= {key: json.dumps(value) for key, value in said.items()}
    tensors = {key: value.contiguous() for key, value in state["ema"].items()}
    path = run / f"{NAME}.safetensors"
    disk.whole(path, lambda p: p.write_bytes(save(tensors, metadata)))
    return path
