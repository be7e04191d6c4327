"""The same request gives the same bytes: again, in another process, with other threads beside it and through other doors.

Doors of the tiny networks, picture by picture, are the matter of tests/e2e/test_doors.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from PIL import Image

from engine import Engine, paths
from engine.files.read import read
from engine.store import models
from engine.tasks import frames
from tests.server.harness import ROOT, EngineProcess

JOBS = [
    ("colorize", {"seed": 7, "variants": 2}),
    ("colorize", {"generator": "pix2pix.art"}),
    ("sketch", {"seed": 3}),
    ("upscale", {"scale": 2.5}),
    ("upscale", {"scale": 2.0, "realism": 0.5}),
    ("generate", {"seed": 7, "count": 2, "generator": "progan.faces"}),
    ("generate", {"seed": 7, "generator": "dense_gan.comics"}),
    ("generate", {"seed": 7, "generator": "conv_gan.comics"}),
]


def digests(engine: Engine, picture, jobs) -> list[str]:
    found = []
    for task, options in jobs:
        given = [] if task == "generate" else [picture]
        result = getattr(engine, task)(*given, **options)
        found += [hashlib.sha256(variant.array.tobytes()).hexdigest() for variant in result.variants]
    return found


@contextmanager
def threads(count: int):
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


ELSEWHERE = """
import json, sys
from engine import Engine
from engine.files.read import read
from tests.trust.test_determinism import digests
with Engine("cpu") as engine:
    print(json.dumps(digests(engine, read(sys.argv[1]), json.loads(sys.argv[2]))))
"""


def elsewhere(path, jobs, count: int) -> list[str]:
    """The same in a process of its own, which begins with so many threads."""
    environ = os.environ | {"OMP_NUM_THREADS": str(count), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(count)}
    run = [sys.executable, "-c", ELSEWHERE, str(path), json.dumps(jobs)]
    done = subprocess.run(run, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_all_tasks_with_any_number_of_threads_and_in_another_process(tmp_path, photo):
    path = tmp_path / "photo.png"
    Image.fromarray(photo[:40, :50]).save(path)
    picture = read(path)
    with Engine("cpu") as engine:
        with threads(1):
            expected = digests(engine, picture, JOBS)
        assert len(expected) == 10 and len(set(expected)) == 10
        with threads(2):
            assert digests(engine, picture, JOBS) == expected
        # Other requests in between, and global randomness, change nothing.
        torch.manual_seed(99)
        np.random.seed(99)
        engine.colorize(photo[:33, :21], seed=1)
        assert digests(engine, picture, JOBS) == expected
    assert elsewhere(path, JOBS, 1) == expected


def shipped_jobs() -> list[tuple[str, dict]]:
    """Every shipped network, by what it is for."""
    found = []
    for entry in models.available():
        options = {"generator": entry.header.name}
        if entry.header.task == "upscale":
            options["scale"] = 2.0
        found.append((entry.header.task, options))
    return found


@pytest.mark.slow
def test_the_shipped_networks_in_processes_threads_and_doors(tmp_path, photo, monkeypatch, say):
    monkeypatch.setenv("PINCEL_MODELS", str(paths.shipped("weights")))
    path = tmp_path / "photo.png"
    Image.fromarray(photo).save(path)
    picture, jobs = read(path), shipped_jobs()
    assert {task for task, _ in jobs} >= {"colorize", "upscale", "sketch"}
    with Engine("cpu") as engine, threads(1):
        expected = digests(engine, picture, jobs)
    for count in (1, 2):
        assert elsewhere(path, jobs, count) == expected, f"{count} threads"
    service = EngineProcess(tmp_path / "engine", real=True)
    try:
        client = service.client()
        for (task, options), digest in zip(jobs, expected, strict=True):
            buffers = {} if task == "generate" else {"source": frames.to_pixels(picture)}
            end = client.end(client.send("submit", buffers, task=task, options=options))
            assert end.type == "result", end.header
            [made] = end.pictures(side_max=None).values()
            assert hashlib.sha256(frames.to_picture(made).array.tobytes()).hexdigest() == digest, ("service", options)
    finally:
        service.finish()
    for task in ("colorize", "upscale", "sketch"):
        number, options = next((n, o) for n, (t, o) in enumerate(jobs) if t == task)
        target = tmp_path / f"{task}.png"
        flags = [f"--{name}={value}" for name, value in options.items()]
        run = [sys.executable, "-m", "engine", task, str(path), "-o", str(target), "--engine", "local", *flags]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert hashlib.sha256(read(target).array.tobytes()).hexdigest() == expected[number], ("command", options)
    say(f"determinism: {len(jobs)} shipped networks, the same bytes in 3 processes, with 1 and 2 threads, by 3 doors")
