"""The two-step way that a GPU takes: its order, its want of memory, its tiles; and the real CUDA where there is one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import Engine
from engine.store import gpu
from engine.store.cache import Model, ModelCache
from engine.tasks import upscale

real = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")


class Queue:
    """In a Runner's place: computes when the result is asked for, and writes down what was begun and finished when."""

    def __init__(self, model, lacking=()):
        self.network, self.said, self.lacking = model.network, [], list(lacking)

    def begin(self, inputs, half):
        number = sum(what == "begun" for what, _ in self.said)
        if number in self.lacking:
            self.lacking.remove(number)
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.said.append(("begun", number))

        def finish():
            self.said.append(("finished", number))
            with torch.inference_mode():
                return self.network(*inputs).float()

        return finish

    def pixels(self, channels, side=128):
        return 40**2


@pytest.fixture
def whole(photo):
    with Engine() as engine:
        return engine.upscale(photo[:61, :47], quality="exact").array


@pytest.fixture
def queued(whole, monkeypatch):
    """An engine whose models compute by a Queue: (engine, the queues, what they lack from now on)."""
    queues, lacking = [], []
    take = Model._take

    def taken(self, *given):
        take(self, *given)
        self.gpu = Queue(self, lacking)
        queues.append(self.gpu)

    monkeypatch.setattr(Model, "_take", taken)
    monkeypatch.setattr(upscale, "TILE", 16)
    with Engine() as engine:
        yield engine, queues, lacking


def test_the_next_tile_is_begun_before_the_one_before_it_is_finished(queued, photo, whole):
    engine, queues, _ = queued
    made = engine.upscale(photo[:61, :47], quality="exact").array
    assert np.abs(made.astype(int) - whole).max() <= 1
    [queue] = queues
    numbers = range(len(queue.said) // 2)
    expected = [("begun", 0)]
    for number in numbers[1:]:
        expected += [("begun", number), ("finished", number - 1)]
    assert queue.said == [*expected, ("finished", numbers[-1])]


def test_a_tile_that_memory_was_short_for_has_another_chance(queued, photo, whole):
    engine, _, lacking = queued
    lacking.append(2)
    result = engine.upscale(photo[:61, :47], quality="exact")
    assert np.abs(result.array.astype(int) - whole).max() <= 1
    assert not result.info["notices"]


def test_twice_too_little_memory_makes_smaller_tiles(queued, photo, whole, monkeypatch):
    engine, _, lacking = queued
    monkeypatch.setattr(upscale, "TILE_LEAST", 4)
    lacking += [
        1,
        1,
        1,
    ]  # the second tile's, the third's, which is begun before the second is tried again, and that again
    result = engine.upscale(photo[:61, :47], quality="exact")
    assert np.abs(result.array.astype(int) - whole).max() <= 1
    assert result.info["notices"] == ["Memory ran short: smaller tiles were used."]


def test_tiles_are_as_large_as_there_is_room():
    model = ModelCache("cpu").get("upscale", "auto")
    assert model.tile(320) == 320
    model.gpu = Queue(model)
    halo = model.halo
    sizes = []
    for side in (30, 64 + 2 * halo, 127 + 2 * halo, 128 + 2 * halo, 4000):
        model.gpu.pixels = lambda channels, side=side: side**2
        sizes.append(model.tile(32))
    assert sizes == [32, 64, 64, 128, 128]


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 3, 3)).cuda()


@real
@pytest.mark.parametrize("half", [None, torch.float16])
def test_a_graph_gives_what_the_network_gives(half):
    net = network().eval()
    runner = gpu.Runner(net, torch.device("cuda", torch.cuda.current_device()))
    for number in range(gpu.SEEN + 3):
        x = torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(number))
        with torch.inference_mode(), torch.autocast("cuda", half, enabled=half is not None):
            wanted = net(x.cuda()).float().cpu()
        assert torch.allclose(runner.begin([x], half)(), wanted, atol=2e-3)
    assert [type(graph) for graph in runner._graphs.values()] == [gpu._Graph]


@real
def test_a_network_that_waits_for_the_device_is_not_captured():
    class Waiting(torch.nn.Module):
        def forward(self, x):
            return x * float(x.mean())

    runner = gpu.Runner(Waiting(), torch.device("cuda", torch.cuda.current_device()))
    x = torch.rand(1, 3, 8, 8)
    for _ in range(gpu.SEEN + 2):
        assert torch.allclose(runner.begin([x], None)(), x * x.mean(), atol=1e-5)
    assert list(runner._graphs.values()) == [None]


@real
def test_the_gpu_s_picture_is_the_cpu_s(photo, monkeypatch):
    monkeypatch.setattr(upscale, "TILE", 32)
    with Engine(device="cpu") as cpu, Engine(device="cuda") as device:
        for quality in ("exact", "normal"):
            both = [e.upscale(photo, quality=quality).array.astype(int) for e in (cpu, device)]
            assert np.abs(both[0] - both[1]).max() <= (1 if quality == "exact" else 3)


@real
def test_real_lack_of_memory_makes_smaller_tiles(photo):
    with Engine(device="cuda") as engine:
        wanted = engine.upscale(photo).array.astype(int)
        try:
            torch.cuda.set_per_process_memory_fraction(1e-9)
            made = engine.upscale(photo)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
    assert made.info["notices"] and np.abs(made.array - wanted).max() <= 3
