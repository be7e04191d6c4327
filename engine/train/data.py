"""Pictures for training: decoded once, kept as uint8 in one buffer on the device, cut into crops by index arithmetic."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.client.errors import InputMissing, PincelError
from engine.files import depth
from engine.files.read import read
from engine.imaging.painting import squares

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


def pictures_in(folder: str | Path, match: str = "*") -> list[Path]:
    """The picture files below a folder whose names match the pattern, sorted. Raises InputMissing where there are none."""
    if not Path(folder).is_dir():
        raise InputMissing(
            f"There is no folder {folder}.",
            "Check the path's spelling, and the pattern after the colon if there is one.",
        )
    found = sorted(p for p in Path(folder).rglob(match) if p.suffix.lower() in SUFFIXES)
    if not found:
        raise InputMissing(
            f"There are no pictures called {match} in {folder}.",
            "Check the path's spelling, and the pattern after the colon.",
        )
    return found


def decoded(path: Path) -> np.ndarray | None:
    """The picture as the tasks would get it: upright, display-encoded, over white where it is transparent.

    [H, W, 3] uint8, an ordinary 8-bit RGB file's own bytes; None where it cannot be read.
    """
    try:
        picture = read(path, convert=True)
    except (PincelError, OSError):  # a damaged file among thousands must not stop a training
        return None
    array = depth.encoded_srgb(picture.array) if picture.linear else picture.array
    array = depth.to_integers(array, np.uint8)
    if picture.has_alpha:
        alpha = array[..., -1:].astype(np.uint32)
        over = array[..., :-1] * alpha + 255 * (255 - alpha)  # 255 times the colour over white
        array = ((over + 127) // 255).astype(np.uint8)
    return array if array.shape[2] == 3 else array.repeat(3, 2)


class PictureStore:
    """Colour pictures of any sizes, uint8, all in one flat buffer: on the device if it fits there (`resident`), else in
    main memory; whatever is taken from it is on the device.

    files: what was asked for; `skipped` names those that could not be decoded or are smaller than min_side.
    """

    def __init__(
        self,
        files: Sequence[Path],
        min_side: int = 1,
        device: torch.device | str = "cpu",
        weights: Sequence[float] = (),
    ) -> None:
        self.files: list[Path] = []
        self.skipped: list[Path] = []
        sizes, parts, kept = [], [], []
        with ThreadPoolExecutor(max_workers=max(1, torch.get_num_threads())) as pool:
            for index, (path, array) in enumerate(zip(files, pool.map(decoded, files), strict=True)):
                if array is None or min(array.shape[:2]) < min_side:
                    self.skipped.append(path)
                    continue
                self.files.append(path)
                sizes.append(array.shape[:2])
                kept.append(weights[index] if weights else 1.0)
                parts.append(torch.from_numpy(array.transpose(2, 0, 1).copy()).reshape(-1))
        if not parts:
            if min_side == 1:
                raise InputMissing(f"None of {len(files)} pictures can be read.", "Give pictures that are not damaged.")
            raise InputMissing(
                f"None of {len(files)} pictures is at least {min_side} pixels high and wide.",
                "Give larger pictures; or, where these are to be trained on, smaller crops, if there is --set crop=PIXELS "
                "or --set patch=PIXELS (srgan: a quarter of the side that it needs).",
            )
        self.device = torch.device(device)
        self.buffer = torch.cat(parts)
        self.resident = _fits(self.buffer.numel(), self.device)
        if self.resident:
            self.buffer = self.buffer.to(self.device)
        self.height, self.width = torch.tensor(sizes).unbind(1)
        length = self.height * self.width * 3
        self.offset = length.cumsum(0) - length
        self.weight = torch.tensor(kept)

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, index: int) -> Tensor:
        """One whole picture: [3, H, W] uint8 on the device."""
        h, w = int(self.height[index]), int(self.width[index])
        start = int(self.offset[index])
        return self.buffer[start : start + 3 * h * w].view(3, h, w).to(self.device)

    def place(self) -> str:
        """Where the pictures are kept, as a sentence for the log."""
        size = f"{self.buffer.numel() / 1e9:.2f} GB"
        if self.resident:
            return f"{size}, kept on {self.device}"
        return f"{size}, more than {self.device} has room for: kept in main memory, every batch is moved"

    def crops(
        self, count: int, side: int, rng: torch.Generator, flip: str = "mirror", which: Tensor | None = None
    ) -> Tensor:
        """`count` random square crops: [count, 3, side, side] uint8 on the device, pictures chosen by their weights.

        which: the numbers of the pictures instead [count], for recipes that must know what they see.
        flip: "mirror" mirrors half of them left to right, "all" draws one of the eight flips and quarter turns, "none" leaves
        them as they are.
        """
        if which is None:
            which = torch.multinomial(self.weight, count, replacement=True, generator=rng)
        height, width = self.height[which], self.width[which]
        uniform = torch.rand(5, count, generator=rng, dtype=torch.float64)
        top = (uniform[0] * (height - side + 1)).long()
        left = (uniform[1] * (width - side + 1)).long()
        # A crop's address is start + row * (row step) + column * (column step): a flip starts at the other end with a
        # negative step, a transposition swaps the steps. So the whole augmentation is one gather.
        start = self.offset[which] + top * width + left
        row, column = width.clone(), torch.ones_like(width)
        mirrored = (uniform[2] < 0.5) & (flip != "none")
        start, column = torch.where(mirrored, start + side - 1, start), torch.where(mirrored, -column, column)
        if flip == "all":
            upside = uniform[3] < 0.5
            start, row = torch.where(upside, start + (side - 1) * width, start), torch.where(upside, -row, row)
            turned = uniform[4] < 0.5
            row, column = torch.where(turned, column, row), torch.where(turned, row, column)
        numbers = torch.stack((start, row, column, height * width)).to(self.buffer.device)
        start, row, column, plane = (n.view(-1, 1, 1, 1) for n in numbers)
        along = torch.arange(side, device=self.buffer.device)
        channel = torch.arange(3, device=self.buffer.device).view(1, 3, 1, 1)
        address = start + channel * plane + along.view(1, 1, -1, 1) * row + along.view(1, 1, 1, -1) * column
        return self.buffer[address].to(self.device)

    def views(self, count: int, side: int, rng: torch.Generator, least: float) -> Tensor:
        """`count` random rectangles, mirrored by chance, made `side` square: [count, 3, side, side] in [0, 1] on the device.

        They hold the share `least` to 1 of a picture's area and are squeezed by at most a third, but where the picture ends
        (as Inception's crops, Szegedy 2014). Pictures are chosen by their weights.
        """
        which = torch.multinomial(self.weight, count, replacement=True, generator=rng).tolist()
        places = torch.rand(count, 5, generator=rng, dtype=torch.float64).tolist()
        made = []
        for index, uniform in zip(which, places, strict=True):
            picture = self.picture(index)
            whole = picture.shape[1:]
            edge = math.sqrt((least + (1.0 - least) * uniform[0]) * whole[0] * whole[1])
            squeeze = (4 / 3) ** (uniform[1] - 0.5)
            height, width = (min(round(e), w) for e, w in zip((edge * squeeze, edge / squeeze), whole, strict=True))
            top, left = int(uniform[2] * (whole[0] - height + 1)), int(uniform[3] * (whole[1] - width + 1))
            view = squares(picture[None, :, top : top + height, left : left + width], side)
            made.append(view.flip(3) if uniform[4] < 0.5 else view)
        return torch.cat(made).contiguous(memory_format=torch.channels_last)


def _fits(size: int, device: torch.device) -> bool:
    """Whether so many bytes may stay on the device: half of what is free there, for the networks need the rest."""
    return device.type != "cuda" or size <= torch.cuda.mem_get_info(device)[0] // 2


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the names and contents of the files, in any order: says whether two trainings saw the same set."""
    digest = hashlib.sha256()
    with ThreadPoolExecutor() as pool:
        contents = pool.map(lambda path: hashlib.sha256(path.read_bytes()).hexdigest(), files)
        for name, content in sorted(zip((path.name for path in files), contents, strict=True)):
            digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()
