"""Iandola 2016, SqueezeNet v1.1: the convolutions of an ImageNet classifier, a teacher for training (never needed to run).

The weights are read from a safetensors file that the trainer is given; a recipe names its use in the weights' card.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MEAN_BGR = (103.939, 116.779, 123.68)
_SQUEEZE = {2: 16, 3: 16, 4: 32, 5: 32, 6: 48, 7: 48, 8: 64, 9: 64}


class _Fire(nn.Module):
    """[N, C, H, W] -> [N, 8 * squeeze, H, W]: 1x1 squeeze, then 1x1 and 3x3 expansions side by side."""

    def __init__(self, inside: int, squeeze: int) -> None:
        super().__init__()
        self.squeeze1x1 = nn.Conv2d(inside, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, 4 * squeeze, 1)
        self.expand3x3 = nn.Conv2d(squeeze, 4 * squeeze, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze1x1(x))
        return torch.cat((F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))), 1)


class SqueezeNet(nn.Module):
    """Frozen features of RGB [N, 3, H, W] in [0, 1], one tensor for each name in `layers`, in the net's order.

    "conv1": 64 channels at about H/2; "fire3": 128 at H/4; "fire5": 256 at H/8; "fire9": 512 at H/16.
    """

    def __init__(self, path: str | Path, layers: tuple[str, ...]) -> None:
        super().__init__()
        from safetensors.torch import load_file

        self.layers = layers
        self.conv1 = nn.Conv2d(3, 64, 3, 2)
        inside = 64
        for number, squeeze in _SQUEEZE.items():
            self.add_module(f"fire{number}", _Fire(inside, squeeze))
            inside = 8 * squeeze
        self.load_state_dict({name: tensor.float() for name, tensor in load_file(str(path)).items()})
        self.eval().requires_grad_(False)

    def forward(self, rgb: Tensor, layers: Sequence[str] = ()) -> list[Tensor]:
        """layers: others than the net's own, none deeper than its last."""
        layers = layers or self.layers
        mean = torch.tensor(_MEAN_BGR, dtype=rgb.dtype, device=rgb.device).view(1, 3, 1, 1)
        x = F.relu(self.conv1(rgb.flip(1) * 255.0 - mean))
        found = [x] if "conv1" in layers else []
        for number in _SQUEEZE:
            if number in (2, 4, 6):
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            x = self.get_submodule(f"fire{number}")(x)
            if f"fire{number}" in layers:
                found.append(x)
                if len(found) == len(layers):
                    break
        return found


def imitation(teacher: SqueezeNet, students: nn.ModuleList, rgb: Tensor, levels: list[Tensor]) -> Tensor:
    """How badly levels of a net predict the teacher's features of RGB [N, 3, H, W] in [0, 1], through 1x1 students.

    Mean squared error of the features' square roots in units of their variance, averaged over the teacher's layers.
    """
    with torch.no_grad():
        wanted = teacher(F.interpolate(rgb, size=(128, 128), mode="bilinear", align_corners=False))
    total = torch.zeros((), device=rgb.device)
    for student, level, target in zip(students, levels, wanted, strict=True):
        target = F.interpolate(target.float().sqrt(), level.shape[2:], mode="bilinear", align_corners=False)
        total = total + F.mse_loss(student(level).float(), target) / target.var().clamp_min(1e-3)
    return total / len(students)


def follow(students: torch.optim.Optimizer | None, stepped: bool) -> None:
    """After the net's own update by a loss that imitation() is in: its students take their step if the net took one.

    Else their gradients, which came with the net's, are dropped as its are.
    """
    if students is not None:
        if stepped:
            students.step()
        students.zero_grad(set_to_none=True)
