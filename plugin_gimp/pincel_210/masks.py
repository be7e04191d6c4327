"""What is selected in GIMP 2.10 and what a layer's mask hides, one byte a pixel; written for Python 2.7 and 3."""

import contextlib

try:
    import gimpfu
except ImportError:
    import gimpfu_ctypes as gimpfu

pdb = gimpfu.pdb

# What libgimp calls them.
WHITE_MASK, SELECTION_MASK = 0, 4
REPLACE = 2


def crop(data, given, rect, size):
    """The pixels of `size` bytes in one rectangle, of those (`data`) that lie in another; zeros beyond it."""
    left, top = max(rect[0], given[0]), max(rect[1], given[1])
    right, bottom = min(rect[0] + rect[2], given[0] + given[2]), min(rect[1] + rect[3], given[1] + given[3])
    whole = bytearray(rect[2] * rect[3] * size)
    line = (right - left) * size
    for y in range(top, bottom if line > 0 else top):
        at = ((y - rect[1]) * rect[2] + left - rect[0]) * size
        begin = ((y - given[1]) * given[2] + left - given[0]) * size
        whole[at : at + line] = data[begin : begin + line]
    return bytes(whole)


def read(drawable, rect, size, origin):
    """Raw pixels of `size` bytes in a rectangle on the canvas; zeros where the drawable is not, whose corner is `origin`."""
    x, y = rect[0] - origin[0], rect[1] - origin[1]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + rect[2], drawable.width), min(y + rect[3], drawable.height)
    if x0 >= x1 or y0 >= y1:
        return bytes(bytearray(rect[2] * rect[3] * size))
    part = drawable.get_pixel_rgn(x0, y0, x1 - x0, y1 - y0, False, False)[x0:x1, y0:y1]
    return crop(part, [x0, y0, x1 - x0, y1 - y0], [x, y, rect[2], rect[3]], size)


class Chosen(object):
    """The selection as it is now, for later: the user may change it while the engine works. rect: around it, on the
    canvas, None where nothing is selected; data: its values there."""

    def __init__(self, image):
        there, left, top, right, bottom = pdb.gimp_selection_bounds(image)[:5]
        self.rect = [left, top, right - left, bottom - top] if there else None
        self.data = read(pdb.gimp_image_get_selection(image), self.rect, 1, (0, 0)) if there else b""

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __ne__(self, other):
        return not self == other

    def over(self, rect):
        """How far each pixel in a rectangle on the canvas is selected."""
        return crop(self.data, self.rect, rect, 1)


def _fill(channel, data):
    width, height = channel.width, channel.height
    channel.get_pixel_rgn(0, 0, width, height, True, False)[0:width, 0:height] = data
    channel.flush()
    channel.update(0, 0, width, height)


@contextlib.contextmanager
def selected(image, chosen):
    """Within, the selection is what was Chosen when the layer was read; afterwards it is what the user has made of it."""
    now = Chosen(image)
    if now == chosen:
        yield
        return
    mask = pdb.gimp_image_get_selection(image)
    wanted, theirs = [pdb.gimp_channel_copy(mask) if one.rect else None for one in (chosen, now)]
    if wanted is not None:
        _fill(wanted, chosen.over([0, 0, image.width, image.height]))
    try:
        _select(image, wanted)
        yield
    finally:
        _select(image, theirs)


def _select(image, copy):
    """Make a copy of the selection the selection; None: nothing. GIMP takes channels of the image only: for a moment it is
    one."""
    if copy is None:
        pdb.gimp_selection_none(image)
        return
    pdb.gimp_image_insert_channel(image, copy, None, 0)
    try:
        pdb.gimp_image_select_item(image, REPLACE, copy)
    finally:
        pdb.gimp_image_remove_channel(image, copy)


def shown(layer):
    """The layer's own mask if it hides anything of it, else None."""
    return pdb.gimp_layer_get_mask(layer) if pdb.gimp_layer_get_apply_mask(layer) else None


def mask(image, source, made, rect, chosen):
    """Give the layer `made`, which lies in a rectangle on the canvas, a mask: what was Chosen, times what the mask of the
    layer `source` shows."""
    own = shown(source)
    if own is None and Chosen(image) == chosen:  # GIMP's own way keeps more than 8 bits
        pdb.gimp_layer_add_mask(made, pdb.gimp_layer_create_mask(made, SELECTION_MASK))
        return
    data = bytearray(chosen.over(rect) if chosen.rect else b"\xff" * (rect[2] * rect[3]))
    if own is not None:
        for n, value in enumerate(bytearray(read(own, rect, 1, source.offsets))):
            if value != 255:
                data[n] = (data[n] * value + 127) // 255
    new = pdb.gimp_layer_create_mask(made, WHITE_MASK)
    pdb.gimp_layer_add_mask(made, new)
    _fill(new, bytes(data))
