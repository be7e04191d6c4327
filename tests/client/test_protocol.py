"""Whatever arrives, reading it ends in a message or in a coded error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.client import protocol
from engine.client.catalogue import catalogue, from_dict
from engine.client.errors import (
    FrameInvalid,
    InputError,
    InternalError,
    MessageMalformed,
    MessageTooLarge,
    PincelError,
    ProtocolMismatch,
    WrongKey,
)
from engine.client.pixels import Pixels
from engine.client.protocol import FROM_CLIENT, FROM_ENGINE, Numbering, error_field, pack, seal, unpack

KEY = bytes(range(32))
PING = {"type": "ping", "id": "p", "session": "s", "seq": 1}
steady = settings(derandomize=True, deadline=None, max_examples=60, database=None)


def submit(**changes):
    source = Pixels(bytes(range(12)), 2, 2, "RGB", "u8", icc=b"profile", canvas=(9, 9), x=-1)
    mask = Pixels(bytearray(4), 2, 2, "GRAY", "u8")
    header = {"type": "submit", "id": "job-1", "session": "s", "seq": 3, "task": "colorize", "options": {}}
    return pack(KEY, dict(header, **changes), {"source": source, "mask": mask})


def text(body):
    """Parts with this header, correctly signed."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [protocol.MAGIC, protocol.signature(KEY, body), body]


def refusal(parts, types=FROM_CLIENT, **limits):
    with pytest.raises(PincelError) as caught:
        unpack(KEY, parts, types, **limits)
    return caught.value


def test_pictures_cross_without_a_copy():
    parts = submit()
    message = unpack(KEY, [memoryview(p) for p in parts], FROM_CLIENT)
    pictures = message.pictures()
    assert list(pictures) == ["source", "mask"]
    assert pictures["source"].data.obj is parts[3] and bytes(pictures["source"].icc) == b"profile"
    assert (pictures["source"].canvas, pictures["source"].x) == ((9, 9), -1)
    assert pictures["mask"].data.obj is parts[5] and pictures["mask"].icc == b""


def test_zmq_frames_are_parts():
    zmq = pytest.importorskip("zmq")
    assert unpack(KEY, [zmq.Frame(p) for p in submit()], FROM_CLIENT).pictures().keys() == {"source", "mask"}


@steady
@given(st.lists(st.binary(max_size=200), max_size=8))
def test_random_parts(parts):
    assert isinstance(refusal(parts), PincelError)


@steady
@given(st.integers(0, 5), st.integers(0, 10_000), st.integers(0, 7))
def test_bit_flips_never_pass_the_header(part, place, bit):
    parts = [bytearray(p) for p in submit()]
    parts[part][place % len(parts[part])] ^= 1 << bit
    if part <= 2:
        error = refusal(parts)
        assert isinstance(error, (WrongKey, MessageMalformed, ProtocolMismatch)) and error.request == "-"
    else:
        unpack(KEY, parts, FROM_CLIENT).pictures()  # pixels and profiles may be any bytes


@steady
@given(st.integers(0, 5), st.integers(0, 400))
def test_truncated(part, length):
    parts = submit()
    if length >= len(parts[part]):
        return
    parts[part] = parts[part][:length]
    with pytest.raises((WrongKey, MessageMalformed, ProtocolMismatch, InputError)):
        unpack(KEY, parts, FROM_CLIENT).pictures()


@steady
@given(st.integers(0, 5))
def test_parts_missing_or_too_many(count):
    assert isinstance(refusal(submit()[:count]), MessageMalformed)
    assert isinstance(refusal(submit() + [b""] * (count + 1)), MessageMalformed)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@steady
@given(
    st.dictionaries(
        st.sampled_from(["type", "id", "session", "seq", "task", "options", "buffers", "job", "protocol", "nonce"]),
        json_values | st.sampled_from(["submit", "hello", "ping"]),
    )
)
def test_signed_nonsense(header):
    try:
        unpack(KEY, text(json.dumps(header).encode()), FROM_CLIENT).pictures()
    except PincelError as error:
        assert len(json.dumps(error_field(error))) < protocol.HEADER_MAX


@steady
@given(st.sampled_from(sorted(Pixels(b"x", 1, 1, "GRAY", "u8").header("source"))), json_values)
def test_lying_descriptions(field, value):
    entry = Pixels(bytes(12), 2, 2, "RGB", "u8").header("source")
    entry[field] = value
    header = {"type": "submit", "id": "j", "session": "s", "seq": 1, "task": "t", "options": {}, "buffers": [entry]}
    try:
        pictures = unpack(KEY, [*text(json.dumps(header).encode()), bytes(12)], FROM_CLIENT).pictures()
    except PincelError as error:
        assert isinstance(error, (InputError, MessageMalformed))
    else:
        [pixels] = pictures.values()
        assert pixels.nbytes == 12


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"type":"ping"',
        b"[" * 60000,
        b'{"a":' * 9 + b"1" + b"}" * 9,
        b'"' + b"\\" * 101,
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b'{"type":"ping","id":"p","session":"s","seq":NaN}',
        b'{"type":"ping","id":"p","session":"s","seq":1e999}',
        b'{"type":"ping","id":"p","session":"s","seq":1%s}' % (b"0" * 30000),
        b'{"type":"ping","id":"p","session":"s","seq":1,"x":"\\ud800"}',
        b'{"type":"ping","type":"stop","id":"p","session":"s","seq":1}',
    ],
    ids=range(15),
)
def test_headers_that_are_not_the_json_wanted(body):
    assert type(refusal(text(body))) is MessageMalformed


