"""What Krita's docker offers beside the controls that both editors share (pincel_client/controls.py)."""

from .pincel_client import controls
from .pincel_client.controls import Control

LAYER, DOCUMENT = "layer", "document"
FLATS, PREVIEW = "flats", "preview"


def controls_for(task):
    """The Controls of a task for the docker, in its order."""
    made = []
    for control in controls.controls(task):
        if control.name == "place":
            control.choices = [choice for choice in control.choices if choice[0] != controls.REPLACE]
            offered = [value for value, _ in control.choices]
            if controls.BELOW in offered:
                at = offered.index(controls.BELOW) + 1
                control.choices.insert(at, (FLATS, "Flats: a layer for each colour, below the lines"))
            control.choices = [
                (v, "New document" if v == controls.NEW_IMAGE else words) for v, words in control.choices
            ]
            if task.source:
                made.append(_of())
        made.append(control)
        if control.name == "place" and controls.BELOW in offered:
            help = "Sets the line layer's blending mode, so that the colours show through white paper."
            made.append(Control("multiply", "bool", "Set the lines to Multiply", help, False))
        if control.name == "grow":
            help = "Enlarges all other layers plainly (bicubic) by the same factor. Otherwise they keep their size."
            made.append(Control("others", "bool", "Scale the other layers too", help, False))
    return made


def _of():
    choices = [(LAYER, "The chosen layer, or what is selected of it"), (DOCUMENT, "All visible layers together")]
    return Control("of", "choice", "Work on", "What is read from the document.", LAYER, choices=choices)


def shared_place(value):
    """The place in the shared part's words for one of the docker's."""
    return controls.BELOW if value == FLATS else None if value == PREVIEW else value


def grow_canvas(host, document, leaf, inside, others):
    """Make the canvas fit an enlarged layer; with `others` by scaling the whole picture, whose place moves along."""
    canvas = host.canvas(document)
    if others:
        across, down = leaf.rect.width / float(inside.width), leaf.rect.height / float(inside.height)
        width, height = round(canvas.width * across), round(canvas.height * down)
        document.scaleImage(width, height, int(document.xRes()), int(document.yRes()), "Bicubic")
        leaf.rect.x, leaf.rect.y = round(leaf.rect.x * across), round(leaf.rect.y * down)
    else:
        document.resizeImage(0, 0, max(canvas.width, leaf.rect.right), max(canvas.height, leaf.rect.bottom))
    document.waitForDone()
