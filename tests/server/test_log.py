"""The engine's log: JSON lines, rotated, its user's alone, and nothing of pictures or keys in it."""

from __future__ import annotations

import base64
import json
import logging
import os
import stat

import pytest

from engine.server import log
from tests.server.harness import picture, until

LEVELS = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


@pytest.fixture
def logger(tmp_path):
    path = tmp_path / "logs" / log.FILE
    with log.logging_to(path):
        yield logging.getLogger("pincel.test"), path


def test_a_line_is_an_object(logger):
    say, path = logger
    say.info("job %s\nbegins “here”", 3)
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        say.exception("it failed")
    lines = path.read_text("utf-8").splitlines()
    first, second = map(json.loads, lines)
    assert first["text"] == "job 3\nbegins “here”" and (first["level"], first["part"]) == ("INFO", "test")
    assert first["time"].endswith("Z") and second["level"] == "ERROR"
    assert second["trace"].endswith("ZeroDivisionError: by nothing")
    assert log.read(path) == [first, second]


def test_it_is_rotated_and_its_users_alone(logger):
    say, path = logger
    for n in range(5000):
        say.info("%d %s", n, "a sentence like any other. " * 37)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["engine.log", *(f"engine.log.{n}" for n in range(1, log.KEPT + 1))]
    assert sum(file.stat().st_size for file in files) <= log.BYTES * (log.KEPT + 1)
    if os.name == "posix":
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    numbers = [int(line["text"].split()[0]) for line in log.read(path)]
    assert numbers == list(range(numbers[0], 5000))


def test_an_older_versions_file_is_closed_to_others_and_read_past(tmp_path):
    path = tmp_path / log.FILE
    path.write_text("2026-10-01 12:00:00,000 INFO pincel: engine 0.0.9\n[1]\n")
    path.chmod(0o644)
    with log.logging_to(path):
        logging.getLogger("pincel").info("now")
    assert [line["text"] for line in log.read(path)] == ["now", "the engine ended"]
    assert os.name != "posix" or stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "secret",
    [
        os.urandom(32).hex(),
        os.urandom(32).hex().upper(),
        str(list(range(100, 140))),
        "\n".join(f"{n}.5, {n}.25," for n in range(200, 230)),
        str(bytes(range(128, 200))),
        base64.b64encode(os.urandom(300)).decode(),
    ],
    ids=("key", "KEY", "list", "array", "bytes", "base64"),
)
def test_keys_and_samples_are_taken_out_of_whatever_is_said(secret):
    said = log.clean(f"The work failed: {secret} was not understood")
    assert said.startswith("The work failed: ") and said.endswith("was not understood") and len(said) < 90
    assert len(log.clean("why? " * 10_000)) < log.TEXT_MAX + 10


def test_sentences_stay_as_they_are():
    for text in (
        "worker 4711 died (status -9) on job 12: once more",
        "engine 0.1.0 at tcp://127.0.0.1:41235",
        "The buffer has 3 x 5 x 4 x 2 = 120 bytes, 118 came (at 1, 2, 3, 4).",
    ):
        assert log.clean(text) == text


def test_an_engine_s_log_holds_no_pixels_and_no_keys(start):
    """Work that succeeds, that fails, that is refused, and a worker that prints the samples."""
    engine = start()
    key, client = engine.connection().key.hex(), engine.client()
    source = picture(40, 30, value=173)
    for does in ("invert", "input-error", "fault", "memory", "chatter"):
        client.end(client.submit(does, source=source))
    client.send("submit", {"source": source}, task="paint", options={})
    client.raw([b"PINCEL/1", b"00" * 32, b"{}"])
    assert client.ask("ping").type == "pong"
    until(lambda: "the fake task was here" in engine.log(), "the printed line")
    engine.finish()
    text = engine.log()
    lines = [json.loads(line) for line in text.splitlines()]
    assert all({"time", "level", "part", "text"} <= set(line) and line["level"] in LEVELS for line in lines)
    assert {line["part"] for line in lines} >= {"pincel", "front", "supervisor", "worker"}
    assert any(line["part"] == "worker" and line["level"] == "ERROR" for line in lines)
    run = bytes([173] * 8)
    for trace in (run.hex(), "173, 173, 173", "173 173 173", base64.b64encode(run)[:9].decode(), "\\xad\\xad"):
        assert trace not in text
    assert key not in text and key.upper() not in text
