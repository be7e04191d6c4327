"""CUDA: transfers through pinned memory beside the computing, kernels replayed as graphs, and how much a tile may take."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

GRAPHS = 4  # shapes of input with a graph of their own; each keeps the memory of one run
SEEN = 2  # runs of a shape before it is worth a graph
SHARE = 0.5  # of the free memory that one tile's run may take

_log = logging.getLogger(__name__)


class Runner:
    """A network on a CUDA device. Nothing waits for the device but what begin() gives back, when it is called."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self.network, self.device = network, device
        self._graphs: dict[Any, _Graph | None] = {}
        self._seen: dict[Any, int] = {}
        self._taken: float | None = None  # bytes for each input pixel

    @torch.inference_mode()
    def begin(self, inputs: Sequence[Tensor], half: torch.dtype | None) -> Callable[[], Tensor]:
        """Queue a run of the network on inputs in main memory; half: the type for autocast, None computes in float32.

        The result is a function that waits and gives the output, float32 in (pinned) main memory. Raises RuntimeError,
        torch.OutOfMemoryError among them, at once.
        """
        with torch.cuda.device(self.device):
            pinned = [x.contiguous(memory_format=_layout(x)).pin_memory() for x in inputs]
            output = self._queued(pinned, half)
            landed = torch.empty(output.shape, dtype=torch.float32, pin_memory=True)
            landed.copy_(output, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()

        def finish() -> Tensor:
            arrived.synchronize()
            return landed

        return finish

    def pixels(self, channels: int, side: int = 128) -> int:
        """Input pixels that one run has room for in the device's free memory, by what a first run of side x side took."""
        with torch.cuda.device(self.device), torch.inference_mode():
            if self._taken is None:
                torch.cuda.synchronize()
                torch.cuda.reset_peak_memory_stats()
                before = torch.cuda.memory_allocated()
                self._compute(torch.float16, torch.zeros(1, channels, side, side, device=self.device))
                self._taken = max(1, torch.cuda.max_memory_allocated() - before) / side**2
            free = torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return int(SHARE * free / self._taken)

    def _compute(self, half: torch.dtype | None, *inputs: Tensor) -> Tensor:
        # Without autocast's cache: what it kept from a capture would be memory of the graph's.
        with torch.autocast("cuda", half, enabled=half is not None, cache_enabled=False):
            output: Tensor = self.network(*inputs)
        return output.float()

    def _queued(self, pinned: list[Tensor], half: torch.dtype | None) -> Tensor:
        key = (half, *(x.shape for x in pinned))
        if key not in self._graphs:
            self._seen[key] = self._seen.get(key, 0) + 1
            ready = [x.to(self.device, non_blocking=True) for x in pinned]
            if self._seen[key] <= SEEN or len(self._graphs) == GRAPHS:
                return self._compute(half, *ready)
            self._graphs[key] = self._captured(ready, half)
        graph = self._graphs[key]
        return graph(pinned) if graph else self._compute(half, *(x.to(self.device, non_blocking=True) for x in pinned))

    def _captured(self, ready: list[Tensor], half: torch.dtype | None) -> _Graph | None:
        """A graph that gives what the network gives; None where the network cannot be captured (it waits for the device in
        its middle, say, or memory is short).
        """
        stream = torch.cuda.current_stream()
        try:
            graph = _Graph(lambda *given: self._compute(half, *given), ready)
            same = torch.allclose(graph(ready), self._compute(half, *ready), rtol=1e-3, atol=1e-3)
        except RuntimeError as error:
            _log.info("no CUDA graph of %s: %s", type(self.network).__name__, error)
            return None
        finally:
            torch.cuda.set_stream(stream)  # a capture that fails does not give it back
        return graph if same else None


class _Graph:
    """The kernels of one run on inputs of one shape, to be started with one call."""

    def __init__(self, compute: Callable[..., Tensor], examples: Sequence[Tensor]) -> None:
        self.inputs = [x.clone() for x in examples]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose and allocate in their first runs, which a capture forbids
            compute(*self.inputs)
            compute(*self.inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = compute(*self.inputs)

    def __call__(self, given: Sequence[Tensor]) -> Tensor:
        """The output: the graph's own memory, which the next call overwrites (in order, on the same stream)."""
        for mine, new in zip(self.inputs, given, strict=True):
            mine.copy_(new, non_blocking=True)
        self.graph.replay()
        return self.output


def _layout(x: Tensor) -> torch.memory_format:
    return torch.channels_last if x.ndim == 4 else torch.contiguous_format
