"""The same photograph gives the same bytes through every door: Engine(), the command line with and without a service, the
service by pyzmq, the service by the standard-library client, and Engine.connect(). A real broker, a real worker process."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from engine import Engine
from engine.client.options import TASKS
from engine.client.session import Session
from engine.tasks import frames
from engine.tasks.base import Picture
from tests.server.harness import ROOT, EngineProcess

JOBS = {  # the task, and what is special
    "colorize": {"seed": 7, "saturation": 1.2},
    "colorize with pix2pix": {"generator": "pix2pix.art", "strength": 0.9},
    "sketch": {"seed": 3, "saturation": 1.3},
    "sketch below lines with hints and a reference": {"output": "below-lines"},
    "sketch by numbers": {"z": [round(0.03 * n - 0.9, 2) for n in range(64)]},
    "upscale": {"scale": 2.5, "realism": 0.4},
    "generate": {"seed": 7, "generator": "progan.faces", "size": 40},
    "generate towards another seed": {"seed": 7, "to_seed": 9, "count": 3, "spread": 0.9},
}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    engine = EngineProcess(tmp_path_factory.mktemp("doors"), real=True)
    yield engine
    status, _, said = engine.finish()
    assert (status, said) == (0, "")


@pytest.fixture(params=["photo.png", pytest.param("grey16.tif", marks=pytest.mark.slow)])
def source(request, tmp_path, photo):
    """An 8-bit colour PNG, and a 16-bit grey TIFF."""
    path = tmp_path / request.param
    if path.suffix == ".png":
        Image.fromarray(photo).save(path)
    else:
        grey = (photo.astype(np.float64) @ [0.299, 0.587, 0.114] * 257).astype(np.uint16)
        Image.fromarray(grey).save(path)
    return path


def extras_of(job, source):
    """The pictures beside the source that the job's name speaks of: hints of its size, a reference of its own size."""
    extras = {}
    if "hints" in job:
        with Image.open(source) as opened:
            layer = np.zeros((*opened.size[::-1], 4), np.uint8)
        layer[20:30, 30:50], layer[90:93, 100:103] = (220, 30, 40, 255), (30, 60, 200, 128)
        extras["hints"] = source.with_name("hints.png")
        Image.fromarray(layer).save(extras["hints"])
    if "reference" in job:
        extras["reference"] = source.with_name("reference.png")
        ramp = np.linspace(0, 255, 40, dtype=np.uint8)
        Image.fromarray(
            np.dstack([np.tile(ramp, (30, 1)), np.full((30, 40), 90, np.uint8), np.tile(ramp[::-1], (30, 1))])
        ).save(extras["reference"])
    return extras


def pixels_of(task, source, extras):
    given = {"source": source, **extras} if TASKS[task].source else extras
    return {name: frames.to_pixels(picture_of(path)) for name, path in given.items()}


def picture_of(path) -> Picture:
    from engine.files.read import read

    return read(str(path))


def command_line(service, task, source, options, extras, place):
    """What `pincel TASK` writes, decoded: the last picture, if there are several."""
    target = source.with_name(f"{task}-{place}{source.suffix}")
    shown = {n: ",".join(map(str, v)) if isinstance(v, list) else str(v) for n, v in {**options, **extras}.items()}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in shown.items()]
    command = [
        sys.executable,
        "-m",
        "engine",
        task,
        *([str(source)] if TASKS[task].source else []),
        "-o",
        str(target),
        "--engine",
        place,
        "--json",
        *flags,
    ]
    done = subprocess.run(command, env=service.environ, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    events = [json.loads(line) for line in done.stdout.splitlines()]
    written = [event["targets"] for event in events if event.get("event") == "result"]
    return picture_of(written[0][-1]).array


def by_pyzmq(service, task, source, options, extras):
    client = service.client()
    id = client.send("submit", pixels_of(task, source, extras), task=task, options=options)
    end = client.end(id)
    assert end.type == "result", end.header
    return frames.to_picture(list(end.pictures().values())[-1]).array


def by_stdlib(service, task, source, options, extras, monkeypatch):
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", service.environ["PINCEL_RUNTIME_DIR"])
    with Session.connect("doors", "1") as session:
        job = session.submit(task, options, pixels_of(task, source, extras))
        seen = []
        while not job.done:
            job.step(0.1)
            if job.progress:
                seen.append(job.progress.fraction)
        assert job.error is None and seen == sorted(seen)
        return frames.to_picture(job.result[-1]).array


def last(result):
    return result.variants[-1] if result.variants else result


# In the default run one job alone: each door starts a process of its own, which takes seconds.
EACH = [job if job == "colorize" else pytest.param(job, marks=pytest.mark.slow) for job in JOBS]


@pytest.mark.parametrize("job", EACH)
def test_the_same_bytes_through_every_door(service, source, job, monkeypatch):
    task, options = job.split()[0], JOBS[job]
    extras = extras_of(job, source)
    given = [source] if TASKS[task].source else []
    with Engine() as engine:
        result = last(getattr(engine, task)(*given, **extras, **options))
        expected = result.picture.array
    assert np.array_equal(command_line(service, task, source, options, extras, "local"), expected)
    assert np.array_equal(command_line(service, task, source, options, extras, "service"), expected)
    assert np.array_equal(by_pyzmq(service, task, source, options, extras), expected)
    assert np.array_equal(by_stdlib(service, task, source, options, extras, monkeypatch), expected)
    with Engine.connect() as engine:
        through = last(getattr(engine, task)(*given, **extras, **options))
    assert np.array_equal(through.picture.array, expected)
    for name in {*result.info} - {"seconds"}:
        assert through.info[name] == result.info[name], name


def test_errors_arrive_as_themselves(service, source, monkeypatch):
    from engine.client import errors

    monkeypatch.setenv("PINCEL_RUNTIME_DIR", service.environ["PINCEL_RUNTIME_DIR"])
    with Engine.connect() as engine:
        with pytest.raises(errors.GeneratorUnknown, match="no_such"):
            engine.colorize(source, generator="no_such")
        with pytest.raises(errors.HintsSize):
            engine.colorize(source, hints=np.zeros((3, 3, 4), np.uint8) + 9)
        assert {m["name"] for m in engine.models()} >= {"srgan.psnr", "yuv_cgan.photo"}
        with pytest.raises(errors.Cancelled):
            engine.upscale(source, scale=16, cancelled=lambda: True)


def test_connect_starts_an_engine_of_this_installation(tmp_path, photo, monkeypatch):
    monkeypatch.setenv("PINCEL_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PINCEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with Engine.connect(start=True) as engine:
        try:
            assert engine.upscale(photo[:20, :20]).array.shape == (80, 80, 3)
        finally:
            with Session.connect("doors", "1") as session:
                session.stop()
