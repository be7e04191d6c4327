"""One GIMP without a window for all tests of this folder, and one engine, started when a test asks for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.editors import gimp as real
from tests.e2e.editors.desk import Desk, catch_pages
from tests.e2e.editors.engines import Engine, environment
from tests.e2e.editors.pictures import Pictures


def pytest_collection_modifyitems(items):
    for item in items:
        if "e2e/editors" in item.nodeid:
            item.add_marker(pytest.mark.editor)


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    """(folder, environment) that the editor and the engine share."""
    folder = tmp_path_factory.mktemp("gimp")
    return folder, environment(folder)


@pytest.fixture(scope="session")
def console(stage):
    _, why = real.where()
    if why:
        pytest.skip(why)
    gimp = real.Gimp(*stage)
    yield gimp
    gimp.close()


@pytest.fixture
def pictures(console, engine):
    made = Pictures(console)
    yield made
    console.do("if 'img' in globals(): img.delete(); del img")


def meddled(gimp, code):
    """Have the installed plug-in of a GIMP 3 itself do, when the engine is through, what its user does meanwhile to the
    image `img`; a function that puts the plug-in back."""
    program = gimp.profile / "plug-ins/pincel/pincel.py"
    kept, waited = program.read_text(), "    _wait(job, task)\n"
    assert kept.count(waited) == 1
    program.write_text(kept.replace(waited, f"{waited}    img = image\n    {code}\n"))
    return lambda: program.write_text(kept)


@pytest.fixture
def meanwhile(console):
    """A function: see meddled."""
    undone = []
    yield lambda code: undone.append(meddled(console, code))
    for put_back in reversed(undone):
        put_back()


@pytest.fixture(scope="session")
def desk(tmp_path_factory):
    """One GIMP with a window for all tests, and its engine. $PINCEL_TEST_SHOTS names the folder for screenshots."""
    _, why = real.where()
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    if why or missing:
        pytest.skip(why or f"{' and '.join(missing)} not installed")
    folder = tmp_path_factory.mktemp("window")
    shots = Path(os.environ.get("PINCEL_TEST_SHOTS") or folder)
    shots.mkdir(parents=True, exist_ok=True)
    environ = environment(folder)
    engine = Engine(environ)
    engine.start()
    try:
        catch_pages(folder)
        gimp = real.Gimp(folder, environ, window=True)
        yield Desk(gimp, engine, shots)
        gimp.close()
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def _engine(stage):
    engine = Engine(stage[1])
    yield engine
    engine.stop()


@pytest.fixture
def engine(_engine):
    _engine.start()
    return _engine


@pytest.fixture
def nobody(_engine):
    """No engine runs."""
    _engine.stop()
    return _engine


@pytest.fixture(scope="session")
def grey():
    """A black-and-white photograph (scikit-image's camera, CC0), u8 [120, 160]."""
    from skimage import data

    return np.ascontiguousarray(data.camera()[60:300:2, 120:440:2])
