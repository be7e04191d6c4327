"""Johnson 2016, "Perceptual Losses": how alike two pictures are to a frozen network (features) and in its textures (Gram).

The network is read from a file that the trainer names: SqueezeNet v1.1, or a classifier made by `pincel train features`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.client.errors import WeightsMetadata, WeightsMissing
from engine.nn.classifier import STAGES, Classifier
from engine.nn.squeezenet import SqueezeNet

FORMAT = "pincel-features/1"  # in the metadata of our own classifiers' files
_SQUEEZENET = ("conv1", "fire3", "fire5", "fire9")
_SQUEEZENET_SCALE = (35.0, 62.0, 51.0, 12.0)  # root mean squares over photographs and drawings


class Features(nn.Module):
    """Four frozen feature maps of pictures, from fine to coarse, each scaled to a root mean square of about 1.

    `space`: the colour space that pictures must be in, "rgb" (in [0, 1]) or "xyv" (s cos, s sin in [-1, 1], v in [0, 1]).
    `name`: what it is, for the card of the weights that it helped to train; `title`: in a word. `channels`: of the four maps.
    Maps are [N, channels[i], about H / 2**i, ...] for our own (i = 0..3), H / 2**(i + 1) for SqueezeNet; sides from 17
    pixels on. Moves to the pictures' device by itself. Raises WeightsMissing or WeightsMetadata.
    """

    scale: Tensor

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.net: SqueezeNet | Classifier
        metadata, keys = _read(Path(path))
        if metadata.get("format") == FORMAT:
            self.net = _classifier(Path(path), metadata)
            self.name, self.space = f"own classifier ({Path(path).name}, {self.net.space})", self.net.space
            self.title = f"own-classifier ({Path(path).name})"
            self.channels = tuple(stage[0].out_channels for stage in self.net.stages)  # type: ignore[index]
            scale = self.net.scale
        elif "fire9.squeeze1x1.weight" in keys:
            self.net = SqueezeNet(path, _SQUEEZENET)
            self.name, self.space, self.channels = "SqueezeNet v1.1 (ImageNet)", "rgb", (64, 128, 256, 512)
            self.title, scale = "SqueezeNet", torch.tensor(_SQUEEZENET_SCALE)
        else:
            raise WeightsMetadata(
                f"{Path(path).name} is no feature network.",
                "Give SqueezeNet v1.1 as safetensors, or a file made by `pincel train features`.",
            )
        self.register_buffer("scale", scale.clone().float())
        self.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> Features:
        """Stays as it is: batch norm must not learn here."""
        return super().train(False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        if self.scale.device != pictures.device:
            self.to(pictures.device)
        found = self.net.maps(pictures) if isinstance(self.net, Classifier) else self.net(pictures)
        return [found[i] / self.scale[i] for i in range(STAGES)]

    def pair(self, made: Tensor, truth: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The maps of both, the truth's without gradient: what perceptual() and gram() take."""
        with torch.no_grad():
            wanted = self(truth)
        return self(made), wanted


def perceptual(
    made: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[float], squares: bool = False
) -> Tensor:
    """The weighted sum over the maps of their smooth-L1 distance (thesis 3) or mean square (squares=True, SRGAN)."""
    distance = F.mse_loss if squares else F.smooth_l1_loss
    return _weighted([distance(a.float(), b.float()) for a, b in zip(made, wanted, strict=True)], weights)


def gram(made: Sequence[Tensor], wanted: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted sum over the maps of the smooth-L1 distance of their Gram matrices (Gatys 2016)."""
    distances = [F.smooth_l1_loss(gram_matrix(a), gram_matrix(b)) for a, b in zip(made, wanted, strict=True)]
    return _weighted(distances, weights)


def gram_matrix(features: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, C, C], float32: products of every two channels, over C * H * W."""
    with torch.autocast(features.device.type, enabled=False):  # bfloat16 is too coarse for sums over whole maps
        flat = features.float().flatten(2)
        return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def _weighted(distances: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.stack([w * d for w, d in zip(weights, distances, strict=True)]).sum()


def _read(path: Path) -> tuple[dict[str, str], set[str]]:
    """The metadata and the tensors' names of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}, set(file.keys())
    except OSError:
        raise WeightsMissing(
            f"There is no feature network {path}.",
            "Check the path: `pincel evaluate` takes it as --features FILE, `pincel train` as --set features=FILE.",
        ) from None
    except SafetensorError as error:
        raise WeightsMetadata(f"{path.name} is no safetensors file: {error}.", "Name another file.") from None


def _classifier(path: Path, metadata: dict[str, str]) -> Classifier:
    from safetensors.torch import load_file

    try:
        net = Classifier(**json.loads(metadata["config"]))
        net.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(str(path)).items()})
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsMetadata(f"{path.name} does not fit its own description: {error}.", "Train it again.") from None
    return net
