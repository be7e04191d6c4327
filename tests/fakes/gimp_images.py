"""The images of the GIMP 3 in memory (gi.py): layers, groups, masks, a selection. Their buffers are in gimp_buffers.py."""

from __future__ import annotations

from enum import Enum
from itertools import count

import numpy as np

from tests.fakes.gimp_buffers import Buffer

_ids = count(1)


def _enum(name, *members):
    return Enum(name, " ".join(members))


RunMode = _enum("RunMode", "INTERACTIVE", "NONINTERACTIVE", "WITH_LAST_VALS")
ImageBaseType = _enum("ImageBaseType", "RGB", "GRAY", "INDEXED")
ImageType = _enum("ImageType", "RGB_IMAGE", "RGBA_IMAGE", "GRAY_IMAGE", "GRAYA_IMAGE")
LayerMode = _enum("LayerMode", "NORMAL", "LCH_COLOR", "MULTIPLY")
AddMaskType = _enum("AddMaskType", "WHITE")
ChannelOps = _enum("ChannelOps", "REPLACE")
PDBStatusType = _enum("PDBStatusType", "SUCCESS", "CANCEL", "EXECUTION_ERROR", "CALLING_ERROR")


class Precision(Enum):
    U8_NON_LINEAR = "u8"
    U16_NON_LINEAR = "u16"
    FLOAT_NON_LINEAR = "float"
    format = property(lambda self: self.value)


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
    def get_format(self):
        return f"Y {self.image.precision.format}"

    def copy(self):
        made = Channel(self.image, f"{self.name} copy", self.get_width(), self.get_height())
        made.array[:] = self.array
        return made


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
        self.layers, self.channels, self.selection, self.log, self.chosen = [], [], None, [], []

    @classmethod
    def new_with_precision(cls, width, height, base, precision):
        return cls(width, height, base, precision)

    def __getattribute__(self, name):
        if name == object.__getattribute__(self, "breaks") and name:
            raise RuntimeError(f"{name} broke")
        return object.__getattribute__(self, name)

    steps = property(lambda self: {"u8": 255, "u16": 65535}.get(self.precision.format, 0))

    def get_selection(self):
        made = Channel(self, "Selection Mask", self.width, self.height)
        if self.selection is not None:
            left, top, right, bottom = self.selection
            made.array[top:bottom, left:right] = 1.0
        return made

    def insert_channel(self, channel, parent, position):
        self.channels.insert(position, channel)

    def remove_channel(self, channel):
        self.channels.remove(channel)

    def select_item(self, operation, channel):
        """A selection here is a rectangle."""
        assert channel in self.channels, "cannot be used because it has not been added to an image"
        rows, columns = np.nonzero(channel.array[..., 0])
        inside = rows.size > 0
        self.selection = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if inside else None

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

    @staticmethod
    def none(image):
        image.selection = None
