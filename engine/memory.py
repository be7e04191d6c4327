"""How this process gets memory from the kernel: in large pages, and kept between the layers of a network.

Both are settings of glibc, on Linux; elsewhere, and where the user has set any of them, nothing is done.
"""

from __future__ import annotations

import ctypes
import os
import sys

# A network makes and drops tensors of some ten MB, layer by layer. glibc would hand each back and fetch it anew, page by page:
# three million page faults for a hundred tiles, a third of their time. What is larger is a whole picture, and handed back.
KEPT_PIECE = 64 << 20
KEPT = 256 << 20
_TRIM, _MAP = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of <malloc.h>


def with_large_pages() -> None:
    """Begin this process anew with a C library that asks for large pages: a layer of 36 MB passes the broker and its workers,
    who inherit it, in two thirds of the time. The library reads this when it starts and never again.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def keep_freed() -> bool:
    """Let this process keep freed memory of KEPT_PIECE at most a piece for its next need, KEPT in all; whether it does."""
    chosen = os.environ.get("GLIBC_TUNABLES", "") + "".join(name for name in os.environ if name.startswith("MALLOC_"))
    if sys.platform != "linux" or "threshold" in chosen.lower():
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MAP, KEPT_PIECE)) and bool(mallopt(_TRIM, KEPT))
