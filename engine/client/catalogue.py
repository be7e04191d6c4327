"""All errors by their codes, and an error made again from what to_dict() said of it on the other side of the wire."""

from .errors import InternalError, PincelError


def _tree(cls):
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


def catalogue():
    """Every error class by its code, in the order of errors.py."""
    found = {}  # type: dict
    for cls in _tree(PincelError):
        found.setdefault(cls.code, cls)
    found["internal"] = InternalError
    return found


def from_dict(data):
    """The error that to_dict described; an unknown code (from a newer engine) becomes a PincelError that keeps it."""
    code, detail = str(data.get("code", "internal")), data.get("detail")
    cls = catalogue().get(code, PincelError)
    error = cls(str(data.get("sentence", "The engine reported an error.")), str(data.get("remedy", cls.remedy)))
    error.code, error.detail = code, detail if isinstance(detail, dict) else {}
    return error
