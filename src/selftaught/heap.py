"""How memory comes from the system, and goes back to it.

By default the C library takes every large tensor from the system and gives it back when it goes. The system then fills it
with zeros, page by page of 4 KB, at the first touch: for the tensors of a large model that takes as long as the products
themselves. With pages of 2 MB it takes a fraction.
"""

from __future__ import annotations

import contextlib
import ctypes
import os


def use_large_pages() -> None:
    """Ask torch for pages of 2 MB (Linux) in this process and those that it starts. Before torch makes its first tensor."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def give_back_freed_memory() -> None:
    """Return to the system what loading took and freed: hundreds of megabytes. Only glibc can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
