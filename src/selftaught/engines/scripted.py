"""An engine that says what it is told: for tests and docs.

A script maps the ids so far to the text (or ids) that the model says next; saying is chopped at watched tokens exactly
as a real engine's sampling is, so the driver cannot tell the difference. It records what it was asked.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from collections.abc import Sequence as SequenceABC

from selftaught.engines.base import EngineStats, Sampled, SampleEnd, SampleRequest, SamplingParams, SequenceKey
from selftaught.tokens.codec import Codec

Script = Callable[["ScriptedSequence"], "str | SequenceABC[int] | None"]
"""Asked whenever a sequence has said all it had; None (or nothing) means an end token."""


class ScriptedSequence:
    """One sequence; ``said`` counts the script's turns, ``inserted`` holds what others put in since the last one."""

    def __init__(self, engine: ScriptedEngine, key: SequenceKey) -> None:
        self.engine, self.key = engine, key
        self.ids: list[int] = []
        self.said = 0
        self.inserted: list[int] = []
        self.queue: deque[int] = deque()
        self.requests: list[SampleRequest] = []

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids; what the script still had to say is dropped, since the model now reads something else."""
        self.ids.extend(token_ids)
        if self.said and token_ids:
            self.queue.clear()
        self.inserted.extend(token_ids)

    async def sample(self, request: SampleRequest) -> Sampled:
        """Say the next tokens."""
        await asyncio.sleep(self.engine.delay_s)
        self.requests.append(request)
        sampled: list[int] = []
        while len(sampled) < request.max_new_tokens:
            if len(self.ids) >= self.engine.max_context:
                return Sampled(sampled, SampleEnd.CONTEXT)
            token_id = self._next(request)
            sampled.append(token_id)
            self.ids.append(token_id)
            self.engine.stats.decode_tokens += 1
            if request.on_token is not None:
                request.on_token(token_id)
            if token_id in request.watch:
                return Sampled(sampled, SampleEnd.WATCH)
        return Sampled(sampled, SampleEnd.LENGTH)

    def _next(self, request: SampleRequest) -> int:
        banned = request.banned
        for _ in range(1000):
            if not self.queue:
                turn = self.engine.script(self)
                self.said += 1
                self.inserted = []
                ids = self.engine.encode(turn) if isinstance(turn, str) else list(turn or ())
                self.queue = deque(ids or [min(self.engine.codec.end_ids)])
            token_id = self.queue.popleft()
            if banned is None or token_id not in banned:
                return token_id
        return min(self.engine.codec.end_ids)

    def discard(self, num_tokens: int) -> None:
        """Take back the last ids."""
        if num_tokens:
            del self.ids[-num_tokens:]

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back to the first ids."""
        self.discard(len(self.ids) - num_tokens)

    def fork(self) -> ScriptedSequence:
        """A copy that goes on with the same script."""
        child = ScriptedSequence(self.engine, self.key)
        child.ids, child.said, child.queue = list(self.ids), self.said, deque(self.queue)
        child.inserted = list(self.inserted)
        self.engine.sequences.append(child)
        return child

    def close(self) -> None:
        """Nothing to free."""
        self.engine.num_closed += 1


class ScriptedEngine:
    """Plays a `Script` with some model's tokenizer. ``delay_s`` is waited before each answer."""

    text_only = False

    def __init__(
        self, codec: Codec, script: Script, *, max_context: int = 1 << 20, max_rows: int = 64, delay_s: float = 0.0
    ) -> None:
        self.name, self.codec, self.script = "scripted", codec, script
        self.max_context, self.max_rows, self.delay_s = max_context, max_rows, delay_s
        self.stats = EngineStats()
        self.sequences: list[ScriptedSequence] = []
        self.num_closed = 0

    @classmethod
    def from_turns(cls, codec: Codec, turns: Iterable[str], **settings: float) -> ScriptedEngine:
        """Every sequence says ``turns`` one after another; a turn is what comes before the next insertion."""
        said = list(turns)
        return cls(codec, lambda sequence: said[sequence.said] if sequence.said < len(said) else None, **settings)  # type: ignore[arg-type]

    def encode(self, text: str) -> list[int]:
        """Ids of a turn, in which control strings are control tokens (this is the model speaking)."""
        return self.codec.encode_control(text)

    def open(self, key: SequenceKey, params: SamplingParams) -> ScriptedSequence:
        """A new sequence."""
        sequence = ScriptedSequence(self, key)
        self.sequences.append(sequence)
        return sequence

    def reset_stats(self) -> None:
        """Count from zero."""
        self.stats = EngineStats()

    async def check(self) -> None:
        """It always can."""

    async def aclose(self) -> None:
        """Nothing to free."""
