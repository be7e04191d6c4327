"""The real tasks with real generators through the real service: the same bytes as in this process."""

from __future__ import annotations

import numpy as np
import pytest

from engine import tasks
from engine.store.cache import ModelCache
from engine.tasks import frames
from engine.tasks.base import Picture
from tests.server.harness import EngineProcess, code, until


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An engine as users have it, with the tiny networks."""
    engine = EngineProcess(tmp_path_factory.mktemp("real"), real=True)
    yield engine
    assert engine.finish()[0] == 0
    assert engine.faults() == []


@pytest.fixture(scope="module")
def client(real):
    return real.client()


def submit(client, task, pictures, **options):
    buffers = {name: frames.to_pixels(picture) for name, picture in pictures.items()}
    return client.send("submit", buffers, task=task, options=options)


def pictures_of(message):
    assert message.type == "result", message.header
    return [frames.to_picture(pixels) for pixels in message.pictures(side_max=None).values()]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colorize_gives_the_same_bytes_as_in_process(client, photo, dtype):
    grey = photo.mean(2, keepdims=True)
    array = {np.uint8: grey, np.uint16: grey * 257, np.float32: grey / 255}[dtype].astype(dtype)
    mask = np.zeros_like(photo[..., :1])
    mask[20:90, 30:120] = 200
    source = {"source": Picture(array), "mask": Picture(mask)}
    message = client.end(submit(client, "colorize", source, seed=7, variants=2))
    here = tasks.run("colorize", Picture(array), {"seed": 7, "variants": 2}, ModelCache("cpu"), mask=Picture(mask))
    there = pictures_of(message)
    assert len(there) == len(here.pictures) == 2
    for one, other in zip(here.pictures, there, strict=True):
        assert one.array.dtype == other.array.dtype and one.array.tobytes() == other.array.tobytes()
    info = message.header["info"]
    assert info["seeds"] == [7, 8] and info["weights"] == here.info["weights"]


def test_upscale_gives_the_same_bytes_as_in_process(client, photo):
    crop = photo[:33, :47]
    message = client.end(submit(client, "upscale", {"source": Picture(crop)}, scale=2.5))
    here = tasks.run("upscale", Picture(crop), {"scale": 2.5}, ModelCache("cpu"))
    (there,) = pictures_of(message)
    assert here.pictures[0].array.tobytes() == there.array.tobytes()


def test_an_unknown_generator_is_an_error_of_the_request(client, photo):
    job = submit(client, "upscale", {"source": Picture(photo[:8, :8])}, generator="best")
    assert code(client.end(job)) == "option.generator"


def test_a_picture_without_visible_pixels(client):
    job = submit(client, "colorize", {"source": Picture(np.zeros((9, 9, 4), np.uint8))})
    assert code(client.end(job)) == "input.all-transparent"


def test_the_worker_says_what_device_it_found(client, photo):
    client.end(submit(client, "upscale", {"source": Picture(photo[:8, :8])}))
    (worker,) = client.workers("idle")
    assert worker["device"].startswith(("cpu", "cuda", "mps"))
    assert worker["device"] in client.hello().header["devices"]


def test_cancel_in_the_middle_of_real_work(client, photo):
    big = Picture(np.tile(photo, (6, 6, 1)))
    job = submit(client, "upscale", {"source": big}, scale=4)
    while client.wait(job, "progress").header["fraction"] == 0:
        pass
    client.send("cancel", job=job)
    assert client.end(job).type == "cancelled"
    (worker,) = until(lambda: client.workers("idle"), "the worker's return to idleness")
    assert worker["job"] is None
