"""How the engine's processes get their memory from the kernel."""

from __future__ import annotations

import os
import sys


def with_large_pages() -> None:
    """Begin this process anew with a C library that asks for large pages: a layer of 36 MB passes the broker and its workers,
    who inherit it, in two thirds of the time. The library reads this when it starts and never again.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
