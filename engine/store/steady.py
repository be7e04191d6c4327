"""Convolutions whose last digits are the same by any number of threads, on the CPU.

PyTorch chooses the library for each by the number of threads and the size: 1x1 kernels go elsewhere with one thread than with
two, and small inputs to a matrix product that shares out its sums among the threads. A digit of the seventh place is no loss,
but now and then a byte of a picture follows it. oneDNN's own convolutions share out results and never sums (grouped ones do on
processors without AVX-512, but no network here has any).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class Steady(TorchFunctionMode):
    """Inside, every float32 convolution of the CPU is oneDNN's, where torch has it. For inference: it records no gradients."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is torch.conv2d and torch.backends.mkldnn.is_available():
            return _convolution(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | str | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    if input.dtype != torch.float32 or isinstance(padding, str):
        return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)
    around, step, apart = ([n, n] if isinstance(n, int) else list(n) for n in (padding, stride, dilation))
    return torch.mkldnn_convolution(input, weight, bias, around, step, apart, groups)
