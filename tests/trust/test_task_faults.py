"""No memory, or no numbers, at each step of each task's network: a coded error or the right picture, never a wrong one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine import Engine
from engine.client import errors
from engine.store import cache
from engine.store.header import Header
from engine.tasks import upscale

JOBS = {
    "colorize": {"seed": 3, "variants": 3},
    "sketch": {"seed": 3, "variants": 2},
    "upscale": {"scale": 2.0},
    "generate": {"seed": 3, "count": 2, "size": 20, "generator": "progan.faces"},
}


@pytest.fixture(scope="module")
def engine():
    with Engine("cpu") as engine:
        yield engine


@pytest.fixture
def job(request, engine, photo, monkeypatch):
    """Runs the task: job() gives its pictures' bytes."""
    monkeypatch.setattr(upscale, "TILE", 64)
    given = [] if request.param == "generate" else [photo[:80, :70]]

    def run():
        result = getattr(engine, request.param)(*given, **JOBS[request.param])
        return [variant.array.tobytes() for variant in result.variants]

    run.task = request.param
    return run


def counting(monkeypatch, fault=None, at=-1):
    """Calls of the network so far; the call number `at` gets what fault(output) makes of it."""
    calls = []
    real = cache.Model.__call__

    def call(self, *inputs, **how):
        calls.append(self)
        if len(calls) - 1 == at:
            return fault(real, self, *inputs, **how)
        return real(self, *inputs, **how)

    monkeypatch.setattr(cache.Model, "__call__", call)
    return calls


def no_memory(real, model, *inputs, **how):
    raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory")


def no_number(real, model, *inputs, **how):
    out = real(model, *inputs, **how).contiguous().clone()
    out.view(-1)[out.numel() // 2] = float("nan")
    return out


def infinity(real, model, *inputs, **how):
    out = real(model, *inputs, **how).contiguous().clone()
    out.view(-1)[-1] = float("inf")
    return out


@pytest.mark.parametrize("job", JOBS, indirect=True)
def test_no_memory_at_each_call_of_the_network(job, monkeypatch):
    with monkeypatch.context() as patch:
        calls = counting(patch)
        expected = job()
    assert len(calls) >= 2
    for at in range(len(calls)):
        with monkeypatch.context() as patch:
            counting(patch, no_memory, at)
            try:
                assert job() == expected, at
                assert job.task == "upscale"
            except errors.OutOfMemory as error:
                assert job.task != "upscale" and error.remedy, at
        assert job() == expected, "what came after was touched"


@pytest.mark.parametrize("fault", [no_number, infinity])
@pytest.mark.parametrize("job", JOBS, indirect=True)
def test_no_number_at_each_call_of_the_network(job, monkeypatch, fault):
    with monkeypatch.context() as patch:
        calls = counting(patch)
        expected = job()
    for at in range(len(calls)):
        with monkeypatch.context() as patch:
            counting(patch, fault, at)
            with pytest.raises(errors.WeightsNotFinite) as caught:
                job()
            assert caught.value.remedy
        assert job() == expected, "what came after was touched"


@pytest.mark.parametrize(
    ("name", "task"),
    [("srgan.psnr", "upscale"), ("yuv_cgan.photo", "colorize"), ("sketch_unet.illustration", "sketch")],
)
def test_weights_that_are_numbers_but_lead_to_none(tiny_folder, tmp_path, monkeypatch, photo, name, task):
    """A file that passes every check, of values so large that the network overflows."""
    from engine.store import weights

    header, network = weights.load(tiny_folder / f"{name}.safetensors")
    for parameter in network.parameters():
        parameter.data = torch.full_like(parameter, 3e38)
    fields = {field: getattr(header, field) for field in ("generator", "tag", "task", "title", "thesis", "licence")}
    head = Header(**fields, config=header.config, data=header.data)
    weights.write(tmp_path / f"{name}.safetensors", network, head, bits=32)
    monkeypatch.setenv("PINCEL_MODELS", str(tmp_path))
    with Engine("cpu") as engine:
        try:
            result = getattr(engine, task)(photo[:40, :40])
        except errors.WeightsNotFinite:
            return
        assert np.isfinite(result.array).all()
