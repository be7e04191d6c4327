"""A gimpfu that holds images in memory, for Python 2.7 and 3: as much of its interface as our plug-in uses.

tests/plugins/run_gimpfu.py fills RUN and executes the plug-in, whose call of main() then runs it.
"""

RUN = []  # what main() runs; set by the test's script before the plug-in is executed
REGISTERED = {}

PF_SPINNER, PF_TOGGLE, PF_OPTION, PF_STRING, PF_IMAGE, PF_DRAWABLE, PF_LAYER = range(7)


class Image(object):
    def __init__(self, width, height, base_type):
        self.width, self.height, self.base_type, self.layers = width, height, base_type, []
        self.channels, self.selection, self.precision, self.undo = [], None, 150, []

    def undo_group_start(self):
        self.undo.append("start")

    def undo_group_end(self):
        self.undo.append("end")


class Layer(object):
    def __init__(self, image, name, width, height, type, opacity, mode):
        self.image, self.name, self.width, self.height, self.type, self.mode = image, name, width, height, type, mode
        self.offsets, self.mask, self.visible, self.parent, self.children = (0, 0), None, True, None, []
        self.pixels = bytearray(width * height * self.bpp)
        self.shadow, self.kind, self.locked, self.made_as = None, "layer", False, None

    bpp = property(lambda self: {0: 3, 1: 4, 2: 1, 3: 2}[self.type])
    is_rgb = property(lambda self: self.type < 2)
    has_alpha = property(lambda self: self.type % 2 == 1)

    def set_offsets(self, x, y):
        self.offsets = (x, y)

    def get_pixel_rgn(self, x, y, width, height, dirty, shadow):
        return _Region(self, shadow)

    def flush(self):
        pass

    def update(self, x, y, width, height):
        pass

    def merge_shadow(self, undo):
        """Only what is selected changes (a selection here is a rectangle)."""
        left, top, right, bottom = self.image.selection or (-(10**6), -(10**6), 10**6, 10**6)
        for y in range(self.height):
            for x in range(self.width):
                if left <= x + self.offsets[0] < right and top <= y + self.offsets[1] < bottom:
                    at = (y * self.width + x) * self.bpp
                    self.pixels[at : at + self.bpp] = self.shadow[at : at + self.bpp]
        self.shadow = None


def channel(image, kind, offsets, width, height, rect):
    """A channel, mask or selection that is 255 in a rectangle of the canvas (left, top, right, bottom)."""
    made = Layer(image, "the " + kind, width, height, 2, 100.0, 28)
    made.kind = kind
    made.set_offsets(*offsets)
    for y in range(height):
        for x in range(width):
            if rect and rect[0] <= x + offsets[0] < rect[2] and rect[1] <= y + offsets[1] < rect[3]:
                made.pixels[y * width + x] = 255
    return made


class _Region(object):
    def __init__(self, layer, shadow):
        self.layer = layer
        if shadow and layer.shadow is None:
            layer.shadow = bytearray(layer.pixels)
        self.data = layer.shadow if shadow else layer.pixels

    def _lines(self, place):
        x, y = place
        assert 0 <= x.start < x.stop <= self.layer.width and 0 <= y.start < y.stop <= self.layer.height
        for row in range(y.start, y.stop):
            begin = (row * self.layer.width + x.start) * self.layer.bpp
            yield begin, begin + (x.stop - x.start) * self.layer.bpp

    def __getitem__(self, place):
        return b"".join(bytes(self.data[begin:end]) for begin, end in self._lines(place))

    def __setitem__(self, place, data):
        at = 0
        for begin, end in self._lines(place):
            self.data[begin:end] = data[at : at + end - begin]
            at += end - begin
        assert at == len(data)


