"""Builds and reads the messages that PROTOCOL.md describes; the client and the engine's broker share this file.

Sending:    parts = Numbering(key, session).pack("submit", "job-1", {"source": pixels}, task="colorize", options={})
Receiving:  message = unpack(key, parts, FROM_CLIENT); numbering.accept(message); message.pictures()

Parts may be bytes, bytearrays, memoryviews or zmq frames; pixel data is never copied. Whatever arrives, only errors of
errors.py leave this file; their `request` is the id of the message they answer, "-" when it cannot be known.
"""

import hmac
import json
import math
import re

from .errors import MessageMalformed, MessageTooLarge, PincelError, ProtocolMismatch, WrongKey
from .pixels import SIDE_MAX, from_header

VERSION = 1
MAGIC = b"PINCEL/1"
KEY_BYTES = 32
HEADER_MAX = 64 * 1024
DEPTH_MAX = 8
BUFFERS_MAX = 16  # as many as colorize has variants
PARTS_MAX = 3 + 2 * BUFFERS_MAX
MAX_BYTES = 2 * 1024**3  # of one message, unless the engine was told another limit
SEQ_MAX = 2**53 - 1  # the largest whole number that every JSON reader keeps
UNKNOWN = "-"  # the id of an answer to a message that cannot be attributed

_NUMBER = (int, float)
# Every message type with the fields it must have beside type, id, session and seq, and their JSON types.
FROM_CLIENT = {
    "hello": {"protocol": int, "nonce": str, "client": dict},
    "ping": {},
    "list": {},
    "status": {},
    "forecast": {"task": str, "options": dict, "width": int, "height": int, "pixel": int},
    "submit": {"task": str, "options": dict, "buffers": list},
    "cancel": {"job": str},
    "free": {},
    "stop": {},
}
FROM_ENGINE = {
    "welcome": {
        "nonce": str,
        "protocol": int,
        "version": str,
        "tasks": list,
        "models": list,
        "limits": dict,
        "devices": list,
    },
    "pong": {},
    "models": {"models": list},
    "state": {"queue": list, "workers": list, "keep_alive": _NUMBER, "uptime": _NUMBER},
    "forecast": {
        "seconds": (int, float, type(None)),
        "bytes": (int, type(None)),
        "phases": dict,
        "jobs": int,
    },
    "freed": {},
    "stopping": {},
    "queued": {"position": int},
    "started": {"device": str, "attempt": int},
    "progress": {"phase": str, "step": int, "steps": int, "fraction": _NUMBER, "eta": (int, float, type(None))},
    "result": {"buffers": list, "info": dict},
    "error": {"error": dict},
    "cancelled": {},
}
# A job ends in exactly one of these.
FINAL = ("result", "error", "cancelled")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_BUFFER_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}\Z")
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


class Message:
    """A message that was read. header: its JSON object.

    frames holds a (description, data, icc) a buffer: memoryviews of what arrived, icc b"" when there is none.
    parts are the same memoryviews in wire order, for passing pictures on without looking at them.
    """

    def __init__(self, header, parts):
        self.header, self.parts = header, parts
        self.type, self.id = header["type"], header["id"]
        self.session, self.seq = header["session"], header["seq"]
        rest = iter(parts)
        self.frames = [(d, next(rest), next(rest) if d["icc"] else b"") for d in header.get("buffers", [])]

    def pictures(self, side_max=SIDE_MAX):
        """The buffers as {name: Pixels} without a copy; side_max: the longest allowed side, None for any.

        Raises FrameInvalid, TooLarge or EmptyPicture where a description does not add up.
        """
        try:
            return {entry["name"]: from_header(entry, data, icc, side_max) for entry, data, icc in self.frames}
        except PincelError as error:
            error.request = self.id
            raise


