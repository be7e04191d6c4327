"""The machine under measurement: what it is, and how fast its convolutions can be at best."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

# 3x3 convolutions as networks have them: channels, side. The quickest counts as the machine's peak.
SHAPES = ((64, 256), (128, 128), (256, 64))
GPU_SHAPES = ((64, 1024), (128, 1024), (256, 512))  # large enough to keep thousands of units busy
QUICK_SHAPES = ((64, 64),)


def describe() -> dict[str, Any]:
    """Processor, cores, memory, torch, precision: what figures in seconds depend on. No name of machine or user."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gb": round(_memory() / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "bf16": bf16(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def bf16() -> bool:
    """Whether the engine computes in bfloat16 on this CPU."""
    from engine.store.cache import quick_type

    return quick_type(torch.device("cpu")) is torch.bfloat16


def short(kind: torch.dtype | None) -> str:
    """The type in the names of figures; None is float32."""
    return {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(kind, "fp32")  # type: ignore[arg-type]


def convolution(
    channels: int, side: int, half: torch.dtype | None, device: torch.device
) -> tuple[Callable[[], object], float]:
    """A 3x3 convolution as a job that waits for its end, and its floating-point operations (a multiplication and an
    addition are two). half: None is float32.
    """
    kind = half or torch.float32
    x = torch.randn(1, channels, side, side).to(device, kind).to(memory_format=torch.channels_last)
    weight = torch.randn(channels, channels, 3, 3).to(device, kind).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def job() -> object:
        result = F.conv2d(x, weight, padding=1)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return result

    return job, 2.0 * channels * channels * 9 * side * side


def best_shape(half: torch.dtype | None, quick: bool, device: torch.device) -> tuple[Callable[[], object], float]:
    """The convolution that the machine does most operations a second in, as convolution() gives it."""
    from engine.bench.figures import turns

    shapes = QUICK_SHAPES if quick else GPU_SHAPES if device.type == "cuda" else SHAPES
    jobs = {str(shape): convolution(*shape, half, device) for shape in shapes}
    spent = turns({name: job for name, (job, _) in jobs.items()}, 3)
    quickest = max(jobs, key=lambda name: jobs[name][1] / min(spent[name]))
    return jobs[quickest]
