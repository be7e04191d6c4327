"""Workers that die, idle or are left alone, and clients that vanish."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.server.harness import ROOT, alive, code, until

needs_posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def kill_worker(client, job):
    """Kill the worker that is busy with the job; its process id."""
    pid = until(lambda: [w["pid"] for w in client.workers("busy") if w["job"] == job], "a busy worker")[0]
    os.kill(pid, signal.SIGKILL)
    return pid


@needs_posix
def test_a_killed_worker_is_replaced_and_its_job_done_once_more(start):
    client = start().client()
    job = client.submit("sleep", steps=25, seconds=0.02)
    client.wait(job, "started")
    pid = kill_worker(client, job)
    assert client.wait(job, "started").header["attempt"] == 2
    assert client.end(job).type == "result"
    assert [w["pid"] for w in client.workers()] != [pid]


@needs_posix
def test_a_job_that_loses_two_workers_is_given_up_and_others_go_on(start):
    engine = start()
    client, other = engine.client(), engine.client()
    job = client.submit("sleep", steps=10000, seconds=0.02)
    waiting = other.submit()
    fractions = []
    for _ in range(2):
        client.wait(job, "started")
        fractions += [client.wait(job, "progress").header["fraction"] for _ in range(3)]
        kill_worker(client, job)
    error = client.end(job)
    assert code(error) == "engine.worker-lost"
    assert fractions == sorted(fractions)
    assert other.end(waiting).type == "result"


@needs_posix
def test_a_worker_that_cannot_start_is_no_silence(start):
    client = start(worker_command=[sys.executable, "-c", "raise SystemExit(3)"]).client()
    error = client.end(client.submit())
    assert code(error) == "engine.worker-lost" and error.header["error"]["detail"]["status"] == 3
    client = start("other", worker_command=["/nonexistent/python"]).client()
    assert code(client.end(client.submit())) == "engine.start"


@needs_posix
def test_a_step_that_cannot_be_interrupted_costs_the_worker(start):
    client = start().client()
    job = client.submit("sleep", steps=1, seconds=100.0)
    while client.wait(job, "progress").header["phase"] != "steps":
        pass
    (pid,) = [w["pid"] for w in client.workers("busy")]
    client.send("cancel", job=job)
    assert client.end(job).type == "cancelled"
    assert client.end(client.submit()).type == "result"
    assert not alive(pid)


@needs_posix
def test_an_idle_worker_is_ended_and_its_memory_is_back(start):
    client = start(keep_alive=0.1).client()
    assert client.end(client.submit()).type == "result"
    pid = client.workers()[0]["pid"]
    until(lambda: not alive(pid), "the end of the idle worker")
    until(lambda: not client.workers(), "its leaving the list")
    assert client.end(client.submit()).type == "result"


@needs_posix
def test_free_answers_when_the_workers_are_gone(start):
    client = start().client()
    assert client.ask("free").type == "freed"
    assert client.end(client.submit()).type == "result"
    (worker,) = client.workers()
    assert worker["memory"] > 1_000_000 and worker["state"] == "idle"
    assert client.ask("free").type == "freed"
    assert not alive(worker["pid"]) and client.workers() == []


def test_each_device_has_a_worker(start):
    client = start(devices=["one", "two"]).client()
    jobs = [client.submit("sleep", steps=30, seconds=0.02) for _ in range(3)]
    until(lambda: len(client.workers("busy")) == 2, "two busy workers")
    assert {w["device"] for w in client.workers()} == {"one", "two"}
    assert [client.end(job).type for job in jobs] == ["result"] * 3


LOST_CLIENT = """
import sys
from pathlib import Path
from engine.client import connection
from tests.server.harness import Client
client = Client(connection.read_connection(Path(sys.argv[1]))[0])
client.hello()
jobs = [client.submit("sleep", steps=100000, seconds=0.01) for _ in range(2)]
client.wait(jobs[0], "started")
print("running", flush=True)
client.get(1000)
while True:
    client.get()
"""


@needs_posix
def test_the_jobs_of_a_killed_client_are_dropped(start):
    engine = start()
    client = engine.client()
    run = str(engine.folder / "run")
    lost = subprocess.Popen([sys.executable, "-c", LOST_CLIENT, run], cwd=ROOT, stdout=subprocess.PIPE)
    assert lost.stdout.readline() == b"running\n"
    state = client.ask("status").header
    assert len(state["queue"]) == 1 and state["workers"][0]["job"] == "r1"
    lost.kill()
    lost.wait()
    lost.stdout.close()
    until(lambda: not client.ask("status").header["queue"], "the waiting job's end")
    until(lambda: client.workers("idle"), "the running job's end")
    assert client.end(client.submit()).type == "result"


@needs_posix
@pytest.mark.parametrize("busy", [False, True])
def test_workers_end_with_a_killed_engine(start, busy):
    engine = start()
    client = engine.client()
    job = client.submit("sleep", steps=1, seconds=100.0 if busy else 0.0)
    if not busy:
        client.end(job)
    pid = until(lambda: [w["pid"] for w in client.workers("busy", "idle")], "a worker")[0]
    engine.finish(signal.SIGKILL)
    until(lambda: not alive(pid), "the end of the orphan")
