"""What a stranger's clone holds, and what it does not."""

from __future__ import annotations

import re

import pytest

from tests.house import pages
from tests.house.tree import ROOT, files

PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "DECISIONS.md", "CHANGELOG.md")
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".xcf", ".kra", ".psd", ".ora"}
TEXT = {".py", ".md", ".toml", ".txt", ".in", ".json", ".yml", ".yaml", ".cfg", ".sh", ".html", ".desktop", ""}
# Marks of a developer's own machine or of unfinished work. Written with brackets so that this file does not match itself.
BANNED = re.compile(
    r"/(?:w[o]rk|r[o]ot|f[a]rm)/|index-u[r]l|pypi\.o[r]g|pythonh[o]sted|\bTO[D]O\b|\bFIX[M]E\b|\bXX[X]\b"
)


def text_files():
    return [p for p in files() if p.suffix in TEXT and "SHA256SUMS" not in p.name]


@pytest.mark.parametrize("path", [p for p in files() if p.suffix in {".py", ".sh"} or p.name == "Makefile"], ids=str)
def test_no_file_grows_into_a_hall(path):
    """About 300 lines is what somebody can read to change one thing; 320 is the limit."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 320


def test_nothing_private_or_unfinished_is_left():
    found = []
    for path in text_files():
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            if BANNED.search(line):
                found.append(f"{path}:{number}: {line.strip()[:120]}")
    assert not found, "\n".join(found)


def test_pictures_only_where_they_belong():
    """Ours are in docs/ (made by Pincel) and weights/golden (what the weights' own tests compare with)."""
    stray = [
        p
        for p in files()
        if p.suffix.lower() in PICTURES and p.parts[0] != "docs" and p.parts[:2] != ("weights", "golden")
    ]
    assert stray == []


def test_the_clone_stays_small():
    total = sum((ROOT / p).stat().st_size for p in files())
    assert total < 150e6, f"{total / 1e6:.0f} MB"


def test_no_pickles():
    assert [p for p in files() if p.suffix in {".pth", ".pt", ".pkl", ".ckpt", ".bin"}] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_exist(page):
    assert (ROOT / page).stat().st_size > 200


@pytest.mark.parametrize("page", [p for p in files() if p.suffix == ".md"], ids=str)
def test_links_lead_somewhere(page):
    """Relative links and pictures of a page name files that exist."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r"(?:src|href)=\"([^\"#]+)\"", text)
    for target in targets:
        if "://" not in target and not target.startswith("mailto:"):
            assert (ROOT / page.parent / target).exists(), f"{page} links to {target}"


def test_generated_parts_are_up_to_date():
    """`make pages` writes them: ARCHITECTURE.md's list of files and docs/errors.md."""
    assert pages.stale() == []
