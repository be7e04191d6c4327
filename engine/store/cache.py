"""Networks that are ready to run, kept while they fit: the least recently used one goes first."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.client.errors import InternalError
from engine.generators import base
from engine.generators.base import Card
from engine.store import models, weights
from engine.store.header import Header, digest

BUDGET = 2 << 30  # bytes of weights kept


class Model:
    """A generator with its weights on a device: call it with the tensors of its card's inputs."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self.header: Header
        self.header, network = weights.load(path)
        self.card: Card = base.card(self.header.generator)
        self.sha256 = digest(path)
        self.device = device
        # Channels last is the layout that the CPU's and the GPU's convolutions are quickest in.
        self.network: nn.Module = network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.bytes = sum(t.numel() * t.element_size() for t in network.state_dict().values())

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def halo(self) -> int:
        """Pixels of context that a tile of a tiled generator needs."""
        return int(self.network.halo()) if self.card.tiled else 0  # type: ignore[operator]

    @property
    def working_size(self) -> int:
        """The shortest side, in pixels, that a generator with a working size sees a picture at."""
        if self.card.working_size is None:
            raise InternalError(f"{self.card.name} works in tiles and has no working size")
        return self.card.working_size

    def to_cpu(self) -> None:
        """Move to the CPU, when the device's memory is not enough."""
        self.device = torch.device("cpu")
        self.network.to(self.device)

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor) -> Tensor:
        """The generator's output, float32 on the CPU. The inputs stay as they are."""
        ready = [x.to(self.device, memory_format=torch.channels_last) for x in inputs]
        output: Tensor = self.network(*ready)
        return output.float().cpu()

    def info(self) -> dict[str, Any]:
        """What made a result, for people and programs."""
        return {"generator": self.name, "weights": self.sha256, "device": str(self.device)}


def best_device(wanted: str | None = None) -> torch.device:
    """The device of that name; without one, the best there is: CUDA, Apple's MPS, the CPU."""
    if wanted:
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class ModelCache:
    """Models by file, the most recently used kept within `budget` bytes of weights. For one thread at a time."""

    def __init__(self, device: str | None = None, budget: int = BUDGET) -> None:
        self.device = best_device(device)
        self.budget = budget
        self._kept: OrderedDict[tuple[Path, int, int], Model] = OrderedDict()

    def get(self, task: str, name: str) -> Model:
        """The model for a task; name as in models.resolve. A file that changed on disk is read again."""
        path = models.resolve(task, name)
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._kept:
            self._kept[key] = Model(path, self.device)
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(m.bytes for m in self._kept.values()) > self.budget:
            self._kept.popitem(last=False)
        return self._kept[key]

    def clear(self) -> None:
        """Forget all models and give the device's memory back."""
        self._kept.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