class Numbering:
    """One side of a session: numbers what it sends, and refuses what does not belong or was received before."""

    def __init__(self, key, session=""):
        self.key, self.session = key, session
        self.sent = self.received = 0

    def seal(self, header, parts=()):
        """The signed parts of a message; header: type, id and the type's fields, whose `buffers` describe the parts."""
        if self.session:
            self.sent += 1
        return seal(self.key, dict(header, session=self.session, seq=self.sent), parts)

    def pack(self, type, id, buffers=None, **fields):
        """The same from pictures: buffers is {name: Pixels}."""
        header, parts = describe(dict(fields, type=type, id=id), buffers)
        return self.seal(header, parts)

    def accept(self, message):
        """Raise WrongKey for a message of another session, MessageMalformed for one received before."""
        if message.session != self.session:
            raise _refusal(WrongKey, "The message belongs to a session that is not open.", message.id)
        if message.seq <= self.received:
            raise _refusal(MessageMalformed, "The message's number was used before.", message.id, seq=message.seq)
        self.received = message.seq


def pack(key, header, buffers=None):
    """The signed parts of one message. header: all its fields but `buffers`; buffers: {name: Pixels}."""
    header, parts = describe(header, buffers)
    return seal(key, header, parts)


def describe(header, buffers):
    """The header with its `buffers` and the parts they describe; buffers: {name: Pixels}, or None for no buffers."""
    if buffers is None:
        return header, []
    parts = []
    for pixels in buffers.values():
        parts.append(pixels.data)
        if pixels.icc:
            parts.append(pixels.icc)
    return dict(header, buffers=[pixels.header(name) for name, pixels in buffers.items()]), parts


def seal(key, header, parts=()):
    """Sign a complete header and put the parts behind it. Raises MessageTooLarge for a header above 64 KiB."""
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode("ascii")
    if len(text) > HEADER_MAX:
        raise _refusal(MessageTooLarge, "The message's header would have %d bytes." % len(text), header.get("id"))
    return [MAGIC, signature(key, text), text, *parts]


def signature(key, text):
    """HMAC-SHA256 of the header's bytes as 64 lower-case hex digits (bytes); key: 32 bytes."""
    return hmac.new(key, text, "sha256").hexdigest().encode("ascii")


def unpack(key, parts, types, max_bytes=MAX_BYTES):
    """The Message in `parts`; types: FROM_CLIENT in the engine, FROM_ENGINE in a client; max_bytes: of all parts.

    Raises ProtocolMismatch, WrongKey, MessageMalformed or MessageTooLarge. Pixels are checked by Message.pictures().
    """
    views = [memoryview(part).cast("B") for part in parts]
    if not views or views[0].nbytes > 32 or not bytes(views[0]).startswith(b"PINCEL/"):
        raise _refusal(MessageMalformed, "The message does not begin with PINCEL/1.")
    if bytes(views[0]) != MAGIC:
        spoken = bytes(views[0]).decode("ascii", "replace")
        raise _refusal(ProtocolMismatch, "One side speaks %s, the other PINCEL/1." % ascii(spoken), spoken=spoken)
    if not 3 <= len(views) <= PARTS_MAX:
        raise _refusal(MessageMalformed, "A message of %d parts is none of this protocol." % len(views))
    if views[2].nbytes > HEADER_MAX:
        raise _refusal(MessageTooLarge, "The message's header has more than %d bytes." % HEADER_MAX)
    text = bytes(views[2])
    if not hmac.compare_digest(bytes(views[1][:65]), signature(key, text)):
        raise _refusal(WrongKey, "The message is not signed with this engine's key.")
    header = _read_header(text)
    _check_envelope(header)
    _check_fields(header, types)
    _check_buffers(header, views[3:])
    size = sum(view.nbytes for view in views)
    if size > max_bytes:
        sentence = "The message has %d bytes, %d are allowed." % (size, max_bytes)
        raise _refusal(MessageTooLarge, sentence, header["id"], bytes=size, limit=max_bytes)
    return Message(header, views[3:])


def error_field(error):
    """The `error` field for any PincelError, small enough for a header whatever the error holds."""
    data = error.to_dict()
    for name in ("sentence", "remedy"):
        data[name] = str(data[name])[:2000]
    try:
        if len(json.dumps(data["detail"], allow_nan=False)) > HEADER_MAX // 4:
            data["detail"] = {}
    except (TypeError, ValueError, RecursionError):
        data["detail"] = {}
    if _depth(json.dumps(data).encode("ascii")) > DEPTH_MAX - 1:
        data["detail"] = {}
    return data


