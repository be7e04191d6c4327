"""A training's folder: what was asked, what happened, checkpoints and sample sheets; every file is written whole or not."""

from __future__ import annotations

import importlib.util
import io
import json
import math
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine import disk
from engine.client.errors import NothingToResume, NotWritable
from engine.train.confusion import confusion_picture
from engine.train.plots import draw, read_lines


def mosaic(pictures: Tensor, columns: int) -> np.ndarray:
    """[N, 3, H, W] in [0, 1] -> one picture u8 [rows * H, columns * W, 3], row by row, white where pictures are missing."""
    pictures = pictures.detach().float().cpu().clamp(0, 1)
    n, c, h, w = pictures.shape
    missing = -n % columns
    if missing:
        pictures = torch.cat((pictures, torch.ones(missing, c, h, w)))
    rows = len(pictures) // columns
    grid = pictures.view(rows, columns, c, h, w).permute(0, 3, 1, 4, 2).reshape(rows * h, columns * w, c)
    return (grid * 255).round().byte().numpy()


def _torn(path: Path) -> bool:
    """Whether a file of lines ends within one."""
    return path.is_file() and not path.read_bytes().endswith(b"\n")


class RunFolder:
    """The folder of one run: run.json, stats.jsonl, epochs.jsonl, checkpoint.pt, samples/, confusion/, losses-by-*.png,
    and TensorBoard's events; the last two with tensorboard and matplotlib installed.
    """

    def __init__(self, path: str | Path, tensorboard: bool = True, plots: bool = True) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritable(f"The run's folder {path} cannot be made: {error.strerror}.") from error
        self.checkpoint = self.path / "checkpoint.pt"
        self.notices: list[str] = []  # what is left out, and why
        self._board: Any = None
        self._plots, self._plotted = plots, time.monotonic()
        if tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:  # an optional extra: stats.jsonl holds the same scalars
                self.notices.append("Nothing is written for TensorBoard, it is not installed: pip install tensorboard.")
            else:
                self._board = SummaryWriter(str(self.path / "tensorboard"))
        if plots and importlib.util.find_spec("matplotlib") is None:
            self._plots = False
            self.notices.append("No curves are drawn, matplotlib is not installed: pip install matplotlib.")

    def describe(self, facts: Mapping[str, Any]) -> None:
        """run.json: how to repeat this run."""
        text = json.dumps(facts, indent=1, default=str)
        disk.whole(self.path / "run.json", lambda p: p.write_text(text, encoding="utf-8"))

    def log(self, step: int, scalars: Mapping[str, float]) -> None:
        """Append one line to stats.jsonl."""
        self._append("stats.jsonl", {"step": step, "time": round(time.time(), 2)}, scalars)
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(name, value, step)

    def log_epoch(self, epoch: float, step: int, scalars: Mapping[str, float]) -> None:
        """Append one line to epochs.jsonl: the means (of counts, the sums) over an epoch; the last may be a part of one."""
        self._append("epochs.jsonl", {"epoch": round(epoch, 3), "step": step}, scalars)
        if self._board is not None:
            for name, value in scalars.items():
                self._board.add_scalar(f"epoch/{name}", value, math.ceil(epoch))

    def _append(self, name: str, key: Mapping[str, float], scalars: Mapping[str, float]) -> None:
        line = json.dumps({**key, **{k: round(v, 6) for k, v in scalars.items()}})
        try:
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise disk.failure(self.path / name, error) from error

    def forget_after(self, step: int) -> None:
        """Drop the lines of the logs behind a step: what a crash left behind its last checkpoint is trained again.

        So is a last line that it cut off, to which the next one would be glued.
        """
        for name in ("stats.jsonl", "epochs.jsonl"):
            path = self.path / name
            rows = read_lines(path)
            kept = "".join(json.dumps(row) + "\n" for row in rows if row["step"] <= step)
            if any(row["step"] > step for row in rows) or _torn(path):
                disk.whole(path, partial(Path.write_text, data=kept, encoding="utf-8"))

    def sheet(self, step: int, pictures: Tensor, columns: int = 5) -> Path:
        """Save [N, 3, H, W] in [0, 1] as one PNG, `columns` pictures a row; missing ones of the last row are white."""
        grid = mosaic(pictures, columns)
        path = self.path / "samples" / f"{step:07d}.png"
        self._picture(path, grid)
        if self._board is not None:
            self._board.add_image("samples", grid, step, dataformats="HWC")
        return path

    def matrices(self, step: int, recent: Mapping[str, float], whole: Mapping[str, float]) -> Path:
        """Draw the discriminator's confusion matrix, since the last one and over the whole run: counts and per cent."""
        picture = confusion_picture([("since the last matrix", recent), ("whole training", whole)])
        path = self.path / "confusion" / f"{step:07d}.png"
        self._picture(path, picture)
        if self._board is not None:
            self._board.add_image("confusion", picture, step, dataformats="HWC")
        return path

    def plots(self, always: bool = False) -> None:
        """Draw losses-by-step.png and losses-by-epoch.png anew, at most every two minutes unless always."""
        now = time.monotonic()
        if not self._plots or (now - self._plotted < 120 and not always):
            return
        self._plotted = now
        for source, key in (("stats.jsonl", "step"), ("epochs.jsonl", "epoch")):
            picture = draw(self.path / source, key)
            if picture is not None:
                target = self.path / f"losses-by-{key}.png"
                disk.whole(target, partial(Path.write_bytes, data=picture))

    def hyperparameters(self, chosen: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """A row of TensorBoard's HParams table."""
        if self._board is not None:
            plain = {k: v if isinstance(v, bool | int | float | str) else json.dumps(v) for k, v in chosen.items()}
            self._board.add_hparams(plain, {f"heldout/{k}": v for k, v in figures.items()}, run_name=".")

    def _picture(self, path: Path, array: np.ndarray) -> None:
        from PIL import Image

        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise disk.failure(path, error) from error
        disk.whole(path, lambda p: Image.fromarray(array).save(p, format="PNG"))

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the checkpoint. Made in memory first: torch has no word for a full disk, and may end the process."""
        made = io.BytesIO()
        torch.save(dict(state), made)
        disk.whole(self.checkpoint, lambda p: p.write_bytes(made.getbuffer()))

    def load(self, device: torch.device) -> dict[str, Any]:
        """The last checkpoint. Read with weights_only: a checkpoint is data, never code. Raises NothingToResume."""
        try:
            state: dict[str, Any] = torch.load(self.checkpoint, map_location=device, weights_only=True)
        except FileNotFoundError:
            raise NothingToResume(f"There is no checkpoint in {self.path}.") from None
        except Exception as error:  # torch raises what it likes over a damaged file
            raise NothingToResume(f"The checkpoint in {self.path} is damaged: {str(error).splitlines()[0]}.") from error
        return state

    def close(self) -> None:
        if self._board is not None:
            self._board.close()
