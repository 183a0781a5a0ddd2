"""A process that ends when the one that started it does."""

from __future__ import annotations

import contextlib
import ctypes
import signal

_PR_SET_PDEATHSIG = 1
"""Of ``prctl`` (linux/prctl.h)."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent goes, however it goes: no orphan works on. Only Linux can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
