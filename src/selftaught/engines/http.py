"""Served models by token ids, streamed: connections, retries and replicas. What servers say is in `selftaught.engines.dialects`.

Ids go out, ids come back; what the client holds is the truth. One stream is kept open over calls of ``sample`` for as
long as nothing else is put into the sequence, so a trigger that is looked at and not taken costs no round trip. When
something is inserted, the stream is dropped with whatever it overshot, and the next one sends prompt, sampled and
inserted ids again; the server's prefix cache makes that cheap. A broken stream is resumed the same way, with backoff,
so a server that restarts costs time and no trajectory.

A trajectory stays with one base URL (hash of its key); if that one stays down, it moves to the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from collections.abc import Sequence as SequenceABC
from pathlib import Path
from typing import Any

from selftaught.engines.base import (
    EngineStats,
    Sampled,
    SampleEnd,
    SampleRequest,
    SamplingParams,
    Score,
    Scoring,
    SequenceKey,
    asked_for,
)
from selftaught.engines.dialects import Broken, ChunkReader, Form, Question, Setting
from selftaught.engines.dialects.base import TEMPORARY, failure
from selftaught.engines.gate import Gate
from selftaught.engines.servers import ask_servers, why
from selftaught.errors import EngineError
from selftaught.tokens.codec import TokenSet

_TOKENS_PER_CHUNK, _TOKENS_PER_CHUNK_ALONE = 16, 4
"""Tokens a chunk, where the server knows the setting: the front ends of both sides work per chunk. At a trigger word a
chunk is overshot, at a halt nothing. The smaller one is for a row that somebody watches, and for a single one."""
_ATTEMPTS_PER_URL = 3
_BACKOFF_S = (0.25, 15.0)
_LINGER_S = 0.1
"""How long a slot is kept for its trajectory between two requests: the client's own work lies there, not a tool's."""


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of an event stream. Only newlines part them: JSON may hold U+2028, at which a text's lines would be cut."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


_Stream = AsyncGenerator[tuple[list[int], bool, list[Score | None]], None]
"""New ids, whether they are the last of the stream, and their scores where they are known."""
_TOP_LOGPROBS = 10
"""Likeliest tokens that a server is asked for where scores are wanted."""


async def _drain(stream: _Stream) -> None:
    """Read what is left of a stream that has said its last id."""
    with contextlib.suppress(Broken, EngineError):
        async for _ in stream:
            pass


class HttpSequence:
    """A sequence whose ids live here; the server only continues them."""

    def __init__(self, engine: HttpEngine, key: SequenceKey, params: SamplingParams) -> None:
        self.engine, self.key, self.params = engine, key, params
        self.age = next(engine.ages)
        """Older ones go first."""
        self.ids: list[int] = []
        self.num_streams = 0
        self._ready: deque[tuple[int, Score | None]] = deque()
        """Ids received and not yet sampled."""
        self.is_scored = False
        """Whether the open stream was asked for scores."""
        self._stream: _Stream | None = None
        self.banned: TokenSet | None = None
        """What the open stream was told never to draw."""
        self.halts: TokenSet | None = None
        """Where the next stream is told to stop by itself."""
        self.stop_texts: tuple[str, ...] = ()
        """The same for a server that can stop at texts only."""
        self.is_watched = False
        """Somebody reads along: the next stream comes in small chunks."""
        self.wanted = 1
        """Tokens that the caller waits for."""

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids; what the server is saying is dropped."""
        if token_ids:
            self._drop()
            self.ids.extend(token_ids)

    def discard(self, num_tokens: int) -> None:
        """Take back the last ids."""
        if num_tokens:
            self._drop()
            del self.ids[-num_tokens:]

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back to the first ids."""
        self.discard(len(self.ids) - num_tokens)

    def fork(self) -> HttpSequence:
        """A copy; the server's prefix cache shares the work."""
        twin = HttpSequence(self.engine, self.key, self.params)
        twin.ids, twin.num_streams = list(self.ids), self.num_streams
        return twin

    def close(self) -> None:
        """Drop the stream and give the place at the server to another."""
        self._drop()
        self.engine.leave(self)

    async def sample(self, request: SampleRequest) -> Sampled:
        """Take ids from the stream, opening or resuming it as needed."""
        if not self.ids:
            raise EngineError("sample was called on an empty sequence; expected extend first.")
        is_scored = request.scoring is not Scoring.NONE
        if self.banned is not request.banned or self.is_scored is not is_scored:
            self._drop()
            self.banned, self.is_scored = request.banned, is_scored
        # For the next stream: one under way stops where it was told to.
        self.halts, self.stop_texts = request.halts, request.stop_texts
        self.is_watched = request.on_token is not None
        sampled: list[int] = []
        scores: list[Score | None] = []

        def done(end: SampleEnd) -> Sampled:
            told = scores[-1:] if request.scoring is Scoring.LAST else scores
            known = [score for score in told if score is not None]
            return Sampled(sampled, end, asked_for(known, request) if len(known) == len(told) else None)

        while len(sampled) < request.max_new_tokens:
            if len(self.ids) >= self.engine.max_context:
                self._drop()
                return done(SampleEnd.CONTEXT)
            if not self._ready:
                self.wanted = request.max_new_tokens - len(sampled)
                await self._receive()
            token_id, score = self._ready.popleft()
            scores += [score] if score is not None else []
            sampled.append(token_id)
            self.ids.append(token_id)
            self.engine.stats.decode_tokens += 1
            if request.on_token is not None:
                request.on_token(token_id)
            if token_id in request.watch:
                return done(SampleEnd.WATCH)
        return done(SampleEnd.LENGTH)

    async def _receive(self) -> None:
        """Wait for at least one more id; retry until the engine's patience ends."""
        engine = self.engine
        started, attempt = time.monotonic(), 0
        while True:
            if self._stream is None:
                self._stream = engine.stream(self, attempt // _ATTEMPTS_PER_URL)
                self.num_streams += 1
            try:
                ids, is_last, scores = await anext(self._stream, ([], True, []))
                if is_last:  # the server's own end, at a halt say: what comes after it comes in a new stream
                    self._let_go(drain=True)
                if ids:
                    known = len(scores) == len(ids)
                    self._ready.extend(zip(ids, scores if known else [None] * len(ids), strict=True))
                    return
                if is_last:
                    attempt += 1
                    if attempt > 50:
                        raise EngineError(f"{engine.name} ends its streams without a token.")
            except Broken as broken:
                self._drop()
                attempt += 1
                engine.stats.num_retries += 1
                if time.monotonic() - started > engine.patience_s:
                    raise EngineError(f"{engine.name}: {broken}; gave up after {engine.patience_s:g} s.") from None
                low, high = _BACKOFF_S
                await asyncio.sleep(min(high, low * 2 ** min(attempt, 8)) * (0.5 + random.random() / 2))

    def _drop(self) -> None:
        self._ready.clear()
        self._let_go()

    def _let_go(self, drain: bool = False) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self.engine.dispose(stream, drain)


class HttpEngine:
    """One or more servers of one model."""

    def __init__(
        self,
        urls: list[str],
        *,
        model_name: str | None = None,
        tokenizer: str | None = None,
        max_rows: int = 64,
        patience_s: float = 300.0,
        read_timeout_s: float = 120.0,
        allow_text: bool = False,
        api_key: str | None = None,
    ) -> None:
        import httpx2

        self._httpx = httpx2
        self.urls = [url.rstrip("/").removesuffix("/v1") for url in urls]
        self.patience_s = patience_s
        self.stats = EngineStats()
        self.ages = itertools.count()
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client: Any = None
        self._closing: set[asyncio.Task[None]] = set()
        self._biases: dict[TokenSet, dict[str, int]] = {}
        found = ask_servers(
            httpx2, self.urls, self._headers, model_name=model_name, tokenizer=tokenizer, allow_text=allow_text
        )
        served, self.codec = found.served, found.codec
        self.name: str = Path(served.name).name if served.name.endswith(".gguf") else served.name
        self.max_context = served.max_context or 1 << 20
        self.max_rows = min(max_rows, served.slots * len(self.urls)) if served.slots else max_rows
        """Streams at once. A sequence has none while its tool runs, so others keep the server busy."""
        linger_s = _LINGER_S if served.slots else 0.0
        self._free = Gate(self.max_rows, linger_s)
        self._slots = {url: Gate(served.slots or self.max_rows, linger_s) for url in self.urls}
        chunk = _TOKENS_PER_CHUNK if max_rows > 1 else _TOKENS_PER_CHUNK_ALONE
        self.dialect = found.dialect(Setting(served.name, self.codec, chunk, allow_text, self.max_context))
        self._timeout = httpx2.Timeout(max(read_timeout_s, self.dialect.silence_s), connect=10.0)

    @property
    def text_only(self) -> bool:
        """True when the server gives text without token ids."""
        return self.dialect.text_only

    def open(self, key: SequenceKey, params: SamplingParams) -> HttpSequence:
        """A new empty sequence."""
        return HttpSequence(self, key, params)

    def stream(self, row: HttpSequence, num_failed: int) -> _Stream:
        """Continue ``row`` on its server, or on the one that follows when ``num_failed`` of them stay down."""
        url = self.urls[(row.key.digest("replica") + num_failed) % len(self.urls)]
        return self._generate(url, row)

    def leave(self, row: HttpSequence) -> None:
        """``row`` asks nothing more."""
        for gate in (self._free, *self._slots.values()):
            gate.leave(row.age)

    def dispose(self, stream: _Stream, drain: bool = False) -> None:
        """Close a stream in the background; the server sees a disconnect and stops.

        One that the server has ended is read to its last byte (``drain``), so that its connection can be used again.
        """
        closing = asyncio.ensure_future(_drain(stream) if drain else stream.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def reset_stats(self) -> None:
        """Count from zero."""
        self.stats = EngineStats()

    async def check(self) -> None:
        """Every server lists its models. EngineError names the first that does not."""
        async with self._httpx.AsyncClient(timeout=10.0, headers=self._headers) as client:
            for url in self.urls:
                try:
                    (await client.get(f"{url}/v1/models")).raise_for_status()
                except self._httpx.HTTPError as error:
                    raise EngineError(f"{url} does not answer ({why(error)})") from None

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # ------------------------------------------------------------------------------------------------------- the wire

    def question(self, row: HttpSequence) -> Question:
        """What is asked for next; the row grows while the answer comes, so its ids are copied."""
        # After an end token nothing is sampled, at the others something is put in: what came after would be thrown away.
        stop_ids = sorted(self.codec.end_ids.union(row.halts.ids if row.halts is not None else ()))
        # A stream runs on and is dropped where it is not needed; a whole answer is computed to its end.
        most = (
            min(self.dialect.stream_tokens, row.wanted)
            if self.dialect.form is Form.WHOLE
            else self.dialect.stream_tokens
        )
        return Question(
            ids=list(row.ids),
            params=row.params,
            max_tokens=min(most, self.max_context - len(row.ids)),
            stop_ids=stop_ids,
            seed=(row.key.digest() + row.num_streams) % (1 << 31),
            bias=self._bias(row.banned),
            stop_texts=row.stop_texts,
            top_logprobs=_TOP_LOGPROBS if row.is_scored else 0,
            tokens_per_chunk=_TOKENS_PER_CHUNK_ALONE if row.is_watched else self.dialect.setting.tokens_per_chunk,
        )

    def _bias(self, banned: TokenSet | None) -> dict[str, int]:
        if banned is None:
            return {}
        if banned not in self._biases:
            self._biases[banned] = {str(token_id): -100 for token_id in sorted(banned.ids)}
        return self._biases[banned]

    async def _generate(self, url: str, row: HttpSequence) -> _Stream:
        async with (
            self._slots[url].passed(row.age),
            self._free.passed(row.age),
            contextlib.aclosing(self._read(url, row)) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def _read(self, url: str, row: HttpSequence) -> _Stream:
        """One request: the new ids of each chunk, and whether the server says that it was the last."""
        if self._client is None:
            limits = self._httpx.Limits(max_connections=None, max_keepalive_connections=self.max_rows)
            self._client = self._httpx.AsyncClient(timeout=self._timeout, headers=self._headers, limits=limits)
        question = self.question(row)
        path, body = self.dialect.request(question)
        reader = self.dialect.reader(question)
        try:
            async with self._client.stream("POST", f"{url}{path}", json=body) as response:
                if response.status_code != 200:
                    text = (await response.aread()).decode("utf-8", "replace")[:300]
                    message = f"{url} answered {response.status_code}: {text}".replace("\n", " ")
                    if response.status_code in TEMPORARY:
                        raise Broken(message)
                    raise EngineError(message)
                if self.dialect.form is Form.WHOLE:
                    yield self._feed(url, reader, await response.aread())
                    return
                async for line in _lines(response.aiter_bytes()):
                    if self.dialect.form is Form.EVENTS:
                        if not line.startswith(b"data:"):
                            continue
                        line = line[5:]
                    data = line.strip()
                    if not data or data == b"[DONE]":
                        continue  # to the response's end, or the connection could not be used again
                    yield self._feed(url, reader, data)
                yield reader.end(), True, []
        except self._httpx.TransportError as error:
            raise Broken(f"{url}: {type(error).__name__} {error}") from None
        except ValueError as error:
            raise Broken(f"{url} sent no JSON ({error})") from None

    def _feed(self, url: str, reader: ChunkReader, data: bytes) -> tuple[list[int], bool, list[Score | None]]:
        """The ids of one JSON object."""
        chunk = json.loads(data)
        if not isinstance(chunk, dict):
            raise Broken(f"{url} sent no JSON object")
        if "error" in chunk:
            error = chunk["error"]
            status = error.get("code") if isinstance(error, dict) else None
            raise failure(f"{url}: {error}", status)
        ids, is_last = reader.feed(chunk)
        return ids, is_last, list(reader.take_scores())
