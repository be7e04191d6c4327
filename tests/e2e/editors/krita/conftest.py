"""One Krita and one engine for all tests of this folder; each test has documents of its own."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.editors.engines import Engine, environment
from tests.e2e.editors.krita import driver


@pytest.fixture(scope="session")
def krita_stage(tmp_path_factory):
    """(folder, environment) that Krita and the engine share."""
    why = driver.why_not()
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("krita")
    return folder, environment(folder)


@pytest.fixture(scope="session")
def krita_engine(krita_stage):
    engine = Engine(krita_stage[1])
    engine.start()
    yield engine
    engine.stop()


def start(stage, name: str) -> driver.Krita:
    """A Krita with a picture open; where its display was lost, as happens once in many starts, once more."""
    folder, environ = stage
    picture = folder / "in.png"
    if not picture.exists():
        from PIL import Image

        Image.fromarray(photo(32, 48)[..., 0]).save(picture)
    try:
        return driver.Krita(folder / name, environ, picture)
    except (AssertionError, RuntimeError):
        return driver.Krita(folder / (name + "-again"), environ, picture)


@pytest.fixture(scope="session")
def _krita(krita_stage, krita_engine):
    made = start(krita_stage, "k")
    yield made
    made.kill()


@pytest.fixture
def krita(_krita, krita_engine):
    """The Krita, with an engine; the test's documents are closed afterwards."""
    krita_engine.start()
    yield _krita
    _krita.do("""
        for d in list(app.documents())[1:]:
            d.waitForDone(); d.setBatchmode(True); d.setModified(False); d.close()
    """)


def photo(height: int, width: int, dtype=np.uint8) -> np.ndarray:
    """A black-and-white photograph (scikit-image's camera, CC0), opaque, [height, width, 4]."""
    from skimage import data

    step = 2 if height <= 200 and width <= 200 else 1
    grey = data.camera()[60 : 60 + step * height : step, 120 : 120 + step * width : step]
    made = np.dstack([grey, grey, grey, np.full_like(grey, 255)])
    if dtype == np.uint16:
        return made.astype(np.uint16) * 257
    return made if dtype == np.uint8 else (made / 255).astype(dtype)
