"""docs/errors.md shows for every error what its sentence looks like; the table of remedies there is made by pages.py."""

from __future__ import annotations

import re

from engine.client.catalogue import catalogue
from tests.house.tree import ROOT


def test_every_error_has_an_example_and_no_other():
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    examples = re.findall(r"^- `([a-z.-]+)`: (.+)$", page, re.M)
    assert [code for code, _ in examples if code in catalogue()] == [code for code, _ in examples]
    assert sorted(code for code, _ in examples) == sorted(catalogue())
    assert all(sentence.endswith(".") for _, sentence in examples)
