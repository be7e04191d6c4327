"""The Help button of each dialog leads somewhere."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from engine.client.controls import PLACES
from engine.client.options import TASKS
from tests.house.tree import ROOT

FOLDER = ROOT / "plugin_gimp/pincel/help/en"


def test_every_procedure_has_its_place_in_the_page():
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    anchors = set(re.findall(r'id="([\w-]+)"', page))
    items = {item.get("id"): item.get("ref") for item in ElementTree.parse(FOLDER / "gimp-help.xml").getroot()}
    for name in TASKS:
        file, _, anchor = items[f"plug-in-pincel-{name}"].partition("#")
        assert file == "index.html" and anchor in anchors


def test_the_page_speaks_the_dialogs_words():
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    for words in PLACES.values():
        assert words in page
