"""The tasks and their options, declared once.

The command line's flags, the Python API, the service's checks and the editors' dialogs are all made from this file.
"""

import numbers

from .errors import OptionError, TaskUnknown
from .pixels import SIDE_MAX

SEED_MAX = 2**32 - 1


def figure(value):
    """A number as people read it: a whole one whole, however large."""
    return "%d" % value if value == int(value) else "%g" % value


class Option:
    """One option of a task.

    kind: "int", "float", "bool", "choice", "generator" or "numbers", a list of `count` floats. low, high: the allowed
    range, both included. An option whose default is None is optional. title and help are shown to users.
    """

    def __init__(self, name, kind, default, title, help, low=None, high=None, choices=(), unit="", count=0):
        self.name, self.kind, self.default, self.title, self.help = name, kind, default, title, help
        self.low, self.high, self.choices, self.unit, self.count = low, high, tuple(choices), unit, count

    def check(self, value):
        """The value in this option's type, one of Python's own. Raises OptionError with the range in the sentence."""
        if value is None and self.default is None:
            return None
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
        elif self.kind == "choice":
            if value in self.choices:
                return value
        elif self.kind == "generator":
            if isinstance(value, str) and 0 < len(value) <= 100 and "/" not in value and "\\" not in value:
                return value
        elif self.kind == "numbers":
            if isinstance(value, (list, tuple)) and len(value) == self.count and all(map(self._within, value)):
                return [float(number) for number in value]
            if isinstance(value, (list, tuple)):  # the sentence names what is wrong, not all that was given
                wrong = [number for number in value if not self._within(number)]
                value = wrong[0] if wrong else len(value)
        elif self._within(value):
            if self.kind == "float":
                return float(value)
            if value == int(value):
                return int(value)
        raise OptionError("%s must be %s, not %r." % (self.name, self.expects(), value), option=self.name)

    def _within(self, value):
        """Whether it is a number in the range (no NaN is), Python's own or numpy's."""
        return isinstance(value, numbers.Real) and not isinstance(value, bool) and self.low <= value <= self.high

    def expects(self):
        """What the option takes, in words."""
        if self.kind == "bool":
            return "true or false"
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind == "generator":
            return "a generator's name"
        if self.kind == "numbers":
            what = "%d numbers" % self.count
        else:
            what = "a whole number" if self.kind == "int" else "a number"
        return "%s from %s to %s" % (what, figure(self.low), figure(self.high))

    def to_dict(self):
        """The declaration as JSON values, for the service's hello."""
        return {k: (list(v) if isinstance(v, tuple) else v) for k, v in vars(self).items()}


class Task:
    """A task: its options and the extra pictures it takes beside the source ("hints", "mask").

    source: whether it works on a picture; without one it makes pictures from its options alone. together: raises
    OptionError where values that are right each by itself do not go together.
    """

    def __init__(self, name, title, help, options, extras=(), source=True, together=None):
        self.name, self.title, self.help = name, title, help
        self.options, self.extras, self.source = tuple(options), tuple(extras), source
        self._together = together

    def option(self, name):
        for option in self.options:
            if option.name == name:
                return option
        known = ", ".join(o.name for o in self.options)
        sentence = "%s has no option called %r; it has %s." % (self.name, name, known)
        raise self.own(OptionError(sentence, option=str(name)))

    def own(self, error):
        """The error; where its remedy says a command's help, this task's. Who raised it may not know whose option it was."""
        if error.remedy == OptionError.remedy:
            error.remedy = error.remedy.replace("COMMAND", self.name)
        return error

    def complete(self, given):
        """All options of the task: the given ones checked, the others at their defaults. Raises OptionError."""
        values = {o.name: o.default for o in self.options}
        try:
            for name, value in given.items():
                values[name] = self.option(name).check(value)
            if self._together is not None:
                self._together(values)
        except OptionError as error:
            self.own(error)
            raise
        return values

    def to_dict(self):
        options = [o.to_dict() for o in self.options]
        return {
            "name": self.name,
            "title": self.title,
            "help": self.help,
            "options": options,
            "extras": list(self.extras),
            "source": self.source,
        }


_GENERATOR = Option(
    "generator", "generator", "auto", "Generator", "Which trained network to use; auto takes the best one for the task."
)


def _way(values):
    """A way from one seed to another has two ends."""
    if values["to_seed"] is not None and values["count"] < 2:
        raise OptionError(
            "A way from one seed to another needs at least two pictures.",
            "Say of how many: --count 2 to --count 16 (count=2 to 16).",
            option="count",
        )


_PREVIEW = Option(
    "preview",
    "numbers",
    None,
    "Preview",
    "Makes only this part of the result: X, Y, width, height in the source's pixels; four zeros take the middle.",
    0,
    SIDE_MAX,
    count=4,
    unit="px",
)

