"""The shipped weights: what the repository promises about each file."""

from __future__ import annotations

import hashlib
import json
import re

import pytest
from safetensors import safe_open

from engine import paths
from engine.client.options import TASKS
from engine.generators import base
from engine.store import models, weights
from engine.store.header import SCALE, read_header

FOLDER = paths.shipped("weights")
FILES = sorted(FOLDER.glob("*.safetensors"))
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def rows() -> dict[str, str]:
    """The model card rows of weights/README.md, by file name."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    return {found[1]: found[0] for found in re.finditer(r"^\|[^|\n]*`([\w.-]+\.safetensors)`.*$", text, re.M)}


def test_sums_name_every_file_and_no_other():
    lines = [line.split() for line in (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()]
    assert sorted(name for _, name in lines) == [path.name for path in FILES]
    for sha, name in lines:
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == sha, name


def test_the_readme_has_a_row_for_every_file_and_no_other():
    assert sorted(rows()) == [path.name for path in FILES]


def test_every_default_is_there():
    defaults = json.loads((FOLDER / "defaults.json").read_text(encoding="utf-8"))
    for task, names in defaults.items():
        assert models.ANY in names
        for name in names.values():
            assert read_header(FOLDER / f"{name}.safetensors").task == task and task in TASKS
    contents = next(o.choices for o in TASKS["upscale"].options if o.name == "content")
    assert set(defaults["upscale"]) <= {models.ANY, "cpu", *contents}


def test_verify_finds_nothing_wrong(monkeypatch):
    monkeypatch.setattr(paths, "model_folders", lambda: [FOLDER])
    verdicts = models.verify()
    assert len(verdicts) == len(FILES)
    assert [verdict for verdict in verdicts if verdict.error or not verdict.listed] == []


@each
def test_the_header_is_complete(path):
    header = read_header(path)
    assert path.name == f"{header.name}.safetensors"
    card = base.card(header.generator)
    assert header.task == card.task and header.thesis == card.thesis
    assert header.title and len(header.licence) > 5 and header.steps > 0
    assert header.metrics, "figures on held-out pictures"
    assert re.fullmatch(r"[0-9a-f]{40}\+?", header.commit), "the commit that trained it"
    assert re.match(r"\d{4}-\d\d-\d\dT", header.created) and "engine.train" in header.command
    assert header.data
    for pack in header.data:
        assert pack["pack"] and re.fullmatch(r"[0-9a-f]{64}", pack["sha256"]), pack
    assert not re.search(r"/(?:home|root|Users|tmp)/", header.command), "a private path"


@each
def test_floats_are_half_precision_or_less(path):
    with safe_open(path, "pt") as file:
        kinds = {file.get_slice(key).get_dtype() for key in file.keys() if not key.endswith(SCALE)}  # noqa: SIM118 - it is no mapping
    assert "F16" in kinds and kinds <= {"F16", "I8", "I64", "U8", "BOOL"}


@each
def test_it_loads_with_the_shapes_its_config_builds(path):
    _, network = weights.load(path)
    assert sum(p.numel() for p in network.parameters()) > 1000


def test_the_clone_stays_small():
    assert sum(path.stat().st_size for path in FILES) < 60e6
    assert sum(path.stat().st_size for path in (FOLDER / "golden").iterdir()) < 4e6


def test_nothing_else_lies_about():
    allowed = {"README.md", "SHA256SUMS", "defaults.json", "golden", *(path.name for path in FILES)}
    assert {path.name for path in FOLDER.iterdir() if "__" not in path.name} <= allowed
