#!/usr/bin/env python3
"""Pincel in GIMP 2.10: the tasks as gimpfu procedures, under Filters > Pincel. 8 bits a channel.

Written against gimpfu's interface for Python 2.7 and 3. Where GIMP has no gimpfu (Debian, Ubuntu), gimpfu_ctypes.py beside this
file offers the same interface over libgimp. The engine's client needs Python 3, so it works in bridge.py, a process of its own.
"""

import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

try:
    import gimpfu
except ImportError:
    import gimpfu_ctypes as gimpfu

import masks  # noqa: E402

gimp, pdb = gimpfu.gimp, gimpfu.pdb

# What libgimp calls them: image types by channels, the base types, layer modes.
TYPES = {"RGB": 0, "RGBA": 1, "GRAY": 2, "GRAYA": 3}
BYTES = {"RGB": 3, "RGBA": 4, "GRAY": 1, "GRAYA": 2}
RGB, GRAY, INDEXED = 0, 1, 2
NORMAL, MULTIPLY, LCH_COLOR = 28, 30, 26
EIGHT_BITS = 150


class Failure(RuntimeError):
    """What the user reads: a sentence and its remedy."""


class Bridge(object):
    """The other process. say() sends a message and raw parts, hear() gives one: (dict, [bytes])."""

    def __init__(self, *words):
        # Without the editor's own Python settings, which would mislead another Python.
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LD_LIBRARY_PATH", "DYLD_"))}
        command = [python(), os.path.join(HERE, "bridge.py")] + list(words)
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
        except OSError:
            self.process = None
        if self.process is None:  # "raise ... from None" is not Python 2.7
            raise Failure("Python 3 was not found: %s. Run `pincel install gimp` again." % command[0])

    def say(self, message, *parts):
        message["bytes"] = [len(part) for part in parts]
        self.process.stdin.write(json.dumps(message).encode("utf-8") + b"\n")
        for part in parts:
            self.process.stdin.write(part)
        self.process.stdin.flush()

    def hear(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure("The plug-in's other half ended. Run `pincel doctor`, then try again.")
        message = json.loads(line.decode("utf-8"))
        if "error" in message:
            raise Failure(message["error"])
        return message, [self.process.stdout.read(size) for size in message["bytes"]]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def python():
    """A Python 3: the engine's own, beside the `pincel` command that the installer noted."""
    if sys.version_info[0] == 3:
        return sys.executable
    try:
        with open(os.path.join(HERE, "pincel_client", "engine-command.json")) as file:
            folder = os.path.dirname(json.load(file)[0])
    except (OSError, IOError, ValueError, IndexError):
        folder = ""
    for name in ("python3", "python", "python.exe"):
        if folder and os.path.exists(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return "python3"


def declared():
    """The tasks, as bridge.declare() gives them."""
    bridge = Bridge("declare")
    try:
        return bridge.hear()[0]["tasks"]
    finally:
        bridge.close()


def parameter(control):
    """A control as a gimpfu parameter. Layers are named: gimpfu has no list of layers with "none" in it."""
    kind, name, label = control["kind"], str(control["name"].replace("_", "-")), str(control["title"])
    default, span = control["default"], (control["low"], control["high"], 0.05 if control["kind"] == "float" else 1)
    if kind in ("int", "float"):
        return (gimpfu.PF_SPINNER, name, label, default, span)
    if kind == "bool":
        return (gimpfu.PF_TOGGLE, name, label, default)
    if kind == "choice":
        values = [value for value, _ in control["choices"]]
        return (gimpfu.PF_OPTION, name, label, values.index(default), [str(words) for _, words in control["choices"]])
    return (gimpfu.PF_STRING, name, label + " (a layer's name)" * (kind == "layer"), str(default or ""))


def value(control, given, image):
    """A parameter's value as the control's."""
    if control["kind"] == "int":
        return int(given + 0.5) if given >= 0 else int(given - 0.5)  # 2.7's round() gives a float
    if control["kind"] == "bool":
        return bool(given)
    if control["kind"] == "choice":
        return control["choices"][int(given)][0]
    if control["kind"] == "layer" and given and find(image.layers, given) is None:
        raise Failure("There is no layer called %s. Write its name as the Layers dialog shows it." % given)
    return given or None if control["kind"] == "layer" else given


def find(layers, name):
    for layer in layers:
        found = layer if layer.name == name else find(getattr(layer, "children", ()), name)
        if found is not None:
            return found
    return None


def channels_of(drawable):
    return ("RGB" if drawable.is_rgb else "GRAY") + ("A" if drawable.has_alpha else "")


def layer_of(drawable):
    """The layer to work on; for its mask, on which somebody paints, the layer itself."""
    if pdb.gimp_item_is_layer_mask(drawable):
        return pdb.gimp_layer_from_mask(drawable)
    if not pdb.gimp_item_is_layer(drawable):
        raise Failure("%s is a channel, not a layer. Select the layer to work on." % drawable.name)
    return drawable


def worker(task):
    def work(image, drawable, *given):
        drawable = layer_of(drawable)
        if image.base_type == INDEXED:
            raise Failure("This image is indexed: its palette cannot hold the result. Choose Image > Mode > RGB.")
        chosen = {c["name"]: value(c, g, image) for c, g in zip(task["controls"], given)}
        selected = masks.Chosen(image)
        bridge = Bridge()
        try:
            layer = list(drawable.offsets) + [drawable.width, drawable.height]
            asked = {"task": task["name"], "values": chosen, "layer": layer, "selection": selected.rect}
            asked.update(name=drawable.name, group=bool(pdb.gimp_item_is_group(drawable)))
            bridge.say(dict(asked, locked=bool(pdb.gimp_item_get_lock_content(drawable))))
            plan = bridge.hear()[0]
            frames, parts = frames_of(image, drawable, plan)
            grey = bool(plan["layers"]) and image.base_type == GRAY
            bridge.say({"frames": frames}, *parts)
            gimp.progress_init("Pincel: " + str(task["title"]))
            message, parts = bridge.hear()
            while "results" not in message:
                gimp.progress_init("Pincel: " + str(message["text"]))
                gimp.progress_update(message["fraction"])
                message, parts = bridge.hear()
        finally:
            bridge.close()
        notices = message["notices"]
        if pdb.gimp_image_get_precision(image) != EIGHT_BITS:
            notices.append("In GIMP 2.10 Pincel works with 8 bits a channel; GIMP 3 keeps what the image has.")
        if grey:
            notices.append(
                "This image is grey, so hints ask for greys. Choose Image > Mode > RGB before you paint them."
            )
        made = insert(image, drawable, plan, message["results"], parts, selected)
        for notice in notices:
            gimp.message(str(notice))
        return made

    return work


def frames_of(image, drawable, plan):
    """What to send: ([description], [bytes])."""
    pictures = [("source", drawable, plan["read"])] if "read" in plan else []
    for name, called in plan["layers"].items():
        other = find(image.layers, called)
        if name == "hints" and not other.has_alpha:
            raise Failure("The layer %s has no alpha channel to say where its hints are. Add one." % called)
        where = plan["read"] if name == "hints" else list(other.offsets) + [other.width, other.height]
        pictures.append((name, other, where))
    frames, parts = [], []
    for name, layer, rect in pictures:
        channels = channels_of(layer)
        frames.append({"name": name, "width": rect[2], "height": rect[3], "channels": channels})
        parts.append(masks.read(layer, rect, BYTES[channels], layer.offsets))
    return frames, parts


def insert(image, drawable, plan, frames, parts, selected):
    """Put the results where the plan says, as one undo step; the layer or group that holds them. selected: a Chosen."""
    if plan["place"] == "new-image":
        image = gimp.Image(frames[0]["width"], frames[0]["height"], GRAY if "GRAY" in frames[0]["channels"] else RGB)
        made = layers_of(image, None, None, plan, frames, parts, None)
        gimp.Display(image)
        return made
    image.undo_group_start()
    try:
        if frames[0]["channels"].startswith("RGB") and image.base_type == GRAY:
            pdb.gimp_image_convert_rgb(image)
        if plan["place"] == "replace":
            return replace(image, drawable, plan, frames[0], parts[0], selected)
        parent = pdb.gimp_item_get_parent(drawable)
        made = layers_of(image, drawable, parent, plan, frames, parts, selected)
        if plan["multiply"] and pdb.gimp_layer_get_mode(drawable) == NORMAL:
            pdb.gimp_layer_set_mode(drawable, MULTIPLY)
        if plan["grow"]:
            x, y = min(0, made.offsets[0]), min(0, made.offsets[1])
            right, bottom = made.offsets[0] + made.width, made.offsets[1] + made.height
            pdb.gimp_image_resize(image, max(image.width, right) - x, max(image.height, bottom) - y, -x, -y)
        return made
    finally:
        image.undo_group_end()
        gimp.displays_flush()


def layers_of(image, drawable, parent, plan, frames, parts, selected):
    position = pdb.gimp_image_get_item_position(image, drawable) if drawable is not None else 0
    position += plan["place"] == "below"
    group, first = None, None
    if len(frames) > 1:
        group = pdb.gimp_layer_group_new(image)
        pdb.gimp_image_insert_layer(image, group, parent, position)
        pdb.gimp_item_set_name(group, "%s (%d)" % (frames[0]["name"].partition(",")[0], len(frames)))
        parent, position = group, 0
    for number, (frame, part) in enumerate(zip(frames, parts)):
        width, height, channels = frame["width"], frame["height"], frame["channels"]
        inside = plan.get("inside") or (selected and selected.rect) or [0, 0, image.width, image.height]
        x, y = inside[0], inside[1]
        if "inside" not in plan:
            x, y = x + (inside[2] - width) // 2, y + (inside[3] - height) // 2
        masked = selected and "inside" in plan and (selected.rect or masks.shown(drawable))
        size = (inside[2], inside[3]) if masked else (width, height)
        mode = LCH_COLOR if plan["place"] == "color-layer" else NORMAL
        layer = gimp.Layer(image, str(frame["name"]), size[0], size[1], TYPES[channels], 100.0, mode)
        pdb.gimp_image_insert_layer(image, layer, parent, position + number)
        if drawable is not None:
            layer.set_offsets(x, y)
        if masked:
            masks.mask(image, drawable, layer, inside, selected)
        if size != (width, height):
            pdb.gimp_layer_scale(layer, width, height, False)
            layer.set_offsets(x, y)
        layer.get_pixel_rgn(0, 0, width, height, True, False)[0:width, 0:height] = part
        layer.flush()
        layer.update(0, 0, width, height)
        pdb.gimp_item_set_visible(layer, number == 0)
        first = first or layer
    return group or first


def replace(image, drawable, plan, frame, part, selected):
    """The layer's own pixels, through its shadow: GIMP keeps what is not selected."""
    x, y, width, height = [int(n) for n in plan["inside"]]
    left, top = drawable.offsets
    if (frame["width"], frame["height"]) != (width, height):
        width, height = frame["width"], frame["height"]
        pdb.gimp_layer_scale(drawable, width, height, False)
        drawable.set_offsets(left, top)
    x, y = x - left, y - top
    drawable.get_pixel_rgn(x, y, width, height, True, True)[x : x + width, y : y + height] = part
    drawable.flush()
    with masks.selected(image, selected):
        drawable.merge_shadow(True)
    drawable.update(x, y, width, height)
    return drawable


for _task in declared():
    gimpfu.register(
        "plug-in-pincel-" + str(_task["name"]),
        str(_task["help"]),
        str(_task["help"]),
        "The Pincel founders",
        "MIT licence",
        "2026",
        str(_task["title"]) + "...",
        "*",
        [(gimpfu.PF_IMAGE, "image", "Image", None), (gimpfu.PF_DRAWABLE, "drawable", "Layer", None)]
        + [parameter(c) for c in _task["controls"]],
        [(gimpfu.PF_LAYER, "layer", "The new layer")],
        worker(_task),
        menu="<Image>/Filters/Pincel",
    )

gimpfu.main()
