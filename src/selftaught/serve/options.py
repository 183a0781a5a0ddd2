"""How the server behaves towards its clients. How the model is asked is in `selftaught.rollouts.settings`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selftaught.errors import ConfigError

Dialect = Literal["", "open-webui"]


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Limits and identity of one server."""

    api_keys: tuple[str, ...] = ()
    """Bearer keys that are let in; none lets everybody in."""
    max_body_bytes: int = 16 << 20
    """Longest request body."""
    max_running: int = 64
    """Answers that are made at once."""
    max_queue: int = 256
    """Answers that wait for their turn; further ones get 429."""
    max_choices: int = 16
    """Most choices (``n``) of one request."""
    keep_alive_s: float = 15.0
    """Seconds of silence in a stream after which a comment is sent."""
    body_timeout_s: float = 60.0
    """Seconds in which a request's body must have come."""
    local_only: bool = True
    """The server listens on this machine alone: a request that names another host comes from a web page that tricked a
    browser, and is refused."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins whose pages may call (CORS); none by default."""
    max_containers: int = 64
    """Interpreters that are kept from request to request."""
    container_idle_s: float = 1200.0
    """Seconds after which one that nobody used is ended."""
    dialect: Dialect = ""
    """Items of ``/v1/responses`` that a certain page draws, for requests that name none."""
    record: Path | None = None
    """Run folder that trajectories are recorded in."""


def checked_dialect(name: str) -> Dialect:
    """A dialect by its name. ConfigError for one that is not known."""
    if name == "open-webui":
        return "open-webui"
    if name:
        raise ConfigError(f"--dialect is {name!r}; expected open-webui, or nothing for OpenAI's own items.")
    return ""