TASKS = {
    task.name: task
    for task in (
        Task(
            "colorize",
            "Colorize Photo",
            "Gives a black-and-white photograph colours; its own detail stays exactly as it is.",
            (
                _GENERATOR,
                Option(
                    "seed",
                    "int",
                    0,
                    "Seed",
                    "Another seed, another plausible colouring; 0: the best guess.",
                    0,
                    SEED_MAX,
                ),
                Option(
                    "variants", "int", 1, "Variants", "How many colourings, with seeds that follow each other.", 1, 16
                ),
                Option("strength", "float", 1.0, "Strength", "From 0 (the source) to 1 (the new colours).", 0.0, 1.0),
                Option("saturation", "float", 1.0, "Saturation", "Multiplies the new colours' intensity.", 0.0, 3.0),
                Option(
                    "output",
                    "choice",
                    "normal",
                    "Output",
                    "A whole picture, or only its colours on mid grey for a colour-blended layer.",
                    choices=("normal", "color-only"),
                ),
                _PREVIEW,
            ),
            extras=("hints", "mask"),
        ),
        Task(
            "sketch",
            "Colour Line Art",
            "Gives a line drawing colours, below its own untouched lines, by hints, a colour reference or a seed.",
            (
                _GENERATOR,
                Option("seed", "int", 0, "Seed", "Another seed, other colours, where no reference says.", 0, SEED_MAX),
                Option(
                    "variants", "int", 1, "Variants", "How many colourings, with seeds that follow each other.", 1, 16
                ),
                Option(
                    "z",
                    "numbers",
                    None,
                    "Z",
                    "The colours as numbers, as info gives them back: edited by hand they steer the result.",
                    -1.0,
                    1.0,
                    count=64,
                ),
                Option("strength", "float", 1.0, "Strength", "From 0 (white paper) to 1 (the new colours).", 0.0, 1.0),
                Option("saturation", "float", 1.0, "Saturation", "Multiplies the new colours' intensity.", 0.0, 3.0),
                Option(
                    "output",
                    "choice",
                    "normal",
                    "Output",
                    "One picture, or the colours alone for a layer below the lines.",
                    choices=("normal", "below-lines"),
                ),
                _PREVIEW,
            ),
            extras=("reference", "hints"),
        ),
        Task(
            "upscale",
            "Upscale",
            "Makes a picture larger with new detail instead of blur.",
            (
                _GENERATOR,
                Option("scale", "float", 4.0, "Scale", "How many times wider and higher.", 1.0, 16.0, unit="x"),
                Option(
                    "width", "int", None, "Width", "Exact width; the scale is then ignored.", 1, SIDE_MAX, unit="px"
                ),
                Option(
                    "height", "int", None, "Height", "Exact height; the scale is then ignored.", 1, SIDE_MAX, unit="px"
                ),
                Option(
                    "content",
                    "choice",
                    "clean",
                    "Content",
                    "What the picture is, for auto: a clean photograph, one with noise, blur or JPEG blocks, or a drawing.",
                    choices=("clean", "damaged", "drawing"),
                ),
                Option(
                    "quality",
                    "choice",
                    "normal",
                    "Quality",
                    "Normal may round a little to be quick; exact never does; best averages eight exact passes.",
                    choices=("normal", "exact", "best"),
                ),
                Option(
                    "realism",
                    "float",
                    None,
                    "Realism",
                    "Between the faithful network (0) and the one that invents texture (1); else the generator alone.",
                    0.0,
                    1.0,
                ),
                _PREVIEW,
            ),
        ),
        Task(
            "generate",
            "Generate Illustration",
            "Draws new comic pictures from a seed, as many as wanted, without a source.",
            (
                _GENERATOR,
                Option("seed", "int", 0, "Seed", "The same seed always draws the same picture.", 0, SEED_MAX),
                Option("count", "int", 1, "Count", "How many pictures, with seeds that follow each other.", 1, 16),
                Option(
                    "size",
                    "int",
                    None,
                    "Size",
                    "Side of the pictures; else the network's own. Larger ones are enlarged by the upscale network.",
                    8,
                    1024,
                    unit="px",
                ),
                Option(
                    "spread",
                    "float",
                    1.0,
                    "Spread",
                    "How far the pictures lie from the seed's: 1 for others altogether, near 0 for its neighbours.",
                    0.0,
                    1.0,
                ),
                Option(
                    "to_seed",
                    "int",
                    None,
                    "To Seed",
                    "Turns the seed's picture into this one's in as many steps as count says.",
                    0,
                    SEED_MAX,
                ),
            ),
            source=False,
            together=_way,
        ),
    )
}


def task(name):
    """The task of that name. Raises TaskUnknown."""
    if name not in TASKS:
        raise TaskUnknown(
            "There is no task called %r; there are %s." % (name, ", ".join(sorted(TASKS))), task=str(name)
        )
    return TASKS[name]
