"""What came back, put into the image: one undo step, opened only when everything is there and closed on every path."""

import contextlib

import gi

gi.require_version("Gimp", "3.0")
import layers  # noqa: E402
from gi.repository import Gegl, Gimp  # noqa: E402
from pincel_client import controls, errors, region  # noqa: E402

_TYPES = {
    "GRAY": Gimp.ImageType.GRAY_IMAGE,
    "GRAYA": Gimp.ImageType.GRAYA_IMAGE,
    "RGB": Gimp.ImageType.RGB_IMAGE,
    "RGBA": Gimp.ImageType.RGBA_IMAGE,
}


def check(layer, request, task):
    """Raise OutputError for what can be known to fail before any work is done."""
    if request.place != controls.REPLACE:
        return
    remedy = "Choose a new layer as the result, or another layer."
    if layer.is_group():
        raise errors.OutputError("The pixels of a layer group cannot be replaced.", remedy)
    if layer.get_lock_content():
        raise errors.OutputError(
            "The pixels of %s are locked." % layer.get_name(), "Unlock them, or choose a new layer."
        )
    if any(o.name == "scale" for o in task.options) and not Gimp.Selection.is_empty(layer.get_image()):
        raise errors.OutputError(
            "A selected part cannot be replaced by an enlarged one.",
            "Choose Select > None, or a new layer as the result.",
        )


def insert(image, layer, read, request, task, job):
    """Put the job's results where the request says, as one undo step; the layer (or group) that holds them."""
    pictures = [read.plan.keep(p) for p in job.results] if read.plan else job.results
    names = _names(task, job.info, len(pictures))
    if request.place == controls.NEW_IMAGE:
        return _new_image(image, layer, read, pictures, names)
    image.undo_group_start()
    try:
        # Grey pictures may go into a grey image; a palette takes none.
        grey = pictures[0].channels.startswith("GRAY") and image.get_base_type() == Gimp.ImageBaseType.GRAY
        if not grey and image.get_base_type() != Gimp.ImageBaseType.RGB:
            image.convert_rgb()
        if request.place == controls.REPLACE:
            made = _replace(image, layer, read, pictures[0])
        else:
            made = _layers(image, layer, read, pictures, names, request.place)
        if request.multiply and layer.get_mode() == Gimp.LayerMode.NORMAL:
            layer.set_mode(Gimp.LayerMode.MULTIPLY)
        if request.grow:
            _grow(image, layers.rectangle(made))
    finally:
        image.undo_group_end()
    return made


def _names(task, info, count):
    seeds = info.get("seeds", ())
    if len(seeds) == count:
        return ["%s, seed %d" % (task.title, seed) for seed in seeds]
    return ["%s %d" % (task.title, n + 1) if count > 1 else task.title for n in range(count)]


# ---- into the user's image ---------------------------------------------------------------------------------------


def _layers(image, layer, read, pictures, names, place):
    """One new layer above the source (below it, for colours under lines), or a group of them, the first one visible."""
    parent, position = None, 0
    if layer is not None:
        parent, position = layer.get_parent(), image.get_item_position(layer)
    if place == controls.BELOW:
        position += 1
    top = None
    if len(pictures) > 1:
        top = Gimp.GroupLayer.new(image, "%s (%d)" % (names[0].partition(",")[0], len(pictures)))
        image.insert_layer(top, parent, position)
        parent, position = top, 0
    for number, (pixels, name) in enumerate(zip(pictures, names)):
        made = _layer(image, layer, read, pixels, name, parent, position + number)
        if place == controls.COLOUR:
            made.set_mode(Gimp.LayerMode.LCH_COLOR)
        made.set_visible(number == 0)
        top = top or made
    image.set_selected_layers([top])
    return top


def _layer(image, layer, read, pixels, name, parent, position):
    """A new layer with these pixels, in its place, masked by the selection and by the source layer's own mask."""
    inside = read.plan.inside if read.plan else _around(image, layer, read, pixels)
    size, kind = (pixels.width, pixels.height), _TYPES[pixels.channels]
    masked = read.selected is not None or (read.plan and layer.get_mask() is not None and layer.get_apply_mask())
    first = (inside.width, inside.height) if masked else size
    made = Gimp.Layer.new(image, name, first[0], first[1], kind, 100.0, Gimp.LayerMode.NORMAL)
    image.insert_layer(made, parent, position)
    made.set_offsets(inside.x, inside.y)
    if masked:
        _mask(layer, read, made, inside)
    if first != size:
        made.scale(pixels.width, pixels.height, False)  # takes the mask along
        made.set_offsets(inside.x, inside.y)
    buffer = made.get_buffer()
    _write(buffer, pixels, 0, 0)
    made.update(0, 0, pixels.width, pixels.height)
    return made


def _around(image, layer, read, pixels):
    """The place of a picture that had no source: the middle of the selection, the layer or the canvas."""
    middle = region.Rect(0, 0, image.get_width(), image.get_height())
    if read.selected is not None:
        middle = read.selected
    elif layer is not None:
        middle = layers.rectangle(layer)
    return region.fitting(pixels.width, pixels.height, middle)


