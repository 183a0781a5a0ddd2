"""What an engine is: a thing that holds append-only token sequences and samples from them.

The rollout driver talks to every model through two small protocols. A `Sequence` is one growing list of token ids:
``extend`` appends ids that somebody else chose, ``sample`` appends ids that the model chose, ``discard`` takes back the
last sampled ones (the seam rule of hints), ``fork`` branches, ``close`` frees. Ids are the only truth; text never goes
in. Stops are sets of token ids, so that the same rule holds for every engine: sampling pauses right after the first
token of the request's ``watch`` set, and that token stays whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from collections.abc import Sequence as SequenceABC
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from selftaught.tokens.codec import Codec, TokenSet


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How to draw a token. ``temperature`` 0 is greedy; ``top_p`` 1 keeps the whole distribution."""

    temperature: float = 0.0
    top_p: float = 1.0


@dataclass(frozen=True, slots=True)
class SequenceKey:
    """Everything that a sequence's random draws depend on: never its batch, its order or its engine's state."""

    seed: int = 0
    problem_id: str = ""
    sample: int = 0

    def digest(self, purpose: str = "tokens") -> int:
        """A 128-bit number that seeds the draws for ``purpose``."""
        words = f"{purpose}\x00{self.seed}\x00{self.problem_id}\x00{self.sample}".encode()
        return int.from_bytes(hashlib.blake2b(words, digest_size=16).digest(), "little")


class Scoring(StrEnum):
    """Which sampled tokens are scored."""

    NONE = "none"
    LAST = "last"
    """The last token of a request: the one at which sampling paused."""
    ALL = "all"


class Score(NamedTuple):
    """What the model thought of a token that was sampled.

    All three are of the distribution at temperature 1 over the whole vocabulary: before temperature, top-p and bans. A
    server gives its likeliest tokens only: there the others count as one token, so the entropy is a lower bound.
    """

    logprob: float
    """Natural logarithm of its probability."""
    entropy: float
    """Of the distribution that it was drawn from, in nats."""
    margin: float
    """Probability of the likeliest token less that of the second."""


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """Sample until a token of ``watch`` was drawn or ``max_new_tokens`` were; never draw a token of ``banned``.

    After a token of ``halts`` something will most likely be put into the sequence: an engine that samples ahead of its
    caller had better stop there too. ``stop_texts`` are for an engine behind a server that can stop at texts only: where
    something may be put in, whatever tokens spell it. ``on_token``, for somebody who watches, is called in the engine's event loop with
    each id as soon as it is known; it must be quick. None of them changes a token.
    """

    max_new_tokens: int
    watch: TokenSet
    banned: TokenSet | None = None
    halts: TokenSet | None = None
    stop_texts: tuple[str, ...] = ()
    scoring: Scoring = Scoring.NONE
    on_token: Callable[[int], None] | None = None


class SampleEnd(StrEnum):
    """Why one call of ``sample`` returned."""

    WATCH = "watch"
    LENGTH = "length"
    CONTEXT = "context"
    """The model's context is full."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """The ids drawn by one call, the last being the watched one if ``end`` says so."""

    token_ids: list[int]
    end: SampleEnd
    scores: list[Score] | None = None
    """Of the last token, or of each, as the request asks; None where nobody asked or the engine does not know."""


def asked_for(scores: list[Score], request: SampleRequest) -> list[Score] | None:
    """Those of the scores of all sampled tokens that the request asks for."""
    if request.scoring is Scoring.NONE or not scores:
        return None
    return scores if request.scoring is Scoring.ALL else scores[-1:]


@runtime_checkable
class Sequence(Protocol):
    """One growing list of token ids inside an engine. Used by one task at a time."""

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids that were not sampled. Cheap: work is done at the next ``sample``."""

    async def sample(self, request: SampleRequest) -> Sampled:
        """Append sampled ids and return them."""

    def discard(self, num_tokens: int) -> None:
        """Take back the last ``num_tokens`` ids. They are as if never drawn, but their random draws stay used."""

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back to the first ``num_tokens`` ids, as if only ``num_drawn`` had ever been drawn.

        A server draws by itself: there only the ids go back.
        """

    def fork(self) -> Sequence:
        """A second sequence with the same ids, the same key and the same draws ahead; the prefix is not recomputed."""

    def close(self) -> None:
        """Free what the sequence holds. Idempotent."""


@dataclass(slots=True)
class EngineStats:
    """What an engine did so far. Seconds are wall time of the engine's own work."""

    prefill_tokens: int = 0
    decode_tokens: int = 0
    prefill_s: float = 0.0
    decode_s: float = 0.0
    idle_s: float = 0.0
    """Between the end of all work and the next request."""
    num_steps: int = 0
    recomputed_tokens: int = 0
    """Prefix tokens computed again because no slot was free for a fork."""
    num_retries: int = 0


class Engine(Protocol):
    """A model that can hold many sequences at once."""

    name: str
    codec: Codec
    max_context: int
    max_rows: int

    @property
    def text_only(self) -> bool:
        """True when the engine takes text without ids: which ids the model saw is then not known."""

    stats: EngineStats

    def open(self, key: SequenceKey, params: SamplingParams) -> Sequence:
        """A new empty sequence."""

    def reset_stats(self) -> None:
        """Count from zero."""

    async def check(self) -> None:
        """Return when the model could sample now; EngineError says why it could not."""

    async def aclose(self) -> None:
        """Free the model. Open sequences fail."""
