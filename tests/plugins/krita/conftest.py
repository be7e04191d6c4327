"""The installed plug-in, imported beside a fake Krita and a real Qt without a screen."""

from __future__ import annotations

import importlib
import os
import sys

import pytest

from engine.install import common, krita
from tests.e2e.editors.engines import Engine
from tests.fakes import krita as fake

QT = int(os.environ.get("PINCEL_TEST_QT", "6"))


@pytest.fixture(scope="session")
def plugin(tmp_path_factory):
    """A function that imports a module of the plug-in as `pincel install krita` has put it in place."""
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    widgets = pytest.importorskip(f"PyQt{QT}.QtWidgets", exc_type=ImportError)
    home = tmp_path_factory.mktemp("krita")
    (home / ".local/share/krita").mkdir(parents=True)
    [profile] = common.found(krita.EDITOR, None, common.Surroundings(home, {}, "linux"))
    common.install(krita.EDITOR, profile)
    sys.path.insert(0, str(profile.plugins))
    fake.put_into_modules(QT)
    application = widgets.QApplication.instance() or widgets.QApplication([])
    yield lambda name: importlib.import_module("pincel." + name)
    sys.path.remove(str(profile.plugins))
    del application


@pytest.fixture
def app(plugin):
    """A fresh fake Krita."""
    return fake.put_into_modules(QT)


@pytest.fixture
def host(plugin, app):
    made = plugin("host").Host()
    yield made
    made.close()


@pytest.fixture
def document(app):
    """A document in front with one opaque grey layer "photo" of 40 x 30."""
    made = fake.Document(app, 40, 30, name="test")
    made.put("photo", bytes(v for n in range(1200) for v in (n % 200, n % 200, n % 200, 255)), 0, 0, 40, 30)
    app.setActiveDocument(made)
    return made


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A real engine; its address is the environment's, as for a user."""
    folder = tmp_path_factory.mktemp("engine")
    environ = dict(os.environ, PINCEL_RUNTIME_DIR=str(folder))
    made = Engine({"PINCEL_RUNTIME_DIR": str(folder)})
    made.start()
    yield environ
    made.stop()


@pytest.fixture
def hub(plugin, host, engine):
    made = plugin("hub").Hub(host, engine)
    made.timer.stop()  # the tests turn it
    yield made
    made.close()