def _mask(layer, read, made, inside):
    """The selection, feather and all, as the new layer's mask; times the mask that the source layer shows."""
    if read.chosen is not None:
        made.add_mask(made.create_mask(Gimp.AddMaskType.WHITE))
        _fill(made.get_mask(), read.chosen, inside)
    source = layer.get_mask() if layer is not None and read.plan else None
    if source is None or not layer.get_apply_mask():
        return
    if made.get_mask() is None:
        made.add_mask(made.create_mask(Gimp.AddMaskType.WHITE))
    origin = layers.rectangle(layer)
    place = layers.gegl(inside.moved(-origin.x, -origin.y))
    whole = Gegl.Rectangle.new(0, 0, inside.width, inside.height)
    theirs = memoryview(source.get_buffer().get(place, 1.0, "Y float", Gegl.AbyssPolicy.NONE)).cast("f")
    buffer = made.get_mask().get_buffer()
    data = bytearray(buffer.get(whole, 1.0, "Y float", Gegl.AbyssPolicy.NONE))
    ours = memoryview(data).cast("f")
    for n, value in enumerate(theirs):
        if value != 1.0:
            ours[n] *= value
    buffer.set(whole, "Y float", bytes(data))
    buffer.flush()
    made.get_mask().update(0, 0, inside.width, inside.height)


def _fill(channel, chosen, rect):
    """Make a channel that lies in a Rect on the canvas the selection that was Chosen."""
    # GIMP itself moves such values unchanged between 8-bit masks, which it calls linear, and channels, which it does not.
    model, kind = layers.format_of(channel).split()[0], chosen.format.split()[1]
    buffer = channel.get_buffer()
    buffer.set(Gegl.Rectangle.new(0, 0, rect.width, rect.height), "%s %s" % (model, kind), chosen.over(rect))
    buffer.flush()
    channel.update(0, 0, rect.width, rect.height)


def _replace(image, layer, read, pixels):
    """The layer's own pixels, changed through its shadow buffer: GIMP keeps what is not selected, and the undo step."""
    if (pixels.width, pixels.height) != (read.plan.inside.width, read.plan.inside.height):
        _, x, y = layer.get_offsets()
        layer.scale(pixels.width, pixels.height, False)
        layer.set_offsets(x, y)
    place = layers.rectangle(layer)
    x, y = read.plan.inside.x - place.x, read.plan.inside.y - place.y
    shadow = layer.get_shadow_buffer()
    _write(shadow, pixels, x, y)
    with _selected(image, read.chosen):
        layer.merge_shadow(True)
    layer.update(x, y, pixels.width, pixels.height)
    return layer


@contextlib.contextmanager
def _selected(image, chosen):
    """Within, the selection is what was Chosen when the layer was read; afterwards it is what the user has made of it."""
    now = layers.selection(image)
    if now == chosen:
        yield
        return
    mask = image.get_selection()
    wanted, theirs = (mask.copy() if one is not None else None for one in (chosen, now))
    if wanted is not None:
        _fill(wanted, chosen, region.Rect(0, 0, image.get_width(), image.get_height()))
    try:
        _select(image, wanted)
        yield
    finally:
        _select(image, theirs)


def _select(image, copy):
    """Make a copy of the selection the selection; None: nothing. GIMP takes channels of the image only: for a moment it is
    one."""
    if copy is None:
        Gimp.Selection.none(image)
        return
    image.insert_channel(copy, None, 0)
    try:
        image.select_item(Gimp.ChannelOps.REPLACE, copy)
    finally:
        image.remove_channel(copy)


def _write(buffer, pixels, x, y):
    place = Gegl.Rectangle.new(x, y, pixels.width, pixels.height)
    buffer.set(place, layers.babl(pixels.channels, pixels.dtype), bytes(pixels.data))
    buffer.flush()


def _grow(image, rect):
    """A canvas that holds both itself and a Rect; layers stay where they are on it."""
    around = region.Rect(0, 0, image.get_width(), image.get_height()).union(rect)
    image.resize(around.width, around.height, -around.x, -around.y)


# ---- into a new one ----------------------------------------------------------------------------------------------


def _new_image(image, layer, read, pictures, names):
    """A new image of the result's size, with the old one's precision, resolution and profile; the layer in it."""
    grey = pictures[0].channels.startswith("GRAY")
    base = Gimp.ImageBaseType.GRAY if grey else Gimp.ImageBaseType.RGB
    precision = image.get_precision()
    made = Gimp.Image.new_with_precision(pictures[0].width, pictures[0].height, base, precision)
    try:
        profile = image.get_color_profile()
        if profile is not None and (profile.is_gray() if grey else profile.is_rgb()):
            made.set_color_profile(profile)
        _, across, down = image.get_resolution()
        made.set_resolution(across, down)
        made.undo_disable()
        parent, top = None, None
        if len(pictures) > 1:
            parent = top = Gimp.GroupLayer.new(made, "%s (%d)" % (names[0].partition(",")[0], len(pictures)))
            made.insert_layer(top, None, 0)
        for number, (pixels, name) in enumerate(zip(pictures, names)):
            kind = _TYPES[pixels.channels]
            new = Gimp.Layer.new(made, name, pixels.width, pixels.height, kind, 100.0, Gimp.LayerMode.NORMAL)
            made.insert_layer(new, parent, number)
            _write(new.get_buffer(), pixels, 0, 0)
            new.update(0, 0, pixels.width, pixels.height)
            new.set_visible(number == 0)
            top = top or new
        made.undo_enable()
    except BaseException:
        made.delete()
        raise
    return top
