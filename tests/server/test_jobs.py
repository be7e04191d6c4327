"""The life of jobs: each ends exactly once, clients take turns, and the engine answers at any time."""

from __future__ import annotations

import copy

import pytest

from engine.client import protocol
from tests.server.harness import code, picture, until


def test_a_job_from_queued_to_result(client):
    job = client.submit(steps=3, source=picture(7, 5, 40))
    seen = []
    while not seen or seen[-1].type not in protocol.FINAL:
        seen.append(client.get())
    kinds = [m.type for m in seen]
    assert kinds[0] == "queued" and kinds[1] == "started" and set(kinds[2:-1]) == {"progress"}
    assert kinds[-1] == "result" and all(m.id == job for m in seen)
    assert seen[1].header["attempt"] == 1
    fractions = [m.header["fraction"] for m in seen if m.type == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] < 1
    pixels = seen[-1].pictures()["result-0"]
    assert bytes(pixels.data) == bytes([215]) * (7 * 5 * 3) and (pixels.width, pixels.height) == (7, 5)


@pytest.mark.parametrize(
    ("does", "expected"),
    [("input-error", "input.invalid"), ("fault", "internal"), ("memory", "engine.out-of-memory")],
)
def test_a_job_that_fails_says_why_and_the_worker_goes_on(client, does, expected):
    error = client.end(client.submit(does))
    assert code(error) == expected and error.header["error"]["sentence"] and error.header["error"]["remedy"]
    assert client.end(client.submit()).type == "result"


def test_the_log_has_the_traceback_of_a_fault_and_what_workers_print(shared, client):
    client.end(client.submit("fault"))
    client.end(client.submit("chatter"))
    until(lambda: "ZeroDivisionError: a fault of the fake task" in shared.log(), "the traceback")
    until(lambda: "the fake task was here" in shared.log(), "the printed line")
    assert shared.connection().key.hex() not in shared.log()


def test_the_owner_of_a_silent_step_still_hears_of_it(client):
    """Keep-alives: the same report again, though the task says nothing new."""
    job = client.submit("sleep", steps=1, seconds=1.5)
    seen = [client.get()]
    while seen[-1].type != "result":
        seen.append(client.get())
    assert len([m for m in seen if m.id == job and m.header.get("phase") == "steps" and m.header["step"] == 0]) > 1


def test_everything_is_answered_while_a_job_runs(client):
    job = client.submit("sleep", steps=1000, seconds=0.05)
    client.wait(job, "started")
    for request, answer in (("ping", "pong"), ("list", "models"), ("status", "state"), ("free", "freed")):
        assert client.ask(request).type == answer
        assert client.workers("busy", "starting")[0]["job"] == job, "the job is still running"
    client.send("cancel", job=job)
    assert client.end(job).type == "cancelled"


def test_cancel_of_waiting_and_of_running_jobs(client):
    running = client.submit("sleep", steps=1000, seconds=0.02)
    waiting = client.submit("sleep", steps=1000)
    client.wait(running, "started")
    client.send("cancel", job=waiting)
    assert client.end(waiting).type == "cancelled"
    client.send("cancel", job=running)
    assert client.end(running).type == "cancelled"
    client.send("cancel", job=running)  # too late: ignored
    client.send("cancel", job="never-was")
    assert client.end(client.submit()).type == "result"
    assert len(client.workers()) == 1, "the same worker went on"


def test_a_job_cannot_be_cancelled_from_another_session(shared, client):
    job = client.submit("sleep", steps=20, seconds=0.02)
    client.wait(job, "started")
    other = shared.client()
    other.send("cancel", job=job)
    assert other.ask("ping").type == "pong"
    assert client.end(job).type == "result"


def test_clients_take_turns(shared, client):
    other = shared.client()
    first = client.submit("sleep", steps=1000, seconds=0.01, id="a0")
    client.wait(first, "started")
    mine = [client.submit(id=f"a{n}") for n in (1, 2, 3)]
    for id in mine:
        client.wait(id, "queued")
    yours = other.submit(id="b1")
    assert other.wait(yours, "queued").header["position"] == 1
    assert [job["job"] for job in client.ask("status").header["queue"]] == ["a1", "b1", "a2", "a3"]
    client.send("cancel", job=first)
    assert other.end(yours).type == "result"
    assert [client.end(id).type for id in mine] == ["result"] * 3


def test_a_full_queue_refuses_and_the_others_are_done(client):
    first = client.submit("sleep", steps=1000, seconds=0.01)
    client.wait(first, "started")
    jobs = [client.submit() for _ in range(33)]
    error = client.end(jobs[-1])
    assert code(error) == "engine.queue-full" and error.header["error"]["detail"] == {"waiting": 32, "limit": 32}
    client.send("cancel", job=first)
    assert [client.end(id).type for id in jobs[:-1]] == ["result"] * 32


def test_a_result_too_large_for_a_message_is_an_error(client):
    error = client.end(client.submit(source=picture(600, 500)))  # 900,000 of 1,000,000 bytes, and room for a header
    assert code(error) == "engine.too-large"


def test_a_message_of_just_the_limit_is_done(client):
    """The engine's own header for the worker says more than the client's: the limit is for what clients send."""
    pixels = {"source": picture(), "mask": picture(1, 1)}
    pixels["mask"].icc = bytes(990_000)
    parts = copy.copy(client.out).pack("submit", "full", pixels, task="fake", options={})
    pixels["mask"].icc += bytes(1_000_000 - sum(memoryview(part).nbytes for part in parts))
    assert client.end(client.send("submit", pixels, "full", task="fake", options={})).type == "result"


def test_the_least_limit_lets_a_small_result_out(start):
    client = start(max_bytes=2**18).client()
    assert client.end(client.submit(source=picture(100, 100))).type == "result"
