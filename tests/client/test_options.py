"""Values of options: what counts as a number, and that plain ones come out, which JSON can hold."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest

from engine.client import options
from engine.client.errors import OptionError
from engine.forecast import Size
from engine.tasks.base import Reporter
from engine.transport import Service

GIVEN = {"seed": np.int64(3), "variants": np.uint8(2), "strength": np.float32(0.5), "saturation": Fraction(3, 2)}
PLAIN = {"seed": 3, "variants": 2, "strength": 0.5, "saturation": 1.5}


def test_numbers_of_other_kinds_become_plain_ones():
    values = options.task("colorize").complete(GIVEN | {"preview": list(np.arange(4))})
    assert json.loads(json.dumps(values)).items() >= (PLAIN | {"preview": [0.0, 1.0, 2.0, 3.0]}).items()
    assert all(type(values[name]) is type(value) for name, value in PLAIN.items())


@pytest.mark.parametrize(
    "given",
    [
        {"seed": True},
        {"seed": np.True_},
        {"seed": np.float64("nan")},
        {"seed": np.float32(0.5)},
        {"seed": np.int64(-1)},
        {"seed": 3 + 0j},
        {"seed": np.array([3, 4])},
        {"strength": np.True_},
        {"strength": np.float32(1.5)},
        {"strength": "0.5"},
    ],
    ids=str,
)
def test_what_is_no_number_of_the_range_is_refused(given):
    with pytest.raises(OptionError, match=" must be "):
        options.task("colorize").complete(given)


def test_the_service_gets_plain_values_and_those_alone_that_were_given():
    sent = []

    class Session:
        def submit(self, task, options, buffers):
            sent.append(json.loads(json.dumps(options)))
            raise InterruptedError

        def forecast(self, task, options, *size):
            self.submit(task, options, {})

    with pytest.raises(InterruptedError):
        Service(Session()).run("colorize", None, GIVEN, {}, Reporter())
    with pytest.raises(InterruptedError):
        Service(Session()).forecast("colorize", Size(1, 1), GIVEN)
    assert sent == [PLAIN, PLAIN]
