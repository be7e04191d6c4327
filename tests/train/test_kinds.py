"""Options and sizes are of the kind of what is known to be good."""

import math

import pytest

from engine.client.errors import OptionError
from engine.generators import base
from engine.train import training
from engine.train.kinds import check


@pytest.mark.parametrize(
    ("known", "good", "bad"),
    [
        ([True], (True, False), ("False", 0, 1.0, None)),
        ([8], (1, 8), (0, -1, 1.5, "8", True)),
        ([8, 0], (0, 9), (-1, 0.5)),  # the default and the thesis' own
        ([0.5], (1, 0, -2.0), (math.nan, math.inf, 10**400, "1", False)),
        ([8, 0.5], (1, 0.25), ("1",)),
        ([""], ("a", ""), (1, False)),
        ([[0.5, 1]], ([1, 2], (0.5,), []), (1, ["a"], [math.nan])),
        ([(), [0, 1]], ([2, 0],), ([0.5], [-1])),
        ([[]], ([], ["shift"]), ("shift",)),
        ([], (1, "a", None), ()),
    ],
)
def test_what_may_stand_in(known, good, bad):
    for value in good:
        check("The option", "--set", "some", value, known)
    for value in bad:
        with pytest.raises(OptionError, match="some must be"):
            check("The option", "--set", "some", value, known)


def test_the_remedy_is_something_to_write():
    with pytest.raises(OptionError) as refused:
        check("The size", "--config", "skip", "False", [True])
    assert refused.value.sentence == "The size skip must be true or false, not 'False'."
    assert refused.value.remedy == "Write --config skip=true or --config skip=false."
    with pytest.raises(OptionError, match="Write --set patch=48, its default, or the like"):
        check("The recipe's option", "--set", "patch", 0, [48])


@pytest.mark.parametrize("name", base.names())
def test_what_ships_is_accepted(name):
    """The compact sizes with the recipe's own options, and the thesis' with the thesis'."""
    found = base.module(name)
    for sizes, options in ((found.CONFIG, {}), (getattr(found, "THESIS", found.CONFIG), found.Recipe.THESIS)):
        training.check_sizes(found, sizes)
        assert found.Recipe(found.Generator(**sizes), options).phases()