def _refusal(cls, sentence, request=UNKNOWN, **detail):
    error = cls(sentence, **detail)
    if isinstance(request, str):
        error.request = request
    return error


def _depth(text):
    """How deep the JSON text nests, counted without parsing it."""
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        mark = match.group()
        if mark in (b"[", b"{"):
            depth += 1
            deepest = max(deepest, depth)
        elif mark in (b"]", b"}"):
            depth -= 1
    return deepest


def _whole(digits):
    if len(digits) > 20:
        raise ValueError("a number of %d digits" % len(digits))
    return int(digits)


def _real(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number beyond the range of doubles")
    return value


def _constant(name):
    raise ValueError("%s is not JSON" % name)


def _once(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return found


def _read_header(text):
    """The JSON object in the header's bytes. Raises MessageMalformed."""
    if _depth(text) > DEPTH_MAX:
        raise _refusal(MessageMalformed, "The message's header nests deeper than %d." % DEPTH_MAX)
    try:
        header = json.loads(
            text.decode("utf-8"),
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_constant,
            object_pairs_hook=_once,
        )
        if b"\\u" in text:  # half a surrogate pair is JSON, but no text that can be shown or written
            json.dumps(header, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise _refusal(MessageMalformed, "The message's header is not JSON: %s." % str(error)[:200]) from None
    if not isinstance(header, dict):
        raise _refusal(MessageMalformed, "The message's header is not a JSON object.")
    return header


def _is(value, kind):
    """isinstance, where true and false are no numbers."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _check_envelope(header):
    """type, id, session and seq, which every header has."""
    id = header.get("id")
    if not isinstance(id, str) or not _ID.match(id):
        raise _refusal(MessageMalformed, "The message's id is not 1 to 64 letters, digits, dots, dashes.")
    if not isinstance(header.get("type"), str):
        raise _refusal(MessageMalformed, "The message has no type.", id)
    session = header.get("session")
    if not isinstance(session, str) or (session and not _ID.match(session)):
        raise _refusal(MessageMalformed, "The message's session is not 1 to 64 letters, digits, dots, dashes.", id)
    seq = header.get("seq")
    if not _is(seq, int) or not 0 <= seq <= SEQ_MAX:
        raise _refusal(MessageMalformed, "The message's seq is not a whole number from 0.", id)


def _check_fields(header, types):
    """The fields that the message's type must have."""
    if header["type"] not in types:
        sentence = "There is no message type %s." % ascii(header["type"])[:80]
        raise _refusal(MessageMalformed, sentence, header["id"])
    for name, kind in types[header["type"]].items():
        if name not in header or not _is(header[name], kind):
            raise _refusal(MessageMalformed, "The message's %s is missing or of a wrong type." % name, header["id"])
    if "buffers" in header and "buffers" not in types[header["type"]]:
        raise _refusal(MessageMalformed, "A %s carries no buffers." % header["type"], header["id"])


def _check_buffers(header, parts):
    """That the descriptions are objects with distinct names and that as many parts came as they announce."""
    descriptions = header.get("buffers", [])
    if len(descriptions) > BUFFERS_MAX:
        raise _refusal(MessageMalformed, "A message carries at most %d buffers." % BUFFERS_MAX, header["id"])
    names, wanted = set(), 0
    for entry in descriptions:
        if not isinstance(entry, dict) or not _is(entry.get("icc"), int) or entry["icc"] < 0:
            raise _refusal(MessageMalformed, "A buffer's description lacks its icc length.", header["id"])
        name = entry.get("name")
        if not isinstance(name, str) or not _BUFFER_NAME.match(name) or name in names:
            raise _refusal(MessageMalformed, "A buffer's name is missing, malformed or used twice.", header["id"])
        names.add(name)
        wanted += 2 if entry["icc"] else 1
    if len(parts) != wanted:
        sentence = "The header describes %d parts, but %d came." % (wanted, len(parts))
        raise _refusal(MessageMalformed, sentence, header["id"])
