"""The catalogue of errors: one code a class, one exit status a branch, and no code anywhere that is not declared."""

from __future__ import annotations

import ast
import re

import pytest

from engine.client import errors
from engine.client.catalogue import catalogue
from tests.house.tree import ROOT, files, sources, tree

CODE = re.compile(r"(?:input|option|output|weights|engine|training)\.[a-z]+(?:-[a-z]+)*")
NAMES = {f"engine.{ending}" for ending in ("json", "log", "lock", "sock")}  # files that look like codes


def classes():
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.PincelError)]


def test_every_class_has_a_code_of_its_own():
    codes = [c.code for c in classes() if c is not errors.PincelError]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(catalogue())


def test_a_branch_has_one_exit_status():
    """Scripts rely on these numbers: they never change."""
    branches = {"option": 2, "input": 3, "output": 4, "weights": 5, "engine": 6, "training": 7}
    branches |= {"internal": 1, "cancelled": 130}
    for cls in classes():
        assert cls.exit_status == branches[cls.code.partition(".")[0]], cls


def test_every_error_says_what_to_do():
    for cls in classes():
        assert cls.remedy.endswith(".") and len(cls.remedy) > 20, cls


@pytest.mark.parametrize("path", [p for p in sources() if p.name != "errors.py"], ids=str)
def test_codes_in_the_sources_are_declared(path):
    modules = NAMES | {".".join(p.with_suffix("").parts) for p in sources()}
    modules |= {m.removesuffix(".__init__") for m in modules} | {m.rpartition(".")[0] for m in modules}
    for node in ast.walk(tree(path)):
        is_code = isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value)
        if is_code and node.value not in modules and not (ROOT / node.value).exists():
            assert node.value in catalogue(), f"{path}:{node.lineno}: {node.value}"


def test_codes_in_the_pages_are_declared():
    for path in files():
        if path.suffix == ".md":
            text = (ROOT / path).read_text("utf-8")
            for found in re.findall(r"`((?:input|option|output|weights|training)\.[a-z-]+)`", text):
                known = found in catalogue() or found.endswith((".jpg", ".png", ".tif", ".py", ".md"))
                assert known, f"{path}: {found}"
