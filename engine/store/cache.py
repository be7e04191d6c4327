"""Networks that are ready to run, kept while they fit: the least recently used one goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine import memory
from engine.client.errors import InternalError
from engine.generators import base
from engine.generators.base import Card
from engine.nn.folding import folded
from engine.store import devices, gpu, mixing, models, openvino, weights
from engine.store.header import Header, digest
from engine.store.steady import Steady

BUDGET = 2 << 30  # bytes of weights kept


class Model:
    """A generator with its weights on a device: call it with the tensors of its card's inputs."""

    compiled: openvino.Compiled | None = None  # what computes in the network's stead

    def __init__(self, path: Path, device: torch.device) -> None:
        self._take(*weights.load(path), device)
        self.sha256 = digest(path)

    def by_openvino(self) -> Model:
        """Let OpenVINO compute from now on."""
        self.compiled = openvino.Compiled(self.network, self.card.tiled)
        return self

    def _take(self, header: Header, network: nn.Module, device: torch.device) -> None:
        self.header = header
        self.card: Card = base.card(header.generator)
        self.device = device
        # Channels last is the layout that the CPU's and the GPU's convolutions are quickest in.
        self.network: nn.Module = folded(network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.gpu = gpu.Runner(self.network, device) if device.type == "cuda" else None
        self.bytes = sum(t.numel() * t.element_size() for t in self.network.state_dict().values())

    @property
    def name(self) -> str:
        return self.header.name

    @property
    def halo(self) -> int:
        """Pixels of context that a tile of a tiled generator needs."""
        return int(self.network.halo()) if self.card.tiled else 0  # type: ignore[operator]

    @property
    def multiple(self) -> int:
        """What the sides of the network's inputs must be a multiple of: the network's own number, else the card's."""
        return int(getattr(self.network, "multiple", self.card.multiple))

    @property
    def working_size(self) -> int:
        """The shortest side, in pixels, that a network sees a whole picture at: the network's own, else the card's."""
        size = getattr(self.network, "working_size", 0) or self.card.working_size
        if size is None:
            raise InternalError(f"{self.card.name} works in tiles and has no working size")
        return int(size)

    @property
    def size(self) -> int:
        """Side, in pixels, of the pictures of a generator that works on no source."""
        return int(self.network.size)  # type: ignore[arg-type]

    def steady(self) -> AbstractContextManager[Any]:
        """Inside, the network gives the same numbers by any number of threads, where it computes on the CPU in float32."""
        return Steady() if self.device.type == "cpu" else nullcontext()

    def to_cpu(self) -> None:
        """Move to the CPU, when the device's memory is not enough."""
        self.device, self.gpu = torch.device("cpu"), None
        self.network.to(self.device)

    @torch.inference_mode()
    def __call__(self, *inputs: Tensor, exact: bool = True) -> Tensor:
        """The generator's output, float32 on the CPU. The inputs stay as they are.

        exact: compute in float32; else in the half precision that the device is quick in, where there is one.
        """
        half = None if exact else quick_type(self.device)
        if self.compiled is not None:
            return self.compiled(*inputs, half=half is not None)
        if self.gpu is not None:
            return self.gpu.begin(inputs, half)()
        ready = [x.to(self.device, memory_format=torch.channels_last) for x in inputs]
        with self.steady() if half is None else torch.autocast(self.device.type, half):
            output: Tensor = self.network(*ready)
        return output.float().cpu()

    def begin(self, *inputs: Tensor, exact: bool = True) -> Callable[[], Tensor]:
        """As a call, in two steps: the function that this gives waits for the output. Only a GPU computes in between."""
        if self.gpu is None:
            return partial(self, *inputs, exact=exact)
        return self.gpu.begin(inputs, None if exact else quick_type(self.device))

    def tile(self, usual: int) -> int:
        """Source pixels along a tile's side: the usual ones, or more of them where a GPU's free memory has room."""
        if self.gpu is None:
            return usual
        room = self.gpu.pixels(self.card.inputs[0].channels)
        return next((side for side in (4 * usual, 2 * usual) if (side + 2 * self.halo) ** 2 <= room), usual)

    def info(self) -> dict[str, Any]:
        """What made a result, for people and programs."""
        device = str(self.device) if self.compiled is None else openvino.NAME
        return {"generator": self.name, "weights": self.sha256, "device": device}


def quick_type(device: torch.device) -> torch.dtype | None:
    """The half precision that a device multiplies faster than float32; None where it has none or that is not known."""
    if device.type == "cuda":
        return torch.float16
    if device.type == "cpu":
        # Without these instructions bfloat16 is emulated, and slower than float32.
        for known in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            if getattr(torch.cpu, known, bool)():
                return torch.bfloat16
    return None


def best_device(wanted: str | None = None) -> torch.device:
    """The device of that name; without one, the best there is: CUDA, Apple's MPS, the CPU. OpenVINO's is the CPU.

    Raises OptionError where nothing is called so, RuntimeError where there is no such device.
    """
    if wanted:
        devices.check(wanted)
    if wanted == openvino.NAME:
        openvino.available()
        return torch.device("cpu")
    if wanted:
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


class Mixture(Model):
    """Weights of one generator mixed into one network: files with their shares."""

    def __init__(self, shares: list[tuple[Path, float]], device: torch.device) -> None:
        parts = [(*weights.load(path), share) for path, share in shares]
        self.parts = [
            {"generator": header.name, "weights": digest(path), "share": round(share, 6)}
            for (path, _), (header, _, share) in zip(shares, parts, strict=True)
        ]
        self._take(parts[0][0], mixing.mix(parts), device)
        self.sha256 = " + ".join(str(part["weights"]) for part in self.parts)

    @property
    def name(self) -> str:
        return " + ".join(str(part["generator"]) for part in self.parts)

    def info(self) -> dict[str, Any]:
        """As a single network's, with both names and both hashes; "mixed" says the same in parts, with their shares."""
        return super().info() | {"mixed": self.parts}


class ModelCache:
    """Models by file, the most recently used kept within `budget` bytes of weights. For one thread at a time."""

    def __init__(self, device: str | None = None, budget: int = BUDGET) -> None:
        memory.keep_freed()
        self.device = best_device(device)
        self.by_openvino = device == openvino.NAME
        self.budget = budget
        self._kept: OrderedDict[tuple[tuple[Path, float, int, int], ...], Model] = OrderedDict()

    @property
    def device_name(self) -> str:
        """What results and forecasts' records call the device: openvino's is the CPU, at another speed."""
        return openvino.NAME if self.by_openvino else str(self.device)

    def get(self, task: str, name: str, realism: float | None = None, wanted: Sequence[str] = ()) -> Model:
        """The model for a task; name and wanted as in models.resolve. A file that changed on disk is read again.

        realism: 0 to 1 between the two weights of the generator that its card lets mix; None takes the named weights as
        they are. Raises the errors of models.resolve, weights.load and engine.store.mixing.
        """
        path = models.resolve(task, name, wanted)
        shares = [(path, 1.0)] if realism is None else mixing.needed(path, realism)
        stats = [(p, share, p.stat()) for p, share in shares]
        key = tuple((p, share, stat.st_mtime_ns, stat.st_size) for p, share, stat in stats)
        if key not in self._kept:
            single = len(shares) == 1
            model = Model(shares[0][0], self.device) if single else Mixture(shares, self.device)
            self._kept[key] = model.by_openvino() if self.by_openvino else model
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(m.bytes for m in self._kept.values()) > self.budget:
            self._kept.popitem(last=False)
        return self._kept[key]

    def clear(self) -> None:
        """Forget all models and give the device's memory back."""
        self._kept.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
