"""A gi with as much of GIMP 3 as our plug-in uses: images in memory, every call that matters written down.

Pixels are kept as the real one does: display-encoded sRGB [H, W, 4], rounded to the image's precision when they are set. The
real GIMP says whether our calls are right (tests/e2e/editors); this one says quickly whether our logic still is, and can be
made to fail in the middle (Image.breaks).
"""

from __future__ import annotations

import sys
import types
from enum import Enum, Flag, auto
from itertools import count

import numpy as np

_ids = count(1)


def require_version(name, version):
    pass


def _enum(name, *members):
    return Enum(name, " ".join(members))


# ---- Gegl, Babl, GLib, Gio, GObject ------------------------------------------------------------------------------


class Rectangle:
    @classmethod
    def new(cls, x, y, width, height):
        made = cls()
        made.x, made.y, made.width, made.height = x, y, width, height
        return made


_COUNT = {"Y'": 1, "Y'A": 2, "R'G'B'": 3, "R'G'B'A": 4, "Y": 1}
_KIND = {"u8": (np.uint8, 255), "u16": (np.uint16, 65535), "float": (np.float32, 1)}


class Buffer:
    def __init__(self, drawable, array):
        self.drawable, self.array = drawable, array

    def get(self, rect, scale, format, abyss):
        model, kind = format.split()
        whole = np.zeros((rect.height, rect.width, 4))
        height, width = self.array.shape[:2]
        y0, y1, x0, x1 = (
            max(rect.y, 0),
            min(rect.y + rect.height, height),
            max(rect.x, 0),
            min(rect.x + rect.width, width),
        )
        if y0 < y1 and x0 < x1:
            whole[y0 - rect.y : y1 - rect.y, x0 - rect.x : x1 - rect.x] = self.array[y0:y1, x0:x1]
        wanted = {1: whole[..., :1], 2: whole[..., [0, 3]], 3: whole[..., :3], 4: whole}[_COUNT[model]]
        dtype, top = _KIND[kind]
        return (np.rint(wanted * top) if top > 1 else wanted).astype(dtype).tobytes()

    def set(self, rect, format, data):
        model, kind = format.split()
        dtype, top = _KIND[kind]
        given = np.frombuffer(data, dtype).reshape(rect.height, rect.width, -1) / top
        place = self.array[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
        assert place.shape[:2] == given.shape[:2], "outside the buffer"
        colours = given[..., :1] if _COUNT[model] < 3 else given[..., :3]
        steps = self.drawable.image.steps
        place[..., :3] = np.rint(colours * steps) / steps if steps else colours
        place[..., 3] = given[..., -1] if model.endswith("A") else 1.0

    def flush(self):
        pass


# ---- images and layers -------------------------------------------------------------------------------------------


class Drawable:
    def __init__(self, image, name, width, height):
        self.image, self.name, self.id, self.offsets = image, name, next(_ids), (0, 0)
        self.array, self.shadow = np.zeros((height, width, 4)), None

    def get_id(self):
        return self.id

    def get_name(self):
        return self.name

    def get_image(self):
        return self.image

    def get_width(self):
        return self.array.shape[1]

    def get_height(self):
        return self.array.shape[0]

    def get_offsets(self):
        return (True, *self.offsets)

    def set_offsets(self, x, y):
        self.offsets = (x, y)

    def get_buffer(self):
        return Buffer(self, self.array)

    def update(self, x, y, width, height):
        pass


class Channel(Drawable):
    pass


class LayerMask(Channel):
    layer = None


class Layer(Drawable):
    def __init__(self, image, name, width, height, kind, mode):
        super().__init__(image, name, width, height)
        self.kind, self.mode, self.parent, self.mask, self.visible, self.locked = kind, mode, None, None, True, False
        self.children = []

    @classmethod
    def new(cls, image, name, width, height, kind, opacity, mode):
        return cls(image, name, width, height, kind, mode)

    @staticmethod
    def from_mask(mask):
        return mask.layer

    def is_gray(self):
        return self.kind.name.startswith("GRAY")

    def is_indexed(self):
        return self.image.base == ImageBaseType.INDEXED

    def is_group(self):
        return isinstance(self, GroupLayer)

    def has_alpha(self):
        return self.kind.name in ("RGBA_IMAGE", "GRAYA_IMAGE")

    def get_format(self):
        model = ("Y'" if self.is_gray() else "R'G'B'") + ("A" if self.has_alpha() else "")
        return f"{model} {self.image.precision.format}" if not self.is_indexed() else "a palette"

    def get_parent(self):
        return self.parent

    def get_children(self):
        return self.children

    def get_lock_content(self):
        return self.locked

    def get_mask(self):
        return self.mask

    def get_apply_mask(self):
        return True

    def get_mode(self):
        return self.mode

    def set_mode(self, mode):
        self.mode = mode

    def set_visible(self, visible):
        self.visible = visible

    def create_mask(self, kind):
        made = LayerMask(self.image, "mask", self.get_width(), self.get_height())
        made.layer, made.array[:] = self, 1.0
        if kind == AddMaskType.SELECTION:
            x, y = self.offsets
            values = np.zeros((self.get_height(), self.get_width()))
            chosen = self.image.selected()
            for row in range(values.shape[0]):
                for column in range(values.shape[1]):
                    if 0 <= row + y < chosen.shape[0] and 0 <= column + x < chosen.shape[1]:
                        values[row, column] = chosen[row + y, column + x]
            made.array[:] = values[..., None]
        return made

    def add_mask(self, mask):
        self.mask = mask

    def scale(self, width, height, local):
        for one in (self, self.mask) if self.mask else (self,):
            rows = np.arange(height) * one.array.shape[0] // height
            columns = np.arange(width) * one.array.shape[1] // width
            one.array = one.array[rows][:, columns]

    def get_shadow_buffer(self):
        self.shadow = self.array.copy()
        return Buffer(self, self.shadow)

    def merge_shadow(self, undo):
        (x, y), weight = self.offsets, np.ones(self.array.shape[:2])
        if self.image.selection is not None:
            weight = np.zeros(self.array.shape[:2])
            left, top, right, bottom = self.image.selection
            weight[max(0, top - y) : max(0, bottom - y), max(0, left - x) : max(0, right - x)] = 1
        self.array = np.where(weight[..., None] > 0, self.shadow, self.array)


class GroupLayer(Layer):
    @classmethod
    def new(cls, image, name):
        return cls(image, name, 0, 0, ImageType.RGBA_IMAGE, LayerMode.NORMAL)


class Image:
    """selection: (left, top, right, bottom) or None. breaks: the name of a method that raises when it is called."""

    breaks = ""

    def __init__(self, width, height, base, precision):
        self.width, self.height, self.base, self.precision, self.id = width, height, base, precision, next(_ids)
        self.layers, self.selection, self.log, self.chosen = [], None, [], []

    @classmethod
    def new_with_precision(cls, width, height, base, precision):
        return cls(width, height, base, precision)

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "breaks") and name:
            raise RuntimeError(f"{name} broke")
        return object.__getattribute__(self, name)

    steps = property(lambda self: {"u8": 255, "u16": 65535}.get(self.precision.format, 0))

    def selected(self):
        chosen = np.zeros((self.height, self.width))
        left, top, right, bottom = self.selection
        chosen[top:bottom, left:right] = 1.0
        return chosen

    def get_id(self):
        return self.id

    def get_width(self):
        return self.width

    def get_height(self):
        return self.height

    def get_base_type(self):
        return self.base

    def get_precision(self):
        return self.precision

    def get_color_profile(self):
        return None

    def get_resolution(self):
        return True, 72.0, 72.0

    def set_resolution(self, across, down):
        pass

    def undo_disable(self):
        pass

    def undo_enable(self):
        pass

    def delete(self):
        self.log.append("delete")

    def undo_group_start(self):
        self.log.append("start")

    def undo_group_end(self):
        self.log.append("end")

    def convert_rgb(self):
        self.base = ImageBaseType.RGB
        for layer in self.layers:
            layer.kind = ImageType[layer.kind.name.replace("GRAY", "RGB")]

    def get_item_position(self, layer):
        return (layer.parent.children if layer.parent else self.layers).index(layer)

    def insert_layer(self, layer, parent, position):
        layer.parent = parent
        (parent.children if parent else self.layers).insert(position, layer)

    def set_selected_layers(self, layers):
        self.chosen = layers

    def resize(self, width, height, x, y):
        self.width, self.height = width, height
        for layer in self.layers:
            layer.set_offsets(layer.offsets[0] + x, layer.offsets[1] + y)


class Selection:
    @staticmethod
    def bounds(image):
        return (True, image.selection is not None, *(image.selection or (0, 0, image.width, image.height)))

    @staticmethod
    def is_empty(image):
        return image.selection is None


# ---- the rest of Gimp --------------------------------------------------------------------------------------------

RunMode = _enum("RunMode", "INTERACTIVE", "NONINTERACTIVE", "WITH_LAST_VALS")
ImageBaseType = _enum("ImageBaseType", "RGB", "GRAY", "INDEXED")
ImageType = _enum("ImageType", "RGB_IMAGE", "RGBA_IMAGE", "GRAY_IMAGE", "GRAYA_IMAGE")
LayerMode = _enum("LayerMode", "NORMAL", "LCH_COLOR", "MULTIPLY")
AddMaskType = _enum("AddMaskType", "SELECTION", "WHITE")
PDBStatusType = _enum("PDBStatusType", "SUCCESS", "CANCEL", "EXECUTION_ERROR", "CALLING_ERROR")


class Precision(Enum):
    U8_NON_LINEAR = "u8"
    U16_NON_LINEAR = "u16"
    FLOAT_NON_LINEAR = "float"
    format = property(lambda self: self.value)


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
