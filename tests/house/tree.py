"""The repository as the house tests see it."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Every file that is, or is about to be, in the repository, relative to ROOT; what git ignores is left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return tuple(sorted(p for p in {Path(name) for name in listed.split("\0") if name} if (ROOT / p).is_file()))


def sources(folder: str = "engine") -> list[Path]:
    """The Python files below a folder, relative to ROOT."""
    return [p for p in files() if p.suffix == ".py" and p.parts[0] == folder]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def imported(path: Path) -> set[str]:
    """The absolute names of all modules that a file imports when it runs, anywhere in it (inside functions too)."""
    package = list(path.with_suffix("").parts)[:-1]
    found: set[str] = set()
    for node in _running(tree(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            # `from engine import paths` imports engine.paths; `from engine.x import name` may name a module or not.
            found.update(f"{module}.{alias.name}" for alias in node.names)
    return found


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, without the branches for type checkers."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING"):
            yield from _running(child)
