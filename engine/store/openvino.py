"""OpenVINO as an optional runtime of the networks on the CPU: `--device openvino`, with the package openvino installed.

It pays for wide networks (SRResNet at the thesis' size); docs/performance.md has the figures. Weights files stay the same:
a network is converted when it is first used, in memory.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

NAME = "openvino"  # as a device
KEPT = 8  # compiled forms of one network: by size, where it is not made for any size


def available() -> None:
    """Raises RuntimeError, with the way to get it, where the package is missing."""
    try:
        import openvino  # noqa: F401
    except ImportError as error:
        raise RuntimeError("OpenVINO is not installed; pip install openvino") from error


class Compiled:
    """A network converted and compiled, called like it: tensors [N, C, H, W] -> tensor, float32.

    anysize: whether one compiled form serves inputs of every height and width, as a convolutional network's does.
    """

    def __init__(self, network: nn.Module, anysize: bool) -> None:
        self._network, self._anysize = network, anysize
        self._kept: OrderedDict[Any, Any] = OrderedDict()

    def __call__(self, *inputs: Tensor, half: bool) -> Tensor:
        """half: compute in bfloat16."""
        shapes = tuple(tuple(x.shape) for x in inputs)
        key = (half, torch.get_num_threads(), len(inputs) if self._anysize else shapes)
        if key not in self._kept:
            self._kept[key] = self._compiled(inputs, half)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        result = self._kept[key]([x.contiguous().numpy() for x in inputs])[0]
        return torch.from_numpy(result.copy())

    def _compiled(self, inputs: tuple[Tensor, ...], half: bool) -> Any:
        import openvino

        sizes = [[1, x.shape[1], -1, -1] if self._anysize else list(x.shape) for x in inputs]
        shapes = [openvino.PartialShape(size) for size in sizes]
        # Not in inference mode, which tracing does not like; the network's own graph is left as it is.
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what torch says about the tracing that OpenVINO does
            example = tuple(x.detach().clone() for x in inputs)
            model = openvino.convert_model(self._network, example_input=example, input=shapes)
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        return openvino.Core().compile_model(model, "CPU", settings)
