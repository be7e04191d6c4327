"""Frantar 2022, GPTQ (Hassibi 1993, Optimal Brain Surgeon): what rounding one weight spoils, the weights after it make up for.

Neighbouring pixels are alike, so an error in one weight of a kernel can be taken back by others. How alike a layer's inputs are
is seen on pictures; each weight is rounded in turn, and its error spread over those that are still to be rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.store import rounded

SEEN = 4096  # places of a layer's input that are looked at in each pass
DAMPING = 0.01  # of the mean square of inputs, added to each: what was hardly seen is not relied on


def compensated(network: nn.Module, seeing: nn.Module, bits: int, look: Callable[[], None]) -> None:
    """Round in place those convolutions' weights of a network that a file of so many bits rounds to fewer than 8.

    seeing: a network of the same layers; look(): makes it pass over pictures.
    """
    fine = rounded.fine_of(network)
    layers = {
        name: layer
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d) and layer.groups == 1 and name not in fine
        if 0 < rounded.bits_of(layer.weight, bits) < 8
    }
    with _watched({name: seeing.get_submodule(name) for name in layers}) as alike, torch.no_grad():
        look()
    for name, layer in layers.items():
        if name in alike:
            weight = layer.weight.data
            weight.copy_(
                _rounded(weight.flatten(1).double(), alike[name], rounded.bits_of(weight, bits)).view_as(weight)
            )


def _rounded(weight: Tensor, alike: Tensor, bits: int) -> Tensor:
    """Weights [outputs, K] on their steps, given the inputs' products [K, K]."""
    most, middle = rounded.step_range(bits)
    scale = rounded.steps_of(weight, bits)[1].double()
    squares = alike.diagonal()
    alike = alike + torch.diag(DAMPING * squares.mean() + (squares == 0).double())
    factor = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(alike)), upper=True)
    left, made = weight.clone(), torch.empty_like(weight)
    for k in range(weight.shape[1]):
        made[:, k] = ((left[:, k] / scale - middle).round() + middle).clamp(-most, most) * scale
        error = (left[:, k] - made[:, k]) / factor[k, k]
        left[:, k:] -= torch.outer(error, factor[k, k:])
    return made


@contextmanager
def _watched(layers: dict[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Inside, the layers' inputs are looked at: by name the sums of products of what each output sees, [K, K]."""
    sums: dict[str, Tensor] = {}
    rng = torch.Generator().manual_seed(0)

    def watch(name: str) -> Callable[[nn.Conv2d, tuple[Any, ...]], None]:
        def see(layer: nn.Conv2d, given: tuple[Any, ...]) -> None:
            assert not isinstance(layer.padding, str)
            fields = F.unfold(given[0].detach().float(), layer.kernel_size, layer.dilation, layer.padding, layer.stride)
            rows = fields.transpose(1, 2).flatten(0, 1)
            rows = rows[torch.randperm(len(rows), generator=rng)[:SEEN]]
            sums[name] = sums.get(name, 0) + (rows.T @ rows).double()

        return see

    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers.items()]
    try:
        yield sums
    finally:
        for hook in hooks:
            hook.remove()
