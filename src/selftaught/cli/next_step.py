"""The line with which a verb says what can be done next. Every one of these lines is run by a test."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def say_next(*words: str | Path) -> None:
    """``next: selftaught WORDS…`` on stderr, as it can be typed."""
    print(f"next: {shlex.join(['selftaught', *map(str, words)])}", file=sys.stderr, flush=True)
