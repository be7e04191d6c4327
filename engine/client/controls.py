"""What an editor's dialog shows for a task, made from the task's declaration; and the dialog's values as a request.

Shared by the plug-ins, so that a new option, or a whole new task, appears in both editors by itself:

    for control in controls(task): ...               # one widget each, in this order, by control.kind
    request = collect(task, {control.name: value})   # the widgets' values; raises OptionError
    request.options                                  # for Session.submit (through region.Plan, where there is a source)
    request.place                                    # where the result goes, one of the values of PLACES
    request.layers                                   # {"hints": what the layer widget gave}, without those left empty
    request.grow, request.multiply                   # what the editor does to its own canvas and lines

Kinds: "int", "float", "bool" and "choice" as in options.py; "generator" (a choice that generators() fills when the engine
is up), "numbers" (text: comma separated), "layer" (another layer of the picture, or none).
"""

from .errors import OptionError
from .options import Option, Task

# Where a result can go, and what the user reads. What a task's own `output` option offers comes before the rest.
LAYER, COLOUR, BELOW, REPLACE, NEW_IMAGE = "layer", "color-layer", "below", "replace", "new-image"
PLACES = {
    LAYER: "New layer above",
    COLOUR: "Colours only, in a layer of colour mode",
    BELOW: "Colours in a layer below the lines",
    REPLACE: "Replace the layer's pixels",
    NEW_IMAGE: "New image",
}
# The place for each choice of an `output` option; the others leave that option at its default.
_PLACE_OF_OUTPUT = {"normal": LAYER, "color-only": COLOUR, "below-lines": BELOW}
_LAYERS = {
    "hints": ("Hints", "A layer with strokes of the colours you want; what is transparent in it is left to Pincel."),
    "reference": ("Reference", "A layer whose colours are to be taken over."),
}
# What an editor does by itself, whatever the engine sends: title, help, default.
_EDITORS = {
    "grow": ("Grow the canvas", "Make the canvas large enough for the enlarged layer.", False),
    "multiply": ("Lines to Multiply", "With colours below the lines: let them shine through the paper.", True),
}
# Options without a widget: one that the place decides, and one for what an editor shows by its own selection.
_ELSEWHERE = ("output", "preview")
# Options that count pictures: several results become a group of layers.
COUNTS = ("variants", "count")
_INT_MAX = 2**31 - 1  # what an editor's spin box holds
AUTO = "auto"


class Control:
    """One widget. name, kind, title, help, default, low, high, unit; choices: [(value, words)]; for an option that may be
    left out: none, the number below `low` that means so (else None); digits: after the decimal point."""

    def __init__(self, name, kind, title, help, default, low=None, high=None, choices=(), unit="", none=None):
        self.name, self.kind, self.title, self.help, self.default = name, kind, title, help, default
        self.low, self.high, self.choices, self.unit, self.none = low, high, list(choices), unit, none
        self.digits = 2 if kind == "float" else 0

    @property
    def label(self):
        return "%s (%s)" % (self.title, self.unit) if self.unit and self.unit != "x" else self.title


class Request:
    """What the user asked for: options (dict), place (of PLACES), layers (dict), count (of pictures); whether the canvas
    may grow, and whether the line layer is set to Multiply."""

    def __init__(self, options, place, layers, grow=False, multiply=False):
        self.options, self.place, self.layers, self.grow, self.multiply = options, place, layers, grow, multiply
        self.count = max([options.get(name) or 1 for name in COUNTS])


def controls(task):
    """The Controls of a task, in the order in which a dialog shows them."""
    made = [_control(option) for option in task.options if option.name not in _ELSEWHERE]
    made.sort(key=lambda control: control.kind != "generator")
    for extra in task.extras:
        if extra in _LAYERS:
            title, help = _LAYERS[extra]
            made.append(Control(extra, "layer", title, help, None))
    offered = places(task)
    made.append(
        Control(
            "place", "choice", "Result", "Where the result goes.", offered[0], choices=[(p, PLACES[p]) for p in offered]
        )
    )
    for name, place_or_option in (("grow", "scale"), ("multiply", BELOW)):
        if place_or_option in offered or any(option.name == place_or_option for option in task.options):
            made.append(Control(name, "bool", *_EDITORS[name]))
    return made


