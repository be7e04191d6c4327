"""What a worker makes of faults, without a process around it."""

from __future__ import annotations

import pytest

from engine.client.errors import EngineStart, OptionError
from engine.server import worker


@pytest.fixture
def make():
    made = []

    def make(device):
        config = {"endpoint": "", "key": "00" * 32, "session": "w", "device": device, "max_bytes": 1 << 20}
        made.append(worker.Worker(config))
        return made[-1]

    yield make
    for each in made:
        each.context.destroy(linger=0)


@pytest.mark.parametrize(("device", "error"), [("abacus", OptionError), ("cuda:99", EngineStart)])
def test_a_device_that_is_not_there_is_named(make, device, error):
    with pytest.raises(error, match=device):
        make(device)._cache()


def test_faults_of_memory_and_of_the_device_are_told_apart():
    import torch

    lost = RuntimeError("CUDA error: an illegal memory access was encountered")
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. CUDA error: out of memory")
    for error, is_memory, is_lost in (
        (lost, False, True),
        (full, True, False),
        (MemoryError(), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] . DefaultCPUAllocator: not enough memory"), True, False),
        (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True, False),
        (RuntimeError("MPS backend out of memory (MPS allocated: 5 GB)"), True, False),
        (RuntimeError("shapes do not match"), False, False),
        (ValueError("CUDA error"), False, False),
    ):
        assert (worker._out_of_memory(error), worker._device_is_lost(error)) == (is_memory, is_lost), error
