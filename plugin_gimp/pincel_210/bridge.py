"""The half of the GIMP 2.10 plug-in that needs Python 3: the client, spoken to through pipes.

GIMP 2.10's own Python, where it has one, is 2.7. So pincel_210.py starts this file with the engine's Python and both say
JSON lines, each followed by as many raw bytes as its "bytes" (a list of lengths) announce. With `declare` it says the tasks
and ends. Otherwise: it is told the task, the values and the rectangles; answers what to read; is sent the pixels; reports
progress; and sends the results, or one error. When the plug-in dies, the next report fails and this process ends too.
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pincel_client import controls, errors, options, region, work
from pincel_client.pixels import Pixels

VERSION = "0.1.0"


def declare():
    """All tasks with their controls, as JSON values."""
    return [
        {"name": t.name, "title": t.title, "help": t.help, "source": t.source, "controls": [vars(c) for c in made]}
        for t in options.TASKS.values()
        for made in [controls.controls(t)]
    ]


def say(message, *parts):
    message["bytes"] = [len(part) for part in parts]
    sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
    for part in parts:
        sys.stdout.buffer.write(part)
    sys.stdout.buffer.flush()


def hear():
    message = json.loads(sys.stdin.buffer.readline())
    return message, [sys.stdin.buffer.read(size) for size in message["bytes"]]


def check(asked, request, task):
    """Raise OutputError, as in GIMP 3, for what can be known to fail before any work is done."""
    if request.place != controls.REPLACE:
        return
    if asked["group"]:
        raise errors.OutputError(
            "The pixels of a layer group cannot be replaced.", "Choose a new layer as the result, or another layer."
        )
    if asked["locked"]:
        raise errors.OutputError("The pixels of %s are locked." % asked["name"], "Unlock them, or choose a new layer.")
    if asked["selection"] and any(o.name == "scale" for o in task.options):
        raise errors.OutputError(
            "A selected part cannot be replaced by an enlarged one.",
            "Choose Select > None, or a new layer as the result.",
        )


def serve():
    """One request. Raises PincelError."""
    asked, _ = hear()
    task = options.task(asked["task"])
    request = controls.collect(task, asked["values"])
    check(asked, request, task)
    given, plan = dict(request.options), None
    selection = region.Rect(*asked["selection"]) if asked["selection"] else None
    if task.source:
        plan = region.Plan(task, given, region.Rect(*asked["layer"]), selection)
        given = plan.options
    answer = {"place": request.place, "grow": request.grow, "multiply": request.multiply, "layers": request.layers}
    if plan is not None:
        answer.update(read=list(plan.read), inside=list(plan.inside))
    say(answer)
    message, parts = hear()
    pictures = {
        frame["name"]: Pixels(part, frame["width"], frame["height"], frame["channels"], "u8")
        for frame, part in zip(message["frames"], parts)
    }
    job = work.Work(("gimp-2.10", VERSION), task.name, given, pictures)
    while not job.step(0.2):
        say({"text": job.text, "fraction": job.fraction or 0.0})
    if job.error is not None:
        raise job.error
    kept = [plan.keep(p) if plan else p for p in job.results]
    seeds = job.info.get("seeds") or []
    frames = [
        {
            "name": "%s, seed %d" % (task.title, seeds[n]) if len(seeds) == len(kept) else task.title,
            "width": p.width,
            "height": p.height,
            "channels": p.channels,
        }
        for n, p in enumerate(kept)
    ]
    say({"results": frames, "notices": job.notices}, *[bytes(p.data) for p in kept])


if __name__ == "__main__":
    if sys.argv[1:] == ["declare"]:
        say({"tasks": declare()})
    else:
        try:
            serve()
        except BrokenPipeError:
            os._exit(0)
        except errors.PincelError as error:
            say({"error": work.say(error)})