def places(task):
    """The places that a task's result can take, the usual one first."""
    output = [option for option in task.options if option.name == "output"]
    offered = [LAYER] + [_PLACE_OF_OUTPUT.get(c) for option in output for c in option.choices]
    offered += [REPLACE, NEW_IMAGE] if task.source else [NEW_IMAGE]
    return [p for n, p in enumerate(offered) if p and p not in offered[:n]]


def _control(option):
    default, low, high, none = option.default, option.low, option.high, None
    choices = [(c, c.replace("-", " ").capitalize()) for c in option.choices]
    if option.kind == "int":
        high = min(high, _INT_MAX)
    if default is None and option.kind in ("int", "float"):
        # What lies below the option's own range means "not set"; a slider's zone for it is kept small.
        none = default = low - (1 if option.kind == "int" else 0.1 * (high - low))
        low = none
    if option.kind == "numbers":
        default = ", ".join("%g" % number for number in option.default or ())
    if option.kind == "generator":
        choices = [(AUTO, "Automatic")]
    help = option.help + (" Below %g: not set." % option.low if none is not None else "")
    return Control(option.name, option.kind, option.title, help, default, low, high, choices, option.unit, none)


def collect(task, values):
    """The Request that a dialog's values make; values not given have their defaults. Raises OptionError."""
    options, layers = {}, {}
    place = values.get("place") or places(task)[0]
    if place not in places(task):
        raise OptionError("The result of %s cannot go to %r." % (task.title, place), option="place")
    for control in controls(task):
        value = values.get(control.name, control.default)
        if control.kind == "layer":
            if value is not None:
                layers[control.name] = value
        elif control.name != "place" and control.name not in _EDITORS:
            value = _value(control, value, task.option(control.name))
            if value is not None:
                options[control.name] = task.option(control.name).check(value)
    for option in task.options:
        if option.name == "output":
            fitting = [choice for choice in option.choices if _PLACE_OF_OUTPUT.get(choice) == place]
            if fitting:
                options["output"] = fitting[0]
    multiply = place == BELOW and values.get("multiply", _EDITORS["multiply"][2])
    request = Request(options, place, layers, bool(values.get("grow", False)), multiply)
    if place == REPLACE and request.count > 1:
        raise OptionError(
            "Only one picture can replace the layer's pixels, not %d." % request.count,
            "Ask for one, or for new layers.",
            option="place",
        )
    return request


def _value(control, value, option):
    """A widget's value as the option's, None where it is left out."""
    if control.kind == "generator":
        return value or AUTO
    if control.kind == "numbers":
        try:
            numbers = [float(n) for n in value.replace(";", ",").split(",") if n.strip()]
        except ValueError:
            raise OptionError(
                "%s must be numbers with commas between them." % control.title,
                "Write them like 0.5, -1, 0.25, or leave the field empty.",
                option=control.name,
            ) from None
        return numbers or None
    if control.none is not None and value < option.low:
        return None
    return value


def generators(task, models):
    """The choices of a generator control, [(value, words)], from a session's `models`: Automatic, then one a network."""
    found = [
        (m["name"], "%s (%s)" % (m.get("title") or m["name"], m["name"])) for m in models if m["task"] == task.name
    ]
    return [(AUTO, "Automatic"), *found]


def from_welcome(described):
    """The Task objects of a session's `tasks`: what the running engine can do, whatever version it is."""
    made = []
    for task in described:
        options = [
            Option(o["name"], o["kind"], o["default"], o["title"], o["help"], **_rest(o)) for o in task["options"]
        ]
        made.append(
            Task(task["name"], task["title"], task["help"], options, task["extras"], source=task.get("source", True))
        )
    return made


def _rest(option):
    known = Option("x", "bool", False, "", "").to_dict()
    return {k: v for k, v in option.items() if k in known and k not in ("name", "kind", "default", "title", "help")}
