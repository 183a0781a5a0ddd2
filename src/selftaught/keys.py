"""Keys of model servers and of our own ones, from the environment."""

from __future__ import annotations

import os
from collections.abc import Iterable

MODEL_KEY = "SELFTAUGHT_MODEL_API_KEY"
"""Sent to model servers."""
COMMON_KEY = "SELFTAUGHT_API_KEY"
"""What our own servers ask their clients for. Sent to model servers, too, where no other key is set."""


def model_server_key() -> str | None:
    """What a model server gets as its bearer token; None: nothing."""
    return os.environ.get(MODEL_KEY) or os.environ.get(COMMON_KEY) or None


def clients_keys(given: Iterable[str] | None) -> tuple[str, ...]:
    """What clients must send: the keys that were given, else the common one; empty: nothing.

    The common key is then taken out of the environment, so that no model server, which somebody else may run, ever sees
    it.
    """
    return tuple(given or filter(None, [os.environ.pop(COMMON_KEY, "")]))
