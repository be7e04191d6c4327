"""A gi with as much of GIMP 3 as our plug-in uses: images in memory, every call that matters written down.

The real GIMP says whether our calls are right (tests/e2e/editors); this one says quickly whether our logic still is, and can be
made to fail in the middle (Image.breaks).
"""

from __future__ import annotations

import sys
import types
from enum import Flag, auto

from tests.fakes.gimp_buffers import Rectangle
from tests.fakes.gimp_images import *  # noqa: F403


def require_version(name, version):
    pass


# ---- the rest of Gimp --------------------------------------------------------------------------------------------


class ProcedureSensitivityMask(Flag):
    DRAWABLE = auto()
    DRAWABLES = auto()
    NO_DRAWABLES = auto()
    NO_IMAGE = auto()


class _Type(type):
    __gtype__ = property(lambda cls: cls)


class PlugIn(metaclass=_Type):
    @staticmethod
    def error_quark():
        return 0

    def set_help_domain(self, name, file):
        self.help = (name, file)


class Choice:
    def __init__(self):
        self.values = []

    @classmethod
    def new(cls):
        return cls()

    def add(self, value, number, words, help):
        self.values.append(value)


class Config(dict):
    def get_property(self, name):
        return self[name]


class Values(list):
    def remove(self, index):
        del self[index]


class ImageProcedure:
    def __init__(self, plugin, name, kind, run, data):
        self.plugin, self.name, self.run, self.data, self.arguments = plugin, name, run, data, {}

    @classmethod
    def new(cls, *words):
        return cls(*words)

    def get_name(self):
        return self.name

    def __getattr__(self, name):
        if name.startswith("add_") and name.endswith("_argument"):
            default = (lambda words: None) if name == "add_layer_argument" else (lambda words: words[-2])
            return lambda *words: self.arguments.__setitem__(words[0], default(words))
        return lambda *words: None

    def new_return_values(self, status, error):
        return Values([status, error] if error is not None else [status, None, None])

    def config(self, **given):
        """The arguments at their defaults, or as given."""
        values = self.arguments
        assert set(given) <= set(values), set(given) - set(values)
        return Config({**values, **given})


class _Gimp(types.ModuleType):
    def __init__(self):
        super().__init__("gi.repository.Gimp")
        self.said, self.bar, self.plugins = [], [], []

    def main(self, kind, words):
        self.plugins.append(kind())

    def message(self, text):
        self.said.append(text)

    def progress_init(self, text):
        self.bar.append(text)

    def progress_set_text(self, text):
        self.bar.append(text)

    def progress_update(self, fraction):
        assert 0 <= fraction <= 1

    def progress_end(self):
        self.bar.append("end")

    def displays_flush(self):
        pass


def _module(name, **members):
    made = types.ModuleType(f"gi.repository.{name}")
    vars(made).update(members)
    return made


Gimp = _Gimp()
for _name, _value in list(globals().items()):
    if isinstance(_value, type) and not _name.startswith("_"):
        setattr(Gimp, _name, _value)
Gimp.PDBProcType = types.SimpleNamespace(PLUGIN=1)

repository = types.ModuleType("gi.repository")
repository.Gimp = Gimp
repository.Gegl = _module(
    "Gegl", Rectangle=Rectangle, init=lambda words: None, AbyssPolicy=types.SimpleNamespace(NONE=0)
)
repository.Babl = _module("Babl", get_name=lambda format: format)
repository.GLib = _module("GLib", Error=types.SimpleNamespace(new_literal=lambda quark, text, code: text))
repository.Gio = _module("Gio", File=types.SimpleNamespace(new_for_path=lambda path: path))
repository.GObject = _module("GObject", ParamFlags=types.SimpleNamespace(READWRITE=3), Value=lambda kind, value: value)
sys.modules.setdefault("gi.repository", repository)
