"""What a dialect is: requests out, token ids in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from selftaught.engines.base import SamplingParams
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that another attempt may cure."""

Get = Callable[[str], dict[str, Any] | None]
"""A page of the server as JSON; None when there is no such page."""


class Broken(Exception):
    """A stream ended in a way that another attempt may cure."""


def failure(message: str, status: object) -> Exception:
    """What to raise for an error told inside a stream: a refusal (4xx) is final, all else may be cured."""
    final = isinstance(status, int) and 400 <= status < 500 and status not in TEMPORARY
    return EngineError(message) if final else Broken(message)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server says about its model."""

    name: str
    root: str
    """Folder or hub id of the model, for its tokenizer."""
    max_context: int | None
    """Most ids in a sequence; None when the server does not say."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same in all requests of one engine."""

    model_name: str
    codec: Codec
    tokens_per_chunk: int
    """Tokens a streamed chunk should hold, where the server knows the setting."""
    allow_text: bool
    """Take text from a server that gives no token ids."""


@dataclass(frozen=True, slots=True)
class Question:
    """One request: continue ``ids``."""

    ids: list[int]
    params: SamplingParams
    max_tokens: int
    stop_ids: list[int]
    """Ids after which the server stops by itself, ascending; the id comes with the answer."""
    seed: int
    bias: dict[str, int]
    """Logit bias by id, for ids that are never to be drawn."""


class ChunkReader(ABC):
    """Reads the chunks of one stream."""

    @abstractmethod
    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        """The new ids of a chunk, and whether the server says that it was the last one. Raises `Broken` or EngineError."""

    def end(self) -> list[int]:
        """Ids that were still held back when the stream ended."""
        return []


class Dialect(ABC):
    """One server's language. An instance belongs to one engine."""

    kind: ClassVar[str]
    stream_tokens: ClassVar[int] = 8_192
    """Most tokens asked for at once; a stream is dropped long before, or continued by another."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.text_only = False
        """True once text without ids was taken: which ids the model saw is then not known."""

    @classmethod
    @abstractmethod
    def knows(cls, model: dict[str, Any], allow_text: bool) -> bool:
        """Whether a server whose ``/v1/models`` lists ``model`` speaks this dialect."""

    @classmethod
    def served(cls, model: dict[str, Any], get: Get) -> Served:
        """What the server serves; ``get`` fetches further pages of it."""
        name = str(model["id"])
        return Served(name, str(model.get("root") or name), model.get("max_model_len"))

    @abstractmethod
    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Path and JSON body."""

    @abstractmethod
    def reader(self, question: Question) -> ChunkReader:
        """A reader for the answer to ``question``."""
