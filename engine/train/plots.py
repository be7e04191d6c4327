"""Curves of a run as PNG files, drawn by matplotlib from stats.jsonl (by step) and epochs.jsonl (by epoch)."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from engine.train.meters import COUNTS

_NO_CURVE = {"step", "time", "epoch", "seconds", "steps_per_s"}


def read_lines(path: Path) -> list[dict[str, float]]:
    """The lines of a JSON-lines file; a last line that a crash cut off is left out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def curves(path: Path, key: str) -> dict[str, tuple[list[float], list[float]]]:
    """Each scalar of the file as (places, values), the places by `key` ("step" or "epoch"). Counts are left out."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in read_lines(path):
        for name, value in row.items():
            if name not in _NO_CURVE and not name.startswith(COUNTS):
                places, values = found.setdefault(name, ([], []))
                places.append(row[key])
                values.append(value)
    return found


def draw(path: Path, key: str) -> bytes | None:
    """One panel a scalar, held-out figures last, as the bytes of a PNG; None where there is nothing to draw.

    Raises ImportError without matplotlib.
    """
    found = curves(path, key)
    return panels(found, key) if found else None


def panels(found: dict[str, tuple[list[float], list[float]]], key: str) -> bytes:
    """The same from curves that are there already: (places, values) by name. Raises ImportError without matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted(found, key=lambda name: (name == "rate", name.startswith("heldout/")))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    height = 3.0 * rows
    figure = Figure(figsize=(4.4 * columns, height))
    figure.subplots_adjust(0.17 / columns, 0.5 / height, 1 - 0.04 / columns, 1 - 0.35 / height, 0.24, 0.5)
    FigureCanvasAgg(figure)
    for index, name in enumerate(names):
        places, values = found[name]
        panel: Any = figure.add_subplot(rows, columns, index + 1)
        panel.plot(places, values, linewidth=1.2, marker="o" if len(places) < 30 else None, markersize=3)
        panel.set_title(name, fontsize=10)
        panel.set_xlabel(key, fontsize=8)
        panel.tick_params(labelsize=8)
        panel.grid(alpha=0.3)
        if len(values) > 2 and min(values) > 0 and max(values) > 20 * min(values):
            panel.set_yscale("log")
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    return file.getvalue()
