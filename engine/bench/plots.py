"""The figures of a run as small PNG plots: how time and memory grow, where the time goes, other runtimes side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.bench.figures import Measure, from_json
from engine.client.errors import OptionError

PHASES = ("read", "convert", "net", "blend", "write")
COLOURS = ("#9ecae1", "#fdae6b", "#3182bd", "#e6550d", "#bdbdbd")


CAPTIONS = {
    "growth": "Seconds a megapixel, and memory beside source and result, over the size of the result",
    "phases": "Where each generator's time goes, from file to file",
    "peers": "Our networks in other runtimes: times as fast as torch without our doing",
    "service": "Jobs a second of several clients at once",
}


def drawable(measures: Mapping[str, Measure]) -> list[str]:
    """The plots that these figures are enough for, by their names in CAPTIONS."""
    there = {
        "growth": any(name.startswith("growth/") and name.endswith("/time") for name in measures),
        "phases": any(name.endswith("/net") for name in measures),
        "peers": any(name.startswith("peers/") and "times as fast" in name for name in measures),
        "service": any(name.startswith("service/") and m.unit == "jobs/s" for name, m in measures.items()),
    }
    return [name for name in CAPTIONS if there[name]]


def draw(data: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the run has figures for, as folder/bench-NAME.png. Raises OptionError where matplotlib is missing."""
    try:
        import matplotlib
    except ImportError:
        raise OptionError("Plots need matplotlib.", "Install it: pip install matplotlib") from None
    matplotlib.use("Agg")
    measures = from_json(data)
    folder.mkdir(parents=True, exist_ok=True)
    plots: dict[str, Callable[..., None]]
    plots = {"growth": _growth, "phases": _phases, "peers": _peers, "service": _service}
    return [_saved(folder / f"bench-{name}.png", plots[name], measures) for name in drawable(measures)]


def _saved(path: Path, plot: Callable[..., None], measures: Mapping[str, Measure]) -> Path:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2 if plot is _growth else 1, figsize=(7.2, 2.9), dpi=100, squeeze=False)
    try:
        plot(measures, *axes[0])
        figure.tight_layout()
        figure.savefig(path, metadata={"Software": None})
    finally:
        plt.close(figure)
    return path


def _growth(measures: Mapping[str, Measure], times: Any, memory: Any) -> None:
    """Seconds a megapixel, and memory beside source and result, over the result's megapixels."""
    tasks: dict[str, list[tuple[float, str]]] = {}
    for name in measures:
        parts = name.split("/")
        if parts[0] == "growth" and parts[-1] == "time":
            tasks.setdefault(parts[1], []).append((float(parts[2].split()[0]), name.removesuffix("time")))
    for task, sizes in tasks.items():
        megapixels = [size for size, _ in sizes]
        times.plot(megapixels, [measures[f"{base}time"].value for _, base in sizes], "o-", label=task)
        beside = [measures[f"{base}memory beside source and result"].value for _, base in sizes]
        memory.plot(megapixels, beside, "o-", label=task)
    for axes, title in ((times, "seconds a megapixel"), (memory, "MB beside source and result")):
        axes.set(xscale="log", xlabel="megapixels of the result", title=title)
        axes.legend(fontsize=8)
    times.set(yscale="log")
    memory.set(ylim=(0, None))


def _phases(measures: Mapping[str, Measure], axes: Any) -> None:
    """Where each generator's time goes, as shares of the whole from file to file."""
    names = [name.removesuffix("/net") for name in measures if name.endswith("/net")]
    for row, name in enumerate(names):
        spent = [measures[f"{name}/{p}"].value if f"{name}/{p}" in measures else 0.0 for p in PHASES]
        left, total = 0.0, sum(spent) or 1.0
        for phase, value, colour in zip(PHASES, spent, COLOURS, strict=True):
            axes.barh(row, 100 * value / total, left=left, color=colour, label=phase if row == 0 else None)
            left += 100 * value / total
    axes.set(yticks=range(len(names)), yticklabels=names, xlim=(0, 100), xlabel="% of the time from file to file")
    axes.tick_params(labelsize=8)
    if names:
        axes.legend(fontsize=8, ncols=5, loc="lower left", bbox_to_anchor=(0, 1), frameon=False)


def _peers(measures: Mapping[str, Measure], axes: Any) -> None:
    """Our networks in each runtime: times as fast as torch without our doing."""
    found = [(n, m.value) for n, m in measures.items() if n.startswith("peers/") and "times as fast" in n]
    labels = [" ".join((n.split("/")[2], n.split("/")[3].split(",")[0])) for n, _ in found]
    axes.barh(range(len(found)), [value for _, value in found], color=COLOURS[2])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set(yticks=range(len(found)), yticklabels=labels, xlabel="times as fast as torch without our doing")
    axes.tick_params(labelsize=8)


def _service(measures: Mapping[str, Measure], axes: Any) -> None:
    """Jobs a second of several clients at once."""
    found = [(n, m.value) for n, m in measures.items() if n.startswith("service/") and m.unit == "jobs/s"]
    axes.bar([n.split("/")[1].split()[0] for n, _ in found], [value for _, value in found], color=COLOURS[2])
    axes.set(xlabel="clients at once", ylabel="jobs a second, together")
