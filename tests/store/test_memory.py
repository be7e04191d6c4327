"""Memory kept between the layers of a network: fewer page faults, the same bound, and the user's own settings stay."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PIECES = """
import ctypes, resource, sys
import engine.memory
kept = sys.argv[1] == "keep" and engine.memory.keep_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    piece = libc.malloc(40 << 20)
    ctypes.memset(piece, 1, 40 << 20)
    libc.free(piece)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's settings are Linux's")


def faults(how, **environ):
    plain = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES" and not k.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", PIECES, how], env=plain | environ, capture_output=True, text=True)
    kept, count = done.stdout.split()
    return kept == "True", int(count)


def test_what_is_freed_is_there_for_the_next_layer():
    (never, many), (kept, few) = faults("leave"), faults("keep")
    assert kept and not never
    assert few < many / 10


@pytest.mark.parametrize(
    "name", ["MALLOC_TRIM_THRESHOLD_", pytest.param("MALLOC_MMAP_THRESHOLD_", marks=pytest.mark.slow)]
)
def test_the_user_s_own_settings_stay(name):
    assert faults("keep", **{name: "131072"})[0] is False
    assert faults("keep", GLIBC_TUNABLES="glibc.malloc.trim_threshold=131072")[0] is False
    assert faults("keep", GLIBC_TUNABLES="glibc.malloc.hugetlb=1")[0] is True
