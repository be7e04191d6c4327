"""`make pages`: the parts of the pages that are made from the sources, between <!-- begin NAME --> and <!-- end NAME -->.

files: ARCHITECTURE.md's list, each Python file of the engine with the first sentence of its docstring. errors: docs/errors.md's
table, each error with its exit status and remedy. generators: docs/generators.md's table, from cards and networks. bench:
docs/performance.md's tables, from the figures in docs/performance.json.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

from engine.client.catalogue import catalogue
from tests.house.tree import ROOT, sources, tree


def list_of_files() -> str:
    lines, folder = [], None
    for path in sorted(sources(), key=lambda path: (path.parent, path.name)):
        text = ast.get_docstring(tree(path))
        if not text:
            continue
        if path.parent != folder:
            folder = path.parent
            lines += ["", f"**`{folder.as_posix()}/`**", ""]
        first = re.split(r"(?<=\.)\s(?=[A-Z`])", " ".join(text.split("\n\n")[0].split()))[0].rstrip(":.")
        lines.append(f"- `{path.as_posix()}`: {first}.")
    return "\n".join(lines[1:])


def table_of_errors() -> str:
    lines = ["| Code | Exit status | What to do |", "|---|---|---|"]
    for code, cls in catalogue().items():
        lines.append(f"| `{code}` | {cls.exit_status} | {cls.remedy} |")
    return "\n".join(lines)


def table_of_generators() -> str:
    import torch

    from engine.generators import base

    def size(made) -> str:
        return f"{sum(p.numel() for p in made.parameters()) / 1e6:.2f} M"

    lines = ["| Generator | Task | Thesis | Compact net | Thesis' net | Its discriminator | Weights |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in base.names():
        module, card = base.module(name), base.card(name)
        with torch.device("meta"):  # counted without memory
            compact = size(module.Generator(**module.CONFIG))
            full = size(module.Generator(**module.THESIS)) if hasattr(module, "THESIS") else "none"
            judge = size(module.Discriminator()) if hasattr(module, "Discriminator") else "none"
        shipped = sorted(p.name.removesuffix(".safetensors") for p in (ROOT / "weights").glob(f"{name}.*.safetensors"))
        weights = ", ".join(f"`{file}`" for file in shipped) or "none yet"
        lines.append(f"| `{name}` | {card.task} | {card.thesis} | {compact} | {full} | {judge} | {weights} |")
    return "\n".join(lines)


def tables_of_bench() -> str:
    from engine.bench import tables

    return tables.page(json.loads((ROOT / "docs/performance.json").read_text(encoding="utf-8")))


PARTS = {
    "ARCHITECTURE.md": ("files", list_of_files),
    "docs/errors.md": ("errors", table_of_errors),
    "docs/generators.md": ("generators", table_of_generators),
    "docs/performance.md": ("bench", tables_of_bench),
}


def _renewed(page: Path, name: str, content: str) -> str:
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}{content}\n{end}{tail}"


def stale(write: bool = False) -> list[str]:
    """The pages whose generated part is not what the sources say; write: bring them up to date."""
    found = []
    for name, (part, make) in PARTS.items():
        page = ROOT / name
        text = _renewed(page, part, make())
        if text != page.read_text(encoding="utf-8"):
            found.append(name)
            if write:
                page.write_text(text, encoding="utf-8")
    return found


if __name__ == "__main__":
    print("\n".join(f"{name}: brought up to date" for name in stale(write=True)) or "All pages are up to date.")
