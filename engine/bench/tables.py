"""A run as tables: on the terminal, beside a baseline, and as the generated parts of docs/performance.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from engine.bench.figures import Measure

# Ratios and shares can be compared between machines; the rest only on one machine.
PORTABLE = ("x", "%", "of 1")


def number(value: float) -> str:
    """A figure with three digits that count, without powers of ten where it can be: 0.0123, 1.23, 123, 12345."""
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}"


def spread(measure: Measure) -> str:
    """The quartiles, where there is more than one sample."""
    return f"{number(measure.low)} to {number(measure.high)}" if measure.runs > 1 else ""


def verdict(measure: Measure) -> str:
    """The limit and whether it is kept."""
    if measure.limit is None:
        return ""
    return f"{'within' if measure.within else 'missed:'} {number(measure.limit)}"


def machine(about: Mapping[str, Any]) -> str:
    """The machine in one line."""
    m = about["machine"]
    bf16 = "bfloat16" if m["bf16"] else "no bfloat16"
    gpu = f", {m['gpu']}" if m.get("gpu") else ""
    return (
        f"{m['processor']}, {m['cores']} cores ({m['threads']} used), {m['memory_gb']:g} GB, {bf16}{gpu}; torch {m['torch']}; "
        f"load {m['load']} at the start"
    )


def sections(measures: Iterable[Measure]) -> dict[str, list[Measure]]:
    """The measures by the first part of their names, in the order in which these come first."""
    found: dict[str, list[Measure]] = {}
    for measure in measures:
        found.setdefault(measure.name.split("/")[0], []).append(measure)
    return found


def show(console: Console, data: Mapping[str, Any], baseline: Mapping[str, Any] | None = None) -> None:
    """The whole run, a table for each section, with the baseline's figures where there is one."""
    from engine.bench.figures import from_json

    console.print(f"Pincel {data['version']} on {machine(data)}", soft_wrap=True)
    before = from_json(baseline) if baseline else {}
    same = bool(baseline) and baseline["machine"]["processor"] == data["machine"]["processor"]  # type: ignore[index]
    for section, measures in sections(from_json(data).values()).items():
        table = Table(title=section, title_justify="left", box=None, pad_edge=False)
        for heading in ("", "median", "", "quartiles", "limit", *(["baseline", "change"] if before else [])):
            table.add_column(heading, justify="right" if heading in ("median", "baseline", "change") else "left")
        for m in measures:
            row = [m.name.partition("/")[2], number(m.value), m.unit, spread(m), verdict(m)]
            table.add_row(*row, *(compared(m, before.get(m.name), same) if before else ()))
        console.print(table)
    for name, reason in data["skipped"].items():
        console.print(f"left out: {name}: {reason}", style="dim", soft_wrap=True)


def compared(measure: Measure, before: Measure | None, same: bool) -> tuple[str, str]:
    """(the baseline's figure, the change in per cent), empty where they cannot be compared: seconds of another machine."""
    if before is None or before.unit != measure.unit:
        return "", ""
    if before.value == 0 or not (same or measure.unit in PORTABLE):
        return number(before.value), ""
    return number(before.value), f"{100 * (measure.value / before.value - 1):+.0f} %"


def page(data: Mapping[str, Any]) -> str:
    """The run as Markdown: the machine, a table for each section, what was left out."""
    from engine.bench.figures import from_json
    from engine.bench.plots import CAPTIONS, drawable

    measures = from_json(data)
    lines = [f"Measured on {machine(data)}; {data['when']}.", ""]
    if (data["machine"].get("load") or 0) > data["machine"]["cores"] / 2:
        lines += ["**The machine was busy with other work: the ratios and shares count, the seconds do not.**", ""]
    lines += [f"![{CAPTIONS[name]}](pictures/bench-{name}.png)" for name in drawable(measures)]
    for section, rows in sections(measures.values()).items():
        lines += ["", f"### {section.capitalize()}", "", "| | Median | | Quartiles | Limit |", "|---|---|---|---|---|"]
        for m in rows:
            name = m.name.partition("/")[2].replace("/", ": ")
            lines.append(f"| {name} | {number(m.value)} | {m.unit} | {spread(m)} | {verdict(m)} |")
    if data["skipped"]:
        lines += ["", "Left out: " + "; ".join(f"{name} ({why})" for name, why in data["skipped"].items()) + "."]
    return "\n".join(lines)