class _PDB(object):
    def gimp_selection_bounds(self, image):
        return (1,) + image.selection if image.selection else (0, 0, 0, image.width, image.height)

    def gimp_item_is_layer(self, item):
        return int(item.kind in ("layer", "group"))

    def gimp_item_is_layer_mask(self, item):
        return int(item.kind == "mask")

    def gimp_item_is_group(self, item):
        return int(item.kind == "group")

    def gimp_item_get_lock_content(self, item):
        return int(item.locked)

    def gimp_layer_from_mask(self, mask):
        return next(layer for layer in mask.image.layers if layer.mask is mask)

    def gimp_image_get_precision(self, image):
        return image.precision

    def gimp_image_get_item_position(self, image, layer):
        return (layer.parent.children if layer.parent else image.layers).index(layer)

    def gimp_item_get_parent(self, layer):
        return layer.parent

    def gimp_image_insert_layer(self, image, layer, parent, position):
        layer.parent = parent
        (parent.children if parent else image.layers).insert(position, layer)

    def gimp_layer_group_new(self, image):
        return Layer(image, "group", 0, 0, 1, 100.0, 28)

    def gimp_item_set_name(self, layer, name):
        layer.name = name

    def gimp_item_set_visible(self, layer, visible):
        layer.visible = bool(visible)

    def gimp_image_convert_rgb(self, image):
        image.base_type = 0
        for layer in image.layers:
            step, wide = layer.bpp, bytearray()
            for at in range(0, len(layer.pixels), step):
                wide += layer.pixels[at : at + 1] * 3 + layer.pixels[at + 1 : at + step]
            layer.type, layer.pixels = layer.type - 2, wide

    def gimp_image_get_selection(self, image):
        return channel(image, "selection", (0, 0), image.width, image.height, image.selection)

    def gimp_selection_none(self, image):
        image.selection = None

    def gimp_channel_copy(self, selection):
        made = channel(selection.image, "channel", selection.offsets, selection.width, selection.height, None)
        made.pixels[:] = selection.pixels
        return made

    def gimp_image_insert_channel(self, image, channel, parent, position):
        image.channels.insert(position, channel)

    def gimp_image_remove_channel(self, image, channel):
        image.channels.remove(channel)

    def gimp_image_select_item(self, image, operation, channel):
        assert operation == 2 and channel in image.channels
        places = [divmod(n, channel.width) for n, value in enumerate(channel.pixels) if value]
        rows, columns = [y for y, _ in places], [x for _, x in places]
        image.selection = (min(columns), min(rows), max(columns) + 1, max(rows) + 1) if places else None

    def gimp_layer_get_mask(self, layer):
        return layer.mask

    def gimp_layer_get_apply_mask(self, layer):
        return int(layer.mask is not None)

    def gimp_layer_create_mask(self, layer, kind):
        everything = (-(10**6), -(10**6), 10**6, 10**6)
        rect = {0: everything, 4: layer.image.selection}[kind]
        made = channel(layer.image, "mask", layer.offsets, layer.width, layer.height, rect)
        made.made_as = kind
        return made

    def gimp_layer_add_mask(self, layer, mask):
        layer.mask = mask

    def gimp_layer_get_mode(self, layer):
        return layer.mode

    def gimp_layer_set_mode(self, layer, mode):
        layer.mode = mode

    def gimp_layer_scale(self, layer, width, height, local):
        if layer.mask is not None:
            old, layer.mask = layer.mask, channel(layer.image, "mask", layer.offsets, width, height, None)
            layer.mask.made_as = old.made_as
            for n in range(width * height):
                y, x = n // width * old.height // height, n % width * old.width // width
                layer.mask.pixels[n] = old.pixels[y * old.width + x]
        layer.width, layer.height = width, height
        layer.pixels = bytearray(width * height * layer.bpp)

    def gimp_image_resize(self, image, width, height, x, y):
        image.width, image.height = width, height
        for layer in image.layers:
            layer.offsets = (layer.offsets[0] + x, layer.offsets[1] + y)


pdb = _PDB()


class gimp(object):
    Image, Layer = Image, Layer
    shown, said, bar = [], [], []

    @staticmethod
    def Display(image):
        gimp.shown.append(image)

    @staticmethod
    def message(text):
        gimp.said.append(text)

    @staticmethod
    def progress_init(text):
        gimp.bar.append(text)

    @staticmethod
    def progress_update(fraction):
        assert 0 <= fraction <= 1

    @staticmethod
    def displays_flush():
        pass


def register(name, blurb, help, author, copyright, date, label, imagetypes, params, results, function, menu=None):
    for param in params:
        assert param[0] in range(7) and isinstance(param[1], str) and isinstance(param[2], str), param
    REGISTERED[name] = (label, imagetypes, params, results, function, menu)


def main():
    for run in RUN:
        run()
