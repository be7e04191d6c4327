"""What Krita's docker offers beside the controls that both editors share (pincel_client/controls.py)."""

from .pincel_client import controls
from .pincel_client.controls import Control

LAYER, DOCUMENT = "layer", "document"
FLATS, PREVIEW = "flats", "preview"
DRAWING_IS = "content", "drawing"  # what Krita's pictures are, unless the user says otherwise


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
        elif control.name == "multiply":
            control.default = False  # the lines are the artist's: only when asked
        elif control.name == DRAWING_IS[0]:
            control.default = DRAWING_IS[1]
        made.append(control)
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
