"""Workers that die or starve at each moment of a job: the job ends once, and what is done again gives the same bytes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from engine import tasks
from engine.store.cache import ModelCache
from engine.tasks import frames
from engine.tasks.base import Picture
from tests.server.harness import code, picture, until
from tests.trust.faults import bytes_of, story

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

MOMENTS = ["ready", "run", "phase start 0", "phase steps 0", "phase steps 2", "phase steps 3", "result"]


def test_a_worker_killed_at_any_moment_costs_nothing_but_time(start):
    engine = start.faulty()
    client = engine.client()
    [expected] = bytes_of(client.end(client.submit(source=picture(40, 30, 7))))
    for moment in MOMENTS:
        if moment == "ready":
            client.ask("free")
        engine.plan(moment)
        told = story(client, client.submit(steps=3, source=picture(40, 30, 7)))
        assert engine.struck, moment
        assert [m.header["attempt"] for m in told if m.type == "started"] == [1, 2], moment
        assert bytes_of(told[-1]) == [expected], moment
    engine.plan("sent")
    told = story(client, client.submit(source=picture(40, 30, 7)))
    assert bytes_of(told[-1]) == [expected] and told[0].header.get("attempt", 1) == 1
    until(lambda: not client.workers(), "the worker's leaving")
    assert bytes_of(client.end(client.submit(source=picture(40, 30, 7)))) == [expected]


JOBS = {  # the phases of each task in which its worker dies
    "colorize": ({"seed": 7, "variants": 2}, ["start 0", "load 0", "read 0", "net 0", "blend 1"]),
    "upscale": ({"scale": 3.0}, ["net 0", "net 1", "net 2"]),
    "sketch": ({"seed": 3}, ["net 0"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("task", JOBS)
def test_a_real_job_done_again_gives_the_same_bytes(start, photo, task):
    options, phases = JOBS[task]
    source = Picture(np.tile(photo, (1, 2, 1)) if task == "upscale" else photo)
    here = tasks.run(task, source, options, ModelCache("cpu"))
    expected = [made.array.tobytes() for made in here.pictures]
    engine = start.faulty(fake=False)
    client = engine.client()
    for moment in [*(f"phase {phase}" for phase in phases), "result"]:
        engine.plan(moment)
        job = client.send("submit", {"source": frames.to_pixels(source)}, task=task, options=options)
        told = story(client, job)
        assert engine.struck, moment
        assert [m.header["attempt"] for m in told if m.type == "started"] == [1, 2], moment
        assert bytes_of(told[-1]) == expected, moment


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="how much memory a process has is read from /proc")
def test_a_worker_that_really_gets_no_memory_says_so_and_goes_on(start, photo):
    """The system itself refuses it memory: the job ends with a code or is done in smaller tiles, the next one is done."""
    engine = start.faulty(fake=False)
    client = engine.client()
    large = Picture(np.tile(photo, (12, 12, 1)))
    small = {"source": frames.to_pixels(Picture(photo[:20, :20]))}
    assert client.end(client.send("submit", small, task="upscale", options={})).type == "result"
    for megabytes in (0, 40):
        engine.plan(f"memory {megabytes}")
        job = client.send("submit", {"source": frames.to_pixels(large)}, task="upscale", options={"scale": 4.0})
        end = story(client, job)[-1]
        assert end.type == "result" or code(end) in ("engine.out-of-memory", "engine.worker-lost"), end.header
        client.ask("free")
        until(lambda: not client.workers("busy"), "the end of the starved worker")
        assert client.end(client.send("submit", small, task="upscale", options={})).type == "result"
