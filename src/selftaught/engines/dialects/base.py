"""What a dialect is: requests out, token ids in."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from selftaught.engines.base import SamplingParams, Score
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec

TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that another attempt may cure."""


class Site(Protocol):
    """One server, asked before an engine is made of it. Both give None when there is no such page."""

    def get(self, path: str) -> dict[str, Any] | None:
        """A page, as a JSON object."""

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """What is answered to ``body``, as a JSON object."""


class Form(StrEnum):
    """How an answer comes."""

    EVENTS = "events"
    """Server-sent events: lines that begin with ``data:``."""
    LINES = "lines"
    """One JSON object a line."""
    WHOLE = "whole"
    """One JSON object at the end."""


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
    slots: int | None = None
    """Requests that it works on at once; None when it takes many and batches them itself."""
    warning: str | None = None
    """One line about a setting of the server that somebody will want to change."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same in all requests of one engine."""

    model_name: str
    codec: Codec
    tokens_per_chunk: int
    """Tokens a streamed chunk should hold, where the server knows the setting."""
    allow_text: bool
    """Take text from a server that gives no token ids."""
    max_context: int = 1 << 20
    """Most ids in a sequence."""


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
    top_logprobs: int = 0
    """Log-probabilities wanted of so many of the likeliest tokens at each place; 0: none."""
    stop_texts: tuple[str, ...] = ()
    """For a server that can stop at texts only: where its caller will look, whatever tokens spell them."""
    tokens_per_chunk: int = 16
    """Tokens a streamed chunk should hold, where the server knows the setting."""


class ChunkReader(ABC):
    """Reads the chunks of one stream."""

    @abstractmethod
    def feed(self, chunk: dict[str, Any]) -> tuple[list[int], bool]:
        """The new ids of a chunk, and whether the server says that it was the last one. Raises `Broken` or EngineError."""

    def take_scores(self) -> Sequence[Score | None]:
        """Scores of the ids that `feed` gave last, None for one that is not known; empty where the server gives none."""
        return []

    def end(self) -> list[int]:
        """Ids that were still held back when the stream ended."""
        return []


class Dialect(ABC):
    """One server's language. An instance belongs to one engine."""

    kind: ClassVar[str]
    form: ClassVar[Form] = Form.EVENTS
    stream_tokens: int = 8_192
    """Most tokens asked for at once; a stream is dropped long before, or continued by another."""
    silence_s: ClassVar[float] = 120.0
    """Longest wait for the next byte of an answer."""
    inexact: ClassVar[str | None] = None
    """What is not as with a server that gives ids: one sentence, said when the engine is opened."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.text_only = False
        """True once text without ids was taken: which ids the model saw is then not known."""

    @classmethod
    @abstractmethod
    def knows(cls, model: dict[str, Any], site: Site, allow_text: bool) -> bool:
        """Whether the server at ``site``, whose ``/v1/models`` lists ``model``, speaks this dialect."""

    @classmethod
    def served(cls, model: dict[str, Any], site: Site) -> Served:
        """What the server serves."""
        name = str(model["id"])
        return Served(name, str(model.get("root") or name), model.get("max_model_len"))

    @classmethod
    def tokenize(cls, name: str, text: str, site: Site) -> list[int] | None:
        """The server's ids of ``text``, control strings being control tokens; None where it does not tell them."""
        return None

    @abstractmethod
    def request(self, question: Question) -> tuple[str, dict[str, Any]]:
        """Path and JSON body."""

    @abstractmethod
    def reader(self, question: Question) -> ChunkReader:
        """A reader for the answer to ``question``."""


def score_of(logprob: float, likeliest: Iterable[float]) -> Score:
    """A score from the log-probabilities of the likeliest tokens; all others count as one token."""
    shares = sorted((math.exp(min(0.0, one)) for one in likeliest), reverse=True)
    rest = max(0.0, 1.0 - sum(shares))
    entropy = -sum(share * math.log(share) for share in [*shares, rest] if share > 0)
    top = [*shares[:2], 0.0, 0.0]
    return Score(logprob, max(0.0, entropy), top[0] - top[1])


def ids_of(value: object) -> list[int] | None:
    """``value`` if it is a list of ids."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(one, int) for one in value):
        return None
    return list(value)
