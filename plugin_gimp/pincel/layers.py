"""What the user chose, read from GIMP: the layer, the selection, the hints, as Pixels that say what they are."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Babl", "0.1")
from gi.repository import Babl, Gegl, Gimp  # noqa: E402
from pincel_client import errors, region  # noqa: E402
from pincel_client.pixels import Pixels  # noqa: E402

# Pixels' words in Babl's. The primed models are display-encoded sRGB, whatever profile and precision the image has.
MODELS = {"GRAY": "Y'", "GRAYA": "Y'A", "RGB": "R'G'B'", "RGBA": "R'G'B'A"}
TYPES = {"u8": "u8", "u16": "u16", "f16": "half", "f32": "float"}


def chosen(image, drawables, task):
    """The one layer to work on, None for a task that needs none and has none. Raises InputError."""
    if not task.source:
        return next((d for d in drawables if isinstance(d, Gimp.Layer)), None)
    if len(drawables) != 1:
        raise errors.InputError("%d layers are selected." % len(drawables), "Select the one layer to work on.")
    drawable = drawables[0]
    if isinstance(drawable, Gimp.LayerMask):  # somebody paints on the mask: the layer is meant
        drawable = Gimp.Layer.from_mask(drawable)
    if not isinstance(drawable, Gimp.Layer):
        raise errors.InputError("%s is a channel, not a layer." % drawable.get_name(), "Select the layer to work on.")
    return drawable


def indexed():
    """The refusal of an image with a palette, and the offer."""
    return errors.UnsupportedMode(
        "This image is indexed: its palette cannot hold the result.",
        "Choose Image > Mode > RGB, or have Pincel do it (convert-indexed), or let the result be a new image.",
    )


def rectangle(layer):
    """The layer's Rect on the canvas."""
    _, x, y = layer.get_offsets()
    return region.Rect(x, y, layer.get_width(), layer.get_height())


class Chosen:
    """The selection as it is now, for later: the user may change it while the engine works.

    rect: the Rect around it, on the canvas. format: Babl's name for the values, GIMP's own, so that they lose nothing.
    """

    def __init__(self, image, rect):
        self.rect, mask = rect, image.get_selection()
        self.format = format_of(mask)
        self.data = bytes(mask.get_buffer().get(gegl(rect), 1.0, self.format, Gegl.AbyssPolicy.NONE))

    def __eq__(self, other):
        return isinstance(other, Chosen) and vars(self) == vars(other)

    def __ne__(self, other):
        return not self == other

    def over(self, rect):
        """The values (bytes) in a Rect on the canvas: how far each pixel is selected, which beyond `self.rect` none is."""
        size = len(self.data) // (self.rect.width * self.rect.height)
        values, common = bytearray(rect.width * rect.height * size), rect.intersect(self.rect)
        if common.empty:
            return bytes(values)
        for y in range(common.y, common.bottom):
            at = ((y - rect.y) * rect.width + common.x - rect.x) * size
            begin = ((y - self.rect.y) * self.rect.width + common.x - self.rect.x) * size
            values[at : at + common.width * size] = self.data[begin : begin + common.width * size]
        return bytes(values)


def selection(image):
    """What is Chosen, None when nothing is selected."""
    _, there, left, top, right, bottom = Gimp.Selection.bounds(image)
    return Chosen(image, region.Rect(left, top, right - left, bottom - top)) if there else None


def format_of(drawable):
    """Babl's name for a drawable's own pixels."""
    return Babl.get_name(drawable.get_format())


def frame(drawable):
    """(channels, dtype) in which a drawable's pixels travel without loss: its own 8 or 16 bits where they are plain sRGB,
    else float, in which GEGL converts from and to any other encoding, precision or profile."""
    own = format_of(drawable)
    grey = drawable.is_gray()
    channels = ("GRAY" if grey else "RGB") + ("A" if drawable.has_alpha() else "")
    for dtype in ("u8", "u16"):
        if own == "%s %s" % (MODELS[channels], dtype):
            return channels, dtype
    return channels, "u8" if drawable.is_indexed() else "f32"


def babl(channels, dtype):
    """The name that GEGL has for pixels of that kind."""
    return "%s %s" % (MODELS[channels], TYPES[dtype])


def gegl(rect):
    return Gegl.Rectangle.new(rect.x, rect.y, rect.width, rect.height)


def read(drawable, rect, channels, dtype, canvas):
    """The Pixels of a drawable in a Rect on the canvas; where the drawable is not, they are transparent (or black)."""
    inside = rect.moved(-rectangle(drawable).x, -rectangle(drawable).y)
    data = drawable.get_buffer().get(gegl(inside), 1.0, babl(channels, dtype), Gegl.AbyssPolicy.NONE)
    return Pixels(bytes(data), rect.width, rect.height, channels, dtype, x=rect.x, y=rect.y, canvas=canvas)


class Read:
    """What goes to the engine. plan: a region.Plan, None without a source; options, pictures: for Work; chosen: what was
    selected, a Chosen, or None; selected: the Rect around it, or None; notices: sentences that the user should read."""

    def __init__(self, image, layer, request, task):
        self.plan, self.options, self.pictures, self.notices = None, dict(request.options), {}, []
        self.chosen = selection(image)
        self.selected = self.chosen and self.chosen.rect
        if not task.source:
            self._fill(task)
            return
        canvas = (image.get_width(), image.get_height())
        self.plan = region.Plan(task, request.options, rectangle(layer), self.selected)
        self.options = self.plan.options
        channels, dtype = frame(layer)
        self.pictures["source"] = read(layer, self.plan.read, channels, dtype, canvas)
        for name, other in request.layers.items():
            self.pictures[name] = self._extra(image, layer, name, other, dtype, canvas)

    def _extra(self, image, layer, name, other, dtype, canvas):
        """Hints lie over the source, pixel by pixel; a reference is a picture of its own."""
        if other.get_image().get_id() != image.get_id() or other.get_id() == layer.get_id():
            raise errors.HintsInvalid("The %s must be another layer of the same image." % name)
        if name == "hints" and not other.has_alpha():
            raise errors.HintsInvalid(
                "The layer %s has no alpha channel to say where its hints are." % other.get_name()
            )
        if other.is_gray():  # as every layer of a greyscale image
            self.notices.append(
                "The layer %s is grey, so it asks for greys. For colours choose Image > Mode > RGB before you paint."
                % other.get_name()
            )
        where = self.plan.read if name == "hints" else rectangle(other)
        return read(other, where, "RGBA", dtype, canvas)

    def _fill(self, task):
        """A picture made from nothing is as large as the selection's longer side, where its size was left open."""
        for option in task.options:
            if option.name == "size" and self.selected is not None and "size" not in self.options:
                longer = max(self.selected.width, self.selected.height)
                self.options["size"] = max(option.low, min(option.high, longer))