def test_eight_levels_are_allowed_and_brackets_in_texts_do_not_count():
    deep: dict = {}
    for _ in range(6):
        deep = {"x": deep}
    assert unpack(KEY, text({**PING, "deep": deep, "text": '[[[[[[[[[[ \\" {{{{{{{{{{'}), FROM_CLIENT).type == "ping"
    assert type(refusal(text({**PING, "deep": {"x": {"x": deep}}}))) is MessageMalformed


@pytest.mark.parametrize(
    ("changes", "attributed"),
    [
        ({"id": ""}, False),
        ({"id": "a" * 65}, False),
        ({"id": "a b"}, False),
        ({"id": "a\n"}, False),
        ({"id": 7}, False),
        ({"type": 7}, True),
        ({"type": "nonsense"}, True),
        ({"type": "pong"}, True),
        ({"session": None}, True),
        ({"session": "ä"}, True),
        ({"seq": True}, True),
        ({"seq": -1}, True),
        ({"seq": 2**53}, True),
        ({"seq": 1.0}, True),
        ({"buffers": []}, True),
    ],
)
def test_envelopes(changes, attributed):
    error = refusal(text({**PING, **changes}))
    assert type(error) is MessageMalformed
    assert error.request == ("p" if attributed else "-")


@pytest.mark.parametrize("magic", [b"PINCEL/2", b"PINCEL/0", b"PINCEL/1 "])
def test_other_versions(magic):
    assert type(refusal([magic, b"anything"])) is ProtocolMismatch


def test_key_and_sizes():
    assert type(refusal(seal(bytes(32), PING))) is WrongKey
    upper = seal(KEY, PING)
    upper[1] = upper[1].upper()
    assert type(refusal(upper)) is WrongKey
    error = refusal(submit(), max_bytes=100)
    assert type(error) is MessageTooLarge and error.request == "job-1"
    assert type(refusal([protocol.MAGIC, b"", bytes(protocol.HEADER_MAX + 1)])) is MessageTooLarge
    with pytest.raises(MessageTooLarge):
        seal(KEY, {**PING, "x": "y" * protocol.HEADER_MAX})
    assert type(refusal([protocol.MAGIC] + [b""] * 100)) is MessageMalformed


def test_buffers_are_few_and_distinct():
    entry = Pixels(b"x", 1, 1, "GRAY", "u8").header("source")
    header = {"type": "submit", "id": "j", "session": "s", "seq": 1, "task": "t", "options": {}}
    for entries in ([entry, entry], [{**entry, "name": "../x"}], [{**entry, "icc": -1}], [{**entry, "icc": True}], [7]):
        error = refusal([*text({**header, "buffers": entries}), *[b"x"] * len(entries)])
        assert type(error) is MessageMalformed and error.request == "j"
    many = [{**entry, "name": f"b-{n}"} for n in range(17)]
    assert type(refusal([*text({**header, "buffers": many}), *[b"x"] * 17])) is MessageMalformed
    assert len(unpack(KEY, [*text({**header, "buffers": many[:16]}), *[b"x"] * 16], FROM_CLIENT).pictures()) == 16


def test_numbering_refuses_what_was_received_before():
    client, engine = Numbering(KEY, "s"), Numbering(KEY, "s")
    first, second = client.pack("ping", "a"), client.pack("ping", "b")
    engine.accept(unpack(KEY, second, FROM_CLIENT))
    for replayed in (first, second):
        with pytest.raises(MessageMalformed):
            engine.accept(unpack(KEY, replayed, FROM_CLIENT))
    with pytest.raises(WrongKey) as caught:
        engine.accept(unpack(KEY, Numbering(KEY, "other").pack("ping", "c"), FROM_CLIENT))
    assert caught.value.request == "c"


def test_a_description_that_lies_names_its_message():
    parts = submit()
    parts[3] = parts[3] + b"?"
    with pytest.raises(FrameInvalid) as caught:
        unpack(KEY, parts, FROM_CLIENT).pictures()
    assert caught.value.request == "job-1"


@pytest.mark.parametrize("detail", [{"x": "y" * 100000}, {"x": {1, 2}}, {"x": float("nan")}, {"x": [[[[[[[[1]]]]]]]]}])
def test_any_error_fits_into_a_message(detail):
    error = InternalError("s" * 100000, **detail)
    header = {"type": "error", "id": "j", "session": "s", "seq": 1, "error": error_field(error)}
    read = unpack(KEY, seal(KEY, header), FROM_ENGINE).header["error"]
    assert (read["code"], read["detail"], len(read["sentence"])) == ("internal", {}, 2000)


@steady
@given(st.dictionaries(st.sampled_from(["code", "sentence", "remedy", "detail", "more"]), json_values))
def test_any_error_field_becomes_an_error(field):
    error = from_dict(field)
    assert isinstance(error, PincelError) and isinstance(error.detail, dict) and str(error)


@pytest.mark.parametrize("cls", catalogue().values(), ids=lambda cls: cls.code)
def test_errors_arrive_as_their_class(cls):
    error = from_dict(json.loads(json.dumps(error_field(cls("What happened.", "What to do.", side=1)))))
    assert type(error) is cls
    assert (error.code, error.sentence, error.remedy) == (cls.code, "What happened.", "What to do.")
    assert error.detail == {"side": 1}
