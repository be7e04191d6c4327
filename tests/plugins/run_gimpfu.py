"""Runs under Python 2.7 or 3: the installed plug-in for GIMP 2.10 over the fake gimpfu, and prints as JSON what came of it.

Arguments: the fakes' folder, the plug-in's folder, and a JSON object {task, values, raw, width, height, grey, selection, at,
kind, locked, shown, later}. kind: what the drawable is, "layer", "group", "channel" or "mask" (of the layer). shown: what the
layer's own mask shows, a rectangle of the canvas. later: what the user selects while the engine works, [] for nothing.
"""

import json
import os
import runpy
import sys

fakes, plugin, asked = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path.insert(0, fakes)
import gimpfu  # noqa: E402

said = {}


def run():
    image = gimpfu.Image(asked["width"], asked["height"], 1 if asked["grey"] else 0)
    image.selection = tuple(asked["selection"]) if asked.get("selection") else None
    layer = gimpfu.Layer(image, "photo", asked["width"], asked["height"], 2 if asked["grey"] else 0, 100.0, 28)
    layer.set_offsets(*asked.get("at", (0, 0)))
    image.layers.append(layer)
    with open(asked["raw"], "rb") as file:
        layer.pixels = bytearray(file.read())
    layer.locked, drawable = asked["locked"], layer
    mask = gimpfu.channel(image, "mask", layer.offsets, layer.width, layer.height, asked["shown"])
    if asked["kind"] == "mask" or asked["shown"]:
        layer.mask = mask
    if asked["kind"] == "group":
        layer.kind = "group"
    elif asked["kind"] != "layer":
        drawable, mask.kind = mask, asked["kind"]

    def meanwhile(text):
        gimpfu.gimp.bar.append(text)
        if asked["later"] is not None:
            image.selection = tuple(asked["later"]) or None

    gimpfu.gimp.progress_init = staticmethod(meanwhile)
    label, _, params, _, function, menu = gimpfu.REGISTERED["plug-in-pincel-" + asked["task"]]
    values = [asked["values"].get(p[1], p[3]) for p in params[2:]]
    said.update(label=label, menu=menu, python=sys.version_info[0], procedures=sorted(gimpfu.REGISTERED))
    try:
        made = function(image, drawable, *values)
    except Exception as error:
        said.update(error=str(error))
        made = layer
    with open(asked["raw"] + ".out", "wb") as file:
        file.write(bytes(made.pixels))
    said.update(
        name=made.name,
        size=[made.width, made.height],
        at=list(made.offsets),
        channels=made.bpp,
        mode=made.mode,
        mask=made.mask and ["mask", made.mask.made_as, made.mask.offsets, made.mask.width, made.mask.height],
        values=made.mask and list(bytearray(made.mask.pixels)),
        selection=image.selection,
        channels_left=len(image.channels),
        layers=[layer.name for layer in image.layers],
        children=[[layer.name, layer.visible] for layer in made.children],
        canvas=[image.width, image.height],
        undo=image.undo,
        bar=gimpfu.gimp.bar,
    )


gimpfu.RUN.append(run)
sys.argv = [os.path.join(plugin, "pincel_210.py")]
runpy.run_path(sys.argv[0], run_name="__main__")
print(json.dumps(said))
