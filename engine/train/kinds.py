"""What kind of value an option of a recipe or a size of a network takes, told by values that are known to be good."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from engine.client.errors import OptionError

_MOST = sys.float_info.max


def check(what: str, flag: str, name: str, value: Any, known: Sequence[Any]) -> None:
    """Raises OptionError where a value cannot stand where the known ones do, the default first; any can if none is known.

    Whole numbers stay whole, and above 0 if all known ones are; other numbers may be whole, but are finite. Lists are checked
    item by item, not for their length. what: "The recipe's option"; flag: "--set".
    """
    known = [value for value in known if value is not None]
    wanted = _wanted(value, known)
    if wanted:
        choice = f"{flag} {name}=true or {flag} {name}=false"
        example = (
            choice if wanted == "true or false" else f"{flag} {name}={json.dumps(known[0])}, its default, or the like"
        )
        raise OptionError(f"{what} {name} must be {wanted}, not {value!r}.", f"Write {example}.")


def _wanted(value: Any, known: Sequence[Any]) -> str:
    """What is wanted instead of a value; "" if it will do."""
    if not known:
        return ""
    first = known[0]
    if isinstance(first, bool):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(first, str):
        return "" if isinstance(value, str) else "a text"
    if isinstance(first, list | tuple):
        if not isinstance(value, list | tuple):
            return "a list"
        items = [item for each in known for item in each]
        wanted = next(filter(None, (_wanted(item, items) for item in value)), "")
        return wanted and f"a list, each of its items {wanted}"
    if isinstance(first, int | float):
        return _wanted_number(value, known)
    return ""


def _wanted_number(value: Any, known: Sequence[Any]) -> str:
    if any(isinstance(number, float) for number in known):
        good = isinstance(value, int | float) and not isinstance(value, bool) and -_MOST <= value <= _MOST
        return "" if good else "a number"
    least = min(1, *known)
    good = isinstance(value, int) and not isinstance(value, bool) and value >= least
    return "" if good else f"a whole number of at least {least}"
