"""Dialogs from declarations, and their values as requests, for every task that there is."""

from __future__ import annotations

import json

import pytest

from engine.client import controls
from engine.client.errors import OptionError
from engine.client.options import TASKS

EVERY = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


@EVERY
def test_defaults_make_the_default_request(task):
    made = controls.controls(task)
    request = controls.collect(task, {control.name: control.default for control in made})
    defaults = {o.name: o.default for o in task.options if o.default not in (None, [], ()) and o.name != "output"}
    assert {k: v for k, v in request.options.items() if k != "output"} == defaults
    assert request.options.get("output", "normal") == task.complete({}).get("output", "normal")
    assert (request.place, request.layers) == (controls.LAYER, {})
    assert controls.collect(task, {}).options == request.options


@EVERY
def test_every_option_has_a_control_that_an_editor_can_draw(task):
    made = controls.controls(task)
    assert {o.name for o in task.options} - {"output", "preview"} <= {c.name for c in made}
    assert len({c.name for c in made}) == len(made)
    for control in made:
        assert control.title and control.help.endswith("."), control.name
        if control.kind in ("int", "float"):
            assert control.low <= control.default <= control.high < 2**31
        if control.kind == "choice":
            assert control.default in dict(control.choices)


@EVERY
def test_what_the_welcome_declares_is_the_same_task(task):
    [again] = controls.from_welcome(json.loads(json.dumps([task.to_dict()])))
    assert json.dumps(again.to_dict()) == json.dumps(task.to_dict())
    assert [vars(c) for c in controls.controls(again)] == [vars(c) for c in controls.controls(task)]


def test_places_and_outputs():
    colorize = TASKS["colorize"]
    assert controls.places(colorize) == [controls.LAYER, controls.COLOUR, controls.REPLACE, controls.NEW_IMAGE]
    assert controls.collect(colorize, {"place": controls.COLOUR}).options["output"] == "color-only"
    assert controls.collect(colorize, {"place": controls.NEW_IMAGE}).options.get("output", "normal") == "normal"
    assert controls.REPLACE not in controls.places(TASKS["generate"])


def test_what_the_editor_does_itself():
    sketch = TASKS["sketch"]
    assert controls.BELOW in controls.places(sketch)
    below = controls.collect(sketch, {"place": controls.BELOW})
    assert (below.options["output"], below.multiply) == ("below-lines", True)
    assert not controls.collect(sketch, {"place": controls.BELOW, "multiply": False}).multiply
    assert not controls.collect(sketch, {}).multiply
    assert controls.collect(TASKS["upscale"], {"grow": True}).grow


def test_options_that_may_be_left_out():
    made = controls.collect(TASKS["upscale"], {"width": 0, "height": 300})
    assert made.options["height"] == 300 and "width" not in made.options


def test_a_slider_below_its_range_means_not_set():
    [realism] = [c for c in controls.controls(TASKS["upscale"]) if c.name == "realism"]
    assert (realism.default, realism.low) == (-0.1, -0.1)
    assert "realism" not in controls.collect(TASKS["upscale"], {"realism": -0.04}).options
    assert controls.collect(TASKS["upscale"], {"realism": 0.0}).options["realism"] == 0.0


def test_layers_are_kept_apart():
    made = controls.collect(TASKS["colorize"], {"hints": "a layer", "seed": 3})
    assert made.layers == {"hints": "a layer"} and "hints" not in made.options and made.options["seed"] == 3


@pytest.mark.parametrize(
    "values", [{"seed": -5}, {"variants": 0}, {"place": "nowhere"}, {"place": "replace", "variants": 2}]
)
def test_wrong_values_are_refused(values):
    with pytest.raises(OptionError):
        controls.collect(TASKS["colorize"], values)


def test_generators_of_the_task_alone():
    models = [{"name": "a.b", "task": "upscale", "title": "A"}, {"name": "c.d", "task": "colorize", "title": "C"}]
    assert controls.generators(TASKS["upscale"], models) == [("auto", "Automatic"), ("a.b", "A (a.b)")]
