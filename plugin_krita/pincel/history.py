"""What a document remembers of Pincel: the docker's choices and the last results, as text for the document's annotations.

The pixels of results stay in memory while Krita runs, as far as they fit; after that a result is made anew from its
options, which give the same bytes.
"""

import base64
import json
import time

from .qt import image, png

ENTRIES = 10
THUMB = 128
MEMORY = 1 << 30  # bytes of results kept, all documents together


class Entry:
    """One result: task (name), values (the docker's), name, made (seconds since 1970), seconds, seed, after and before
    (small QImages), number (of the variant), run (the Run with its pixels, or None when they are gone)."""

    def __init__(self, task, values, name, made, seconds, seed, before, after, number=0, run=None):
        self.task, self.values, self.name, self.made, self.seconds = task, values, name, made, seconds
        self.seed, self.before, self.after, self.number, self.run = seed, before, after, number, run
        self._pictures = None

    @classmethod
    def of(cls, run, number):
        seeds = (run.info or {}).get("seeds", ())
        seed = seeds[number] if number < len(seeds) else None
        return cls(
            run.task.name,
            run.values,
            run.layer_name,
            time.time(),
            run.seconds,
            seed,
            run.before,
            run.after[number],
            number,
            run,
        )

    def again(self):
        """The values that make this one result anew."""
        values = dict(self.values)
        for count in ("variants", "count"):
            if count in values:
                values[count] = 1
        if self.seed is not None and "seed" in values:
            values["seed"] = self.seed
        return values

    def to_dict(self):
        if self._pictures is None:  # they never change
            self._pictures = _text(self.before), _text(self.after)
        return {
            "task": self.task,
            "values": self.values,
            "name": self.name,
            "made": self.made,
            "seconds": self.seconds,
            "seed": self.seed,
            "before": self._pictures[0],
            "after": self._pictures[1],
        }


class State:
    """A document's: task (name, or None), values ({task: {control: value}}), entries (newest first)."""

    def __init__(self):
        self.task, self.values, self.entries = None, {}, []

    def add(self, entry):
        self.entries = [entry, *self.entries][:ENTRIES]

    def to_text(self):
        return json.dumps(
            {"version": 1, "task": self.task, "values": self.values, "entries": [e.to_dict() for e in self.entries]}
        )

    @classmethod
    def from_text(cls, text):
        """The State in what a document kept; an empty one where it is not ours or damaged."""
        state = cls()
        try:
            data = json.loads(text)
            if data.get("version") != 1:
                return state
            values = {str(task): dict(values) for task, values in data["values"].items()}
            entries = [_entry(e) for e in data["entries"][:ENTRIES]]
            state.task, state.values, state.entries = data["task"], values, entries
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            pass
        return state


def _entry(data):
    pictures = [image(base64.b64decode(data[name])) if data[name] else None for name in ("before", "after")]
    return Entry(
        str(data["task"]),
        dict(data["values"]),
        str(data["name"]),
        float(data["made"]),
        data["seconds"],
        data["seed"],
        *pictures,
    )


def _text(picture):
    if picture is None or picture.isNull():
        return ""
    side = max(picture.width(), picture.height())
    if side > THUMB:
        picture = picture.scaled(max(1, picture.width() * THUMB // side), max(1, picture.height() * THUMB // side))
    return base64.b64encode(png(picture)).decode("ascii")


def forget_pixels(states):
    """Let go of the oldest results' pixels until what is left fits into MEMORY."""
    runs, total = [], 0
    for entry in sorted((e for s in states for e in s.entries if e.run is not None), key=lambda e: -e.made):
        if entry.run not in runs:
            runs.append(entry.run)
            total += sum(pixels.nbytes for pixels in entry.run.results)
        if total > MEMORY:
            entry.run = None
