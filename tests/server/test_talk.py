"""Who is let in, and what becomes of messages that are wrong: always a code, and the engine goes on."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.client import options, protocol
from engine.client.pixels import Pixels
from tests.server.harness import Client, code, picture


def test_hello_says_what_the_engine_can_do(shared):
    client = shared.client(hello=False)
    welcome = client.hello(nonce="0f31c6")
    header = welcome.header
    assert (welcome.type, welcome.id, header["nonce"], header["protocol"]) == ("welcome", "hello", "0f31c6", 1)
    assert {task["name"] for task in header["tasks"]} == set(options.TASKS) | {"fake"}
    assert header["limits"] == {"max_bytes": 1_000_000, "side_max": 40000, "buffers": 16, "queue": 32}
    names = {"name", "task", "title", "default", "for", "licence", "sha256", "bytes"}
    assert {m["name"] for m in header["models"]} >= {"yuv_cgan.photo", "srgan.psnr"}
    assert all(set(model) == names for model in header["models"])
    assert client.ask("ping").type == "pong"
    assert client.ask("list").header["models"] == header["models"]


def test_each_hello_opens_a_session_of_its_own(shared):
    one, other = shared.client(), shared.client()
    assert one.out.session != other.out.session
    other.out.session = one.out.session
    answer = other.ask("ping")
    assert code(answer) == "engine.wrong-key"


def test_a_second_hello_ends_the_first_session(client):
    job = client.submit("sleep", steps=1000, seconds=0.01)
    client.wait(job, "started")
    old = client.out
    client.hello()
    assert not any(worker["job"] for worker in client.workers())
    client.raw(old.pack("ping", "p"))
    assert code(client.get()) == "engine.wrong-key"


def test_a_wrong_key_is_refused(shared):
    where = shared.connection()
    where.key = bytes(32)
    stranger = Client(where)
    stranger.raw(protocol.pack(bytes(32), {"type": "hello", "id": "h", "session": "", "seq": 0}))
    answer = stranger.socket.recv_multipart()
    header = json.loads(answer[2])
    assert header["error"]["code"] == "engine.wrong-key" and header["id"] == "-" and header["session"] == ""
    assert answer[1] != protocol.signature(bytes(32), answer[2])
    stranger.close()


def test_without_hello_nothing_is_answered(shared):
    client = shared.client(hello=False)
    client.raw(protocol.pack(client.where.key, {"type": "stop", "id": "x", "session": "", "seq": 1}))
    assert code(client.get()) == "engine.wrong-key"


def test_a_recorded_message_cannot_be_played_again(client):
    parts = client.out.pack("submit", "once", {"source": picture()}, task="fake", options={"does": "invert"})
    client.raw(parts)
    client.end("once")
    client.raw(parts)
    assert code(client.get()) == "engine.malformed"
    client.out.sent -= 1  # a number that is not new, in a message that is
    assert code(client.ask("ping")) == "engine.malformed"
    client.out.sent += 1
    assert client.ask("ping").type == "pong"


def test_a_refusal_never_ends_an_open_job(client):
    parts = client.out.pack("submit", "open", {"source": picture()}, task="fake", options={"steps": 3, "seconds": 0.05})
    client.raw(parts)
    client.raw(parts)
    client.submit("invert", id="open")
    seen = [client.get()]
    while seen[-1].type != "result":
        seen.append(client.get())
    assert [(m.id, code(m)) for m in seen if m.type == "error"] == [("-", "engine.malformed")] * 2
    assert seen[-1].id == "open"


@pytest.mark.parametrize("spoken", [0, 2, 99])
def test_another_protocol_in_hello(shared, spoken):
    client = shared.client(hello=False)
    answer = client.hello(protocol=spoken)
    assert code(answer) == "engine.protocol" and answer.id == "hello"


@pytest.mark.parametrize("magic", [b"PINCEL/0", b"PINCEL/2"])
def test_another_protocol_on_the_wire(client, magic):
    client.raw([magic, *client.out.pack("ping", "p")[1:]])
    answer = client.get()
    assert code(answer) == "engine.protocol" and answer.id == "-"
    assert client.ask("ping").type == "pong"


MALFORMED = [
    [b""],
    [b"GET / HTTP/1.1"],
    [b"PINCEL/1"],
    [b"PINCEL/1", b"", b""],
    [b"PINCEL/1", b"00" * 32, b"{}"],
    [b"PINCEL/1", *[b"x"] * 60],
]


@pytest.mark.parametrize("parts", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_parts(client, parts):
    client.raw(parts)
    assert code(client.get()) in ("engine.malformed", "engine.wrong-key", "engine.protocol")
    assert client.ask("ping").type == "pong"


HEADERS = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"[" * 5000,
    b'{"type": "ping"}',
    b'{"type": "ping", "id": 5, "session": "", "seq": 1}',
    b'{"type": "ping", "id": "-", "session": "", "seq": 1}',
    b'{"type": "ping", "id": "p", "session": "", "seq": NaN}',
    b'{"type": "ping", "id": "p", "session": "", "seq": 1e999}',
    b'{"type": "format-disk", "id": "p", "session": "", "seq": 1}',
    b'{"type": "submit", "id": "p", "session": "", "seq": 1, "task": "fake", "options": [], "buffers": {}}',
    b'{"type": "hello", "id": "p", "session": "", "seq": 0, "protocol": "1", "nonce": 1, "client": []}',
]


@pytest.mark.parametrize("text", HEADERS, ids=range(len(HEADERS)))
def test_malformed_headers_with_a_good_signature(client, text):
    client.raw([protocol.MAGIC, protocol.signature(client.where.key, text), text])
    assert code(client.get()) == "engine.malformed"
    assert client.ask("ping").type == "pong"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(
    max_examples=60, deadline=None, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_nothing_that_can_be_sent_stops_the_engine(client, data):
    """Well-signed messages with any field replaced by any JSON, and any bytes as parts."""
    fields = {"type": "submit", "id": "fuzz", "task": "fake", "options": {}, "session": client.out.session}
    header, parts = protocol.describe(fields | {"seq": client.out.sent + 1}, {"source": picture()})
    name = data.draw(
        st.sampled_from(
            [*sorted(header.keys() - {"seq"}), "buffers.width", "buffers.channels", "buffers.icc", "buffers.name"]
        )
    )
    target = header["buffers"][0] if "." in name else header
    target[name.rpartition(".")[2]] = data.draw(JSON)
    text = json.dumps(header).encode()
    parts = [protocol.MAGIC, protocol.signature(client.where.key, text), text, *map(bytes, parts)]
    place = data.draw(st.integers(0, len(parts)))
    parts[place:] = data.draw(st.sampled_from([parts[place:], [b""], [data.draw(st.binary(max_size=40))]]))
    client.raw(parts)
    client.out.sent += 1
    assert client.ask("ping").type == "pong"


def test_other_programs_that_find_the_port(shared, client):
    """A browser's request, garbage and a connection that says nothing: no answer, no harm."""
    _, _, port = shared.connection().endpoint.rpartition(":")
    for text in (b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n", bytes(range(256)) * 8, b"\xff" + bytes(63), b""):
        with socket.create_connection(("127.0.0.1", int(port))) as stranger:
            stranger.sendall(text)
            assert client.ask("ping").type == "pong"


def test_frames_that_do_not_add_up(client):
    good = picture(4, 4)
    short = Pixels(good.data, 4, 4, "RGB", "u8")
    short.data = good.data[:-1]
    wide = Pixels(good.data, 4, 4, "RGB", "u8")
    wide.width = 50_000
    empty = Pixels(good.data, 4, 4, "RGB", "u8")
    empty.width, empty.data = 0, b""
    for source, expected in ((short, "input.frame"), (wide, "input.too-large"), (empty, "input.empty")):
        job = client.submit(source=source)
        answer = client.end(job)
        assert code(answer) == expected and answer.id == job


def test_submits_that_cannot_be_done(client):
    def refusal(buffers, task="fake", options=()):
        return code(client.end(client.send("submit", buffers, task=task, options=dict(options))))

    source = {"source": picture()}
    assert refusal(source, task="paint") == "option.task"
    assert refusal(source, options={"steps": 0}) == "option.invalid"
    assert refusal(source, options={"colour": 1}) == "option.invalid"
    assert refusal(source | {"hints": picture()}) == "option.invalid"
    assert refusal({"mask": picture()}) == "engine.malformed"
    assert refusal(source, task="colorize", options={"generator": "../../etc/passwd"}) == "option.invalid"


def test_unknown_fields_of_a_buffer_stay_out_of_the_engine(client):
    """In ASCII, as the engine writes, they would be three times as long: no header for the worker would hold them."""
    fields = {"type": "submit", "id": "wide", "task": "fake", "options": {}, "session": client.out.session}
    client.out.sent += 1
    header, parts = protocol.describe(fields | {"seq": client.out.sent}, {"source": picture()})
    header["buffers"][0]["note"] = "\u00e9" * 30_000
    text = json.dumps(header, ensure_ascii=False).encode()
    client.raw([protocol.MAGIC, protocol.signature(client.where.key, text), text, *parts])
    assert client.end("wide").type == "result"
    assert client.end(client.submit()).type == "result"


def test_a_message_above_the_limit_is_refused_with_a_code(client):
    """Each part is allowed, their sum is not."""
    source = {"source": picture(500, 500), "mask": picture(500, 500, channels="BGR")}
    job = client.send("submit", source, task="fake", options={})
    answer = client.end(job)
    assert code(answer) == "engine.too-large" and answer.header["error"]["detail"]["limit"] == 1_000_000


def test_a_single_part_above_the_limit_is_cut_off_before_it_is_stored(shared, client):
    """libzmq refuses it by its announced length and ends the connection; others notice nothing."""
    giant = shared.client()
    giant.submit(source=picture(1000, 1000))
    assert giant.get(0.3) is None
    assert client.ask("ping").type == "pong"
    session = giant.out.session
    giant.hello()
    assert giant.out.session != session
