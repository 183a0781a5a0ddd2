"""How the C library treats memory that was freed: kept for the next tensor, or given back to the system.

By default glibc takes every large tensor from the system and gives it back when it goes. The system then fills each page
with zeros, at the first touch: for the tensors of a large model that takes as long as the products themselves.
"""

from __future__ import annotations

import contextlib
import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Of ``mallopt`` (malloc.h)."""
_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """From now on memory of freed tensors is used again by this process. For a process that works with a large model.

    Nothing happens with another C library than glibc.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _MOST)


def give_back_freed_memory() -> None:
    """Return to the system what loading took and freed: hundreds of megabytes."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
