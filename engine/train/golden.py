"""Golden pairs: what a weights file gives for fixed inputs, kept beside it: `python -m engine.train.golden FILE...`.

weights/golden/<name>.safetensors holds a tensor for each port of the generator's card and "output", all float32
[1, C, H, W]; its metadata name the weights file's SHA-256. A change in the networks' code that alters their results shows
in tests/weights/test_golden.py, also on machines where nobody can look at the pictures.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.generators.base import Card, Port, card
from engine.store import weights
from engine.store.header import digest

OUTPUT = "output"
# Enough for every layer to count, small enough for a repository that keeps all of them for ever.
_SIDE, _ENLARGED = 24, 8  # pixels; of what is enlarged


def inputs(contract: Card) -> dict[str, Tensor]:
    """The fixed inputs for a card, [1, C, H, W]: a smooth field with grain, like a photograph; vectors are [1, C, 1, 1].

    The first port takes it over its whole range. The others are conditions (noise, hints): they stay near their middle,
    because at their ends a network's output would lie against its limits, where it shows no change.
    """
    least = _SIDE if contract.scale == 1 else _ENLARGED
    side = -(-least // contract.multiple) * contract.multiple
    given = {}
    for seed, port in enumerate(contract.inputs):
        if port.vector:
            given[port.name] = _field(port, 1, seed, 0.3)  # latent vectors are nearly all within a third of their range
        else:
            given[port.name] = _field(port, side, seed, 0.1 if seed else 1.0)
    return given


def _field(port: Port, side: int, seed: int, share: float) -> Tensor:
    dice = np.random.Generator(np.random.PCG64(seed))
    coarse = torch.from_numpy(dice.random((1, port.channels, 5, 5), dtype=np.float32))
    smooth = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    grain = torch.from_numpy(dice.random((1, port.channels, side, side), dtype=np.float32)) - 0.5
    centred = (smooth + 0.1 * grain).clamp(0, 1) - 0.5
    return (port.low + port.high) / 2 + (port.high - port.low) * share * centred


@torch.inference_mode()
def write(path: Path, folder: Path) -> Path:
    """Write the golden pair of a weights file into folder; returns its path. Raises the errors of store.weights.load."""
    header, network = weights.load(path)
    given = inputs(card(header.generator))
    tensors = {**given, OUTPUT: network(*given.values()).float()}
    target = folder / f"{header.name}.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, target, {"weights": digest(path)})
    return target


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m engine.train.golden", description="Write golden pairs.")
    parser.add_argument("files", nargs="+", type=Path, help="weights files; the pairs go into golden/ beside each")
    for path in parser.parse_args(argv).files:
        print(write(path, path.parent / "golden"))


if __name__ == "__main__":
    main()
