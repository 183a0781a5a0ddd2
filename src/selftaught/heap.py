"""How memory comes from the system, goes back to it, and how much of it there is.

By default the C library takes every large tensor from the system and gives it back when it goes. The system then fills it
with zeros, page by page of 4 KB, at the first touch: for the tensors of a large model that takes as long as the products
themselves. With pages of 2 MB it takes a fraction.

glibc raises the size from which it does so, up to 32 MB. What is smaller comes from the heap, where tensors on borders of
2 MB leave gaps: a training of 630 M parameters grew from 14 to 22 GB. So that size can be fixed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
"""Variables by which torch asks for pages of 2 MB (Linux); a process must have them before its first tensor."""
_FROM_BYTES = 2 << 20
_MMAP_THRESHOLD = -3
"""Of ``mallopt`` (malloc.h)."""


def use_large_pages() -> None:
    """Set `LARGE_PAGES` for this process and those that it starts, where nobody has."""
    for name, value in LARGE_PAGES.items():
        os.environ.setdefault(name, value)


def keep_large_tensors_apart() -> None:
    """Let no tensor of 2 MB or more lie in the heap of this process. For one that works with a large model."""
    with contextlib.suppress(OSError, AttributeError):  # another C library than glibc
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _FROM_BYTES)


def give_back_freed_memory() -> None:
    """Return to the system what loading took and freed: hundreds of megabytes. Only glibc can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def memory_of_machine() -> int | None:
    """Memory of the machine, or the smaller limit that a container sets; None where it cannot be told."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        text = limit.read_text().strip()
    except OSError:
        return total
    return min(total, int(text)) if text.isdigit() else total
