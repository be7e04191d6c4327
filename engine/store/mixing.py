"""Wang 2018, ESRGAN, network interpolation: one network between a faithful and a realistic one, (1 - a) F + a R."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.client.errors import OptionError, WeightsMissing, WeightsShape
from engine.generators import base
from engine.store import models
from engine.store.header import Header, read_header


def partners(path: Path) -> tuple[Path, Path]:
    """The faithful and the realistic weights of the generator that a weights file is for, by the card's tags.

    Either may be missing on disk: whoever needs it reads it. Raises OptionError for weights that are neither of the two.
    """
    header = read_header(path)
    tags = base.card(header.generator).mixed
    if tags is None or header.tag not in tags:
        known = "" if tags is None else f" It mixes {header.generator}.{tags[0]} and {header.generator}.{tags[1]}."
        raise OptionError(
            f"The network {header.name} has no counterpart that realism could mix it with.{known}",
            "Leave realism out, or choose another generator.",
            option="realism",
        )
    files = models.files()
    names = [f"{header.generator}.{tag}" for tag in tags]
    first, second = (files.get(name, path.with_name(name + models.SUFFIX)) for name in names)
    return first, second


def needed(path: Path, realism: float) -> list[tuple[Path, float]]:
    """The weights files that a realism in [0, 1] takes, each with its share: one at either end, two between.

    Raises OptionError as partners() does, and WeightsMissing where a file is not there.
    """
    first, second = partners(path)
    shares = [(p, share) for p, share in ((first, 1.0 - realism), (second, realism)) if share > 0]
    for part, _ in shares:
        if not part.is_file():
            raise WeightsMissing(
                f"Realism {realism:g} needs the weights {part.name}, which are not there.",
                "Put the file in the models folder that `pincel doctor` shows, or leave realism out.",
            )
    return shares


def mix(parts: list[tuple[Header, nn.Module, float]]) -> nn.Module:
    """One network whose floating-point tensors are the parts' weighted sums; the first part's network is changed and returned.

    Raises WeightsShape where the networks are not of the same sizes.
    """
    (header, network, _), *others = parts
    for other, _, _ in others:
        if other.config != header.config or other.shapes != header.shapes:
            differ = sorted(k for k in {*header.config, *other.config} if header.config.get(k) != other.config.get(k))
            raise WeightsShape(
                f"{header.name} and {other.name} differ in {', '.join(differ) or 'their tensors'} and cannot be mixed.",
                "Train the one from the other: pincel train GENERATOR --finetune FILE.",
            )
    states: list[tuple[Mapping[str, Tensor], float]] = [(net.state_dict(), share) for _, net, share in parts]
    mixed = dict(states[0][0])
    for key, tensor in mixed.items():
        if tensor.is_floating_point():
            mixed[key] = torch.stack([state[key] * share for state, share in states]).sum(0)
    network.load_state_dict(mixed)
    return network
