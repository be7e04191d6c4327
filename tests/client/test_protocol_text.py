"""PROTOCOL.md is executed: every example in it is read by the code that both sides use."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from engine.client import connection, errors, options, protocol
from engine.client.catalogue import catalogue
from engine.client.pixels import from_header

TEXT = (Path(protocol.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")
BLOCKS = [(name, body) for name, body in re.findall(r"```(?:json|text) ([^\n]+)\n(.*?)\n?```", TEXT, re.DOTALL)]
CLIENT = [json.loads(body) for name, body in BLOCKS if name.startswith("client ")]
ENGINE = [json.loads(body) for name, body in BLOCKS if name.startswith("engine ")]


def block(name):
    [body] = [b for n, b in BLOCKS if n == name]
    return body


KEY = bytes.fromhex(json.loads(block("connection-file"))["key"])


def parts_of(header):
    """Bytes as the header's descriptions announce them."""
    sizes = {"u8": 1, "u16": 2, "f16": 2, "f32": 4}
    channels = {"GRAY": 1, "GRAYA": 2, "RGB": 3, "RGBA": 4, "BGR": 3, "BGRA": 4}
    for d in header.get("buffers", []):
        yield bytes(d["width"] * d["height"] * channels[d["channels"]] * sizes[d["dtype"]])
        if d["icc"]:
            yield bytes(d["icc"])


@pytest.mark.parametrize(("messages", "types"), [(CLIENT, protocol.FROM_CLIENT), (ENGINE, protocol.FROM_ENGINE)])
def test_every_message_type_has_an_example_that_is_read(messages, types):
    assert {m["type"] for m in messages} == set(types)
    for header in messages:
        message = protocol.unpack(KEY, protocol.seal(KEY, header, list(parts_of(header))), types)
        assert message.header == header
        assert list(message.pictures()) == [d["name"] for d in header.get("buffers", [])]


@pytest.mark.parametrize(("messages", "types"), [(CLIENT, protocol.FROM_CLIENT), (ENGINE, protocol.FROM_ENGINE)])
def test_every_field_of_an_example_is_needed(messages, types):
    for header in messages:
        for name in ["type", "id", "session", "seq", *types[header["type"]]]:
            rest = {k: v for k, v in header.items() if k != name}
            with pytest.raises(errors.MessageMalformed):
                protocol.unpack(KEY, protocol.seal(KEY, rest, list(parts_of(header))), types)


def test_the_tables_name_the_message_types_and_their_fields():
    for types, title in ((protocol.FROM_CLIENT, "## 4"), (protocol.FROM_ENGINE, "## 5")):
        section = TEXT.split(title)[1].split("\n## ")[0]
        rows = {}
        for row in re.findall(r"^\|(.+)\|$", section, re.MULTILINE):
            first, second = row.split("|")[:2]
            for name in re.findall(r"`(\w+)`", first):
                rows[name] = second
        assert set(rows) == set(types)
        for name, fields in types.items():
            assert all(f"`{field}`" in rows[name] for field in fields), name


def test_the_numbers_in_a_session_grow():
    for messages in (CLIENT, ENGINE):
        numbering = protocol.Numbering(KEY, "s-7f3a")
        for header in messages:
            if header["session"]:
                numbering.accept(protocol.Message(header, list(parts_of(header))))


def test_signature():
    text = block("signed ping").encode()
    assert protocol.signature(KEY, text).decode() == block("signature of ping")
    parts = [b"PINCEL/1", block("signature of ping").encode(), text]
    assert protocol.unpack(KEY, parts, protocol.FROM_CLIENT).type == "ping"


def test_buffer_example():
    entry = json.loads(block("buffer"))
    pixels = from_header(entry, bytes(5 * 3 * 4))
    assert pixels.header("source") == entry


def test_connection_file_example(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "namespace", lambda: "pid:[another]")
    (tmp_path / connection.FILE).write_text(block("connection-file"))
    (tmp_path / connection.FILE).chmod(0o600)
    found, why = connection.read_connection(str(tmp_path))
    assert (found.endpoint, found.key, found.pid, why) == ("tcp://127.0.0.1:41235", KEY, 4711, "")
    monkeypatch.undo()
    folder = tmp_path / "written"
    connection.write_connection(str(folder), "tcp://127.0.0.1:1", KEY, "0.1.0")
    assert set(json.loads((folder / connection.FILE).read_text())) == set(json.loads(block("connection-file")))


def test_numbers_in_the_text_are_those_of_the_code():
    assert f"at most {protocol.HEADER_MAX} bytes, nested at most {protocol.DEPTH_MAX} deep" in TEXT
    assert f"at most {protocol.BUFFERS_MAX} descriptions" in TEXT
    assert f"version {protocol.VERSION}\n" in TEXT
    known = set(catalogue())
    assert {
        code for code in re.findall(r"`((?:engine|input|option)\.[a-z-]+)`", TEXT) if not code.endswith(".json")
    } <= known


def test_the_tasks_are_declared_as_the_welcome_shows_them():
    [welcome] = [m for m in ENGINE if m["type"] == "welcome"]
    [shown] = welcome["tasks"]
    declared = options.TASKS["upscale"].to_dict()
    assert set(shown) == set(declared)
    assert shown["options"][0] in declared["options"]
