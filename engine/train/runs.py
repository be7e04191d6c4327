"""A training's folder: what was asked, what happened, checkpoints and sample sheets; every file is written whole or not."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def write_atomically(path: Path, write: Any) -> None:
    """Call write(temporary path), then move the result to `path`: a crash leaves the old file as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


class RunFolder:
    """The folder of one run: run.json, stats.jsonl, checkpoint.pt, samples/, and TensorBoard's events if it is installed."""

    def __init__(self, path: str | Path, tensorboard: bool = True) -> None:
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)
        self.checkpoint = self.path / "checkpoint.pt"
        self._board: Any = None
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # an optional extra: stats.jsonl holds the same scalars
                return
            self._board = SummaryWriter(str(self.path / "tensorboard"))

    def describe(self, facts: Mapping[str, Any]) -> None:
        """run.json: how to repeat this run."""
        text = json.dumps(facts, indent=1, default=str)
        write_atomically(self.path / "run.json", lambda p: p.write_text(text, encoding="utf-8"))

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append one line to stats.jsonl."""
        line = json.dumps({"step": step, "time": round(time.time(), 2), **{k: round(v, 6) for k, v in scalars.items()}})
        with (self.path / "stats.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(name, value, step)

    def sheet(self, step: int, pictures: Tensor, columns: int = 1) -> Path:
        """Save [N, 3, H, W] in [0, 1] as one PNG, `columns` pictures a row."""
        from PIL import Image

        pictures = pictures[: len(pictures) // columns * columns].float().cpu().clamp(0, 1)
        n, c, h, w = pictures.shape
        grid = (
            pictures.view(n // columns, columns, c, h, w)
            .permute(0, 3, 1, 4, 2)
            .reshape(n // columns * h, columns * w, c)
        )
        path = self.path / "samples" / f"{step:07d}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray((grid * 255).round().byte().numpy()).save(path)
        return path

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint."""
        write_atomically(self.checkpoint, lambda p: torch.save(dict(state), p))

    def load(self, device: torch.device) -> dict[str, Any]:
        """The last checkpoint. Read with weights_only: a checkpoint is data, never code."""
        state: dict[str, Any] = torch.load(self.checkpoint, map_location=device, weights_only=True)
        return state

    def close(self) -> None:
        if self._board is not None:
            self._board.close()
