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
import json
import random
import re
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from collections.abc import Sequence as SequenceABC
from functools import partial
from typing import Any

from selftaught.engines.base import EngineStats, Sampled, SampleEnd, SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.dialects import Broken, Dialect, Question, Served, Setting, dialect_of
from selftaught.engines.dialects.base import TEMPORARY, failure
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec, TokenSet
from selftaught.tokens.folder import tokenizer_folder

_TOKENS_PER_CHUNK, _TOKENS_PER_CHUNK_ALONE = 16, 4
"""Tokens a chunk, where the server knows the setting: the front ends of both sides work per chunk. At a trigger word a
chunk is overshot, at a halt nothing. The smaller one is for a single row, which somebody may be watching."""
_ATTEMPTS_PER_URL = 3
_BACKOFF_S = (0.25, 15.0)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of an event stream. Only newlines part them: JSON may hold U+2028, at which a text's lines would be cut."""
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


_Stream = AsyncGenerator[tuple[list[int], bool], None]
"""New ids, and whether they are the last of the stream."""


async def _drain(stream: _Stream) -> None:
    """Read what is left of a stream that has said its last id."""
    with contextlib.suppress(Broken, EngineError):
        async for _ in stream:
            pass


class HttpSequence:
    """A sequence whose ids live here; the server only continues them."""

    def __init__(self, engine: HttpEngine, key: SequenceKey, params: SamplingParams) -> None:
        self.engine, self.key, self.params = engine, key, params
        self.ids: list[int] = []
        self.num_streams = 0
        self._ready: deque[int] = deque()
        """Ids received and not yet sampled."""
        self._stream: _Stream | None = None
        self.banned: TokenSet | None = None
        """What the open stream was told never to draw."""
        self.halts: TokenSet | None = None
        """Where the next stream is told to stop by itself."""

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

    def fork(self) -> HttpSequence:
        """A copy; the server's prefix cache shares the work."""
        twin = HttpSequence(self.engine, self.key, self.params)
        twin.ids, twin.num_streams = list(self.ids), self.num_streams
        return twin

    def close(self) -> None:
        """Drop the stream."""
        self._drop()

    async def sample(self, request: SampleRequest) -> Sampled:
        """Take ids from the stream, opening or resuming it as needed."""
        if not self.ids:
            raise EngineError("sample was called on an empty sequence; expected extend first.")
        if self.banned is not request.banned:
            self._drop()
            self.banned = request.banned
        self.halts = request.halts  # for the next stream: one under way stops where it was told to
        sampled: list[int] = []
        while len(sampled) < request.max_new_tokens:
            if len(self.ids) >= self.engine.max_context:
                self._drop()
                return Sampled(sampled, SampleEnd.CONTEXT)
            if not self._ready:
                await self._receive()
            token_id = self._ready.popleft()
            sampled.append(token_id)
            self.ids.append(token_id)
            self.engine.stats.decode_tokens += 1
            if request.on_token is not None:
                request.on_token(token_id)
            if token_id in request.watch:
                return Sampled(sampled, SampleEnd.WATCH)
        return Sampled(sampled, SampleEnd.LENGTH)

    async def _receive(self) -> None:
        """Wait for at least one more id; retry until the engine's patience ends."""
        engine = self.engine
        started, attempt = time.monotonic(), 0
        while True:
            if self._stream is None:
                self._stream = engine.stream(self, attempt // _ATTEMPTS_PER_URL)
                self.num_streams += 1
            try:
                ids, is_last = await anext(self._stream, ([], True))
                if is_last:  # the server's own end, at a halt say: what comes after it comes in a new stream
                    self._let_go(drain=True)
                if ids:
                    self._ready.extend(ids)
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
        self.max_rows, self.patience_s = max_rows, patience_s
        self.stats = EngineStats()
        self._free = asyncio.Semaphore(max_rows)
        """Streams that may still be opened. A sequence has none while its tool runs, so others keep the server busy."""
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = httpx2.Timeout(read_timeout_s, connect=10.0)
        self._client: Any = None
        self._closing: set[asyncio.Task[None]] = set()
        self._biases: dict[TokenSet, dict[str, int]] = {}
        dialect, served = self._probe(model_name, allow_text)
        self.name: str = served.name
        self.codec = _codec_of(served.root, tokenizer)
        self.max_context = served.max_context or 1 << 20
        chunk = _TOKENS_PER_CHUNK if max_rows > 1 else _TOKENS_PER_CHUNK_ALONE
        self.dialect = dialect(Setting(served.name, self.codec, chunk, allow_text))

    @property
    def text_only(self) -> bool:
        """True when the server gives text without token ids."""
        return self.dialect.text_only

    def _probe(self, model_name: str | None, allow_text: bool) -> tuple[type[Dialect], Served]:
        """Ask every server what it serves. EngineError says which one does not answer, and why."""
        found: tuple[type[Dialect], Served] | None = None
        with self._httpx.Client(timeout=10.0, headers=self._headers) as client:
            for url in self.urls:
                try:
                    answer = client.get(f"{url}/v1/models")
                    answer.raise_for_status()
                    models = {model["id"]: model for model in answer.json()["data"]}
                except (self._httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                    raise EngineError(
                        f"no model server answers at {url}/v1/models ({_why(error)}); is it up?"
                    ) from None
                name = model_name or next(iter(models), None)
                if name is None or name not in models:
                    raise EngineError(
                        f"{url} serves {', '.join(models) or 'nothing'}; expected {model_name!r} (--model-name)."
                    )
                dialect = dialect_of(models[name], allow_text)
                served = dialect.served(models[name], partial(self._page, client, url))
                if found is not None and found[1].name != served.name:
                    raise EngineError(
                        f"{url} serves {served.name}, {self.urls[0]} serves {found[1].name}; expected one model."
                    )
                found = found or (dialect, served)
        if found is None:
            raise EngineError("the list of base URLs is empty.")
        return found

    def _page(self, client: Any, url: str, path: str) -> dict[str, Any] | None:
        """A JSON object of the server at ``url``, or None."""
        try:
            answer = client.get(url + path)
            return dict(answer.json()) if answer.status_code == 200 else None
        except (self._httpx.HTTPError, ValueError, TypeError):
            return None

    def open(self, key: SequenceKey, params: SamplingParams) -> HttpSequence:
        """A new empty sequence."""
        return HttpSequence(self, key, params)

    def stream(self, row: HttpSequence, num_failed: int) -> _Stream:
        """Continue ``row`` on its server, or on the one that follows when ``num_failed`` of them stay down."""
        url = self.urls[(row.key.digest("replica") + num_failed) % len(self.urls)]
        return self._generate(url, row)

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
                    raise EngineError(f"{url} does not answer ({_why(error)})") from None

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
        return Question(
            ids=list(row.ids),
            params=row.params,
            max_tokens=min(self.dialect.stream_tokens, self.max_context - len(row.ids)),
            stop_ids=stop_ids,
            seed=(row.key.digest() + row.num_streams) % (1 << 31),
            bias=self._bias(row.banned),
        )

    def _bias(self, banned: TokenSet | None) -> dict[str, int]:
        if banned is None:
            return {}
        if banned not in self._biases:
            self._biases[banned] = {str(token_id): -100 for token_id in sorted(banned.ids)}
        return self._biases[banned]

    async def _generate(self, url: str, row: HttpSequence) -> _Stream:
        async with self._free, contextlib.aclosing(self._read(url, row)) as pieces:
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
                async for line in _lines(response.aiter_bytes()):
                    if not line.startswith(b"data:"):
                        continue
                    data = line[5:].strip()
                    if data == b"[DONE]":
                        continue  # to the response's end, or the connection could not be used again
                    chunk = json.loads(data)
                    if "error" in chunk:
                        error = chunk["error"]
                        status = error.get("code") if isinstance(error, dict) else None
                        raise failure(f"{url}: {error}", status)
                    yield reader.feed(chunk)
                yield reader.end(), True
        except self._httpx.TransportError as error:
            raise Broken(f"{url}: {type(error).__name__} {error}") from None
        except ValueError as error:
            raise Broken(f"{url} sent no JSON ({error})") from None


def _why(error: Exception) -> str:
    """Why a server's list of models could not be read, for somebody who does not know our client's classes."""
    if isinstance(error, json.JSONDecodeError):
        return "it answers, but not with JSON: a page of another program?"
    if isinstance(error, KeyError | TypeError):
        return "its answer is no list of models"
    return re.sub(r"\[Errno -?\d+\] ", "", str(error)) or type(error).__name__


def _codec_of(root: str, tokenizer: str | None) -> Codec:
    """The served model's codec: of the folder that was named, else of the server's own path where that lies here."""
    try:
        return Codec(tokenizer_folder(tokenizer or root))
    except EngineError as error:
        if tokenizer is not None:
            raise EngineError(f"the tokenizer of the served model: {error}") from None
        raise EngineError(
            f"the server calls its model {root!r}, whose tokenizer is not on this machine; give its folder or hub id "
            "with --tokenizer."
        ) from None
