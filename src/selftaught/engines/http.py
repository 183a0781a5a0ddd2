"""Served models by token ids: vLLM's ``/v1/completions`` and SGLang's ``/generate``, streamed.

Ids go out, ids come back; what the client holds is the truth. One stream is kept open over calls of ``sample`` for as
long as nothing else is put into the sequence, so a trigger that is looked at and not taken costs no round trip. When
something is inserted, the stream is dropped with whatever it overshot, and the next one sends prompt, sampled and
inserted ids again; the server's prefix cache makes that cheap. A broken stream is resumed the same way, with backoff,
so a server that restarts costs time and no trajectory.

A trajectory stays with one base URL (hash of its key); if that one stays down, it moves to the next.

Field names: vLLM's ``prompt`` (a list of ids), ``return_token_ids``, ``token_ids`` and ``prompt_token_ids``; SGLang's
``input_ids``, ``sampling_params`` (``max_new_tokens``, ``sampling_seed``, ``logit_bias``, ``stop_token_ids``,
``stream_interval``) and ``output_ids``, which grow from chunk to chunk unless the server was started with
``--incremental-streaming-output`` (``--stream-output`` in older versions); both are read.

A completions API that gives text alone is used only with ``allow_text``. Its text is encoded here, so its trajectories
are marked ``text_only``: nobody knows the ids that the model saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from collections.abc import Sequence as SequenceABC
from typing import Any

from selftaught.engines.base import EngineStats, Sampled, SampleEnd, SampleRequest, SamplingParams, SequenceKey
from selftaught.errors import EngineError
from selftaught.tokens.codec import END_TOKENS, Codec, TokenSet
from selftaught.tokens.folder import resolve_model

_STREAM_TOKENS = 8_192
"""Tokens asked for at once; a stream is dropped long before, or continued by another."""
_SGLANG_STREAM_TOKENS = 1_024
"""The same for SGLang, which lets a request in only when there is room for much of what it asks for, and repeats all ids
of a stream in each of its chunks."""
_SGLANG_RESERVE = 6
"""SGLang takes a prompt only if it is shorter than the model's context by more than this."""
_STREAM_INTERVAL, _STREAM_INTERVAL_ALONE = 16, 4
"""Tokens a chunk, where the server knows the setting: the front ends of both sides work per chunk. At a trigger word a
chunk is overshot, at a halt nothing. The smaller one is for a single row, which somebody may be watching."""
_ATTEMPTS_PER_URL = 3
_BACKOFF_S = (0.25, 15.0)
_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Broken(Exception):
    """A stream ended in a way that another attempt may cure."""


def _failure(message: str, status: object) -> Exception:
    """What to raise for an error told inside a stream: a refusal (4xx) is final, all else may be cured."""
    final = isinstance(status, int) and 400 <= status < 500 and status not in _TEMPORARY
    return EngineError(message) if final else _Broken(message)


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
    with contextlib.suppress(_Broken, EngineError):
        async for _ in stream:
            pass


def _is_last(chunk: dict[str, Any]) -> bool:
    """Whether the server says that a chunk is its last (SGLang in ``meta_info``, the others in their choice)."""
    about = chunk.get("meta_info") or (chunk.get("choices") or [{}])[0]
    return about.get("finish_reason") is not None


class _TextReader:
    """Ids of streamed text. What may be the beginning of a control token waits for the rest of it."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._held = ""

    def feed(self, text: str) -> list[int]:
        """Ids of all that is certain."""
        text = self._held + text
        keep = max(
            (
                length
                for control in self._codec.control
                for length in range(1, min(len(control), len(text) + 1))
                if text.endswith(control[:length])
            ),
            default=0,
        )
        sure, self._held = (text[:-keep], text[-keep:]) if keep else (text, "")
        return self._codec.encode_control(sure) if sure else []

    def end(self, stopped: bool) -> list[int]:
        """Ids of what waited, and the end token that such an API swallows if the model ``stopped``."""
        held, self._held = self._held, ""
        ids = self._codec.encode_control(held) if held else []
        if stopped:
            named = [self._codec.added[token] for token in END_TOKENS if token in self._codec.added]
            ids += [token_id for token_id in [*named, *sorted(self._codec.end_ids)] if token_id in self._codec.end_ids][
                :1
            ]
        return ids


class HttpSequence:
    """A sequence whose ids live here; the server only continues them."""

    def __init__(self, engine: HttpEngine, key: SequenceKey, params: SamplingParams) -> None:
        self.engine, self.key, self.params = engine, key, params
        self.ids: list[int] = []
        self.num_streams = 0
        self._ready: deque[int] = deque()
        """Ids received and not yet sampled."""
        self._stream: _Stream | None = None
        self._banned: TokenSet | None = None
        self._halts: TokenSet | None = None

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
        if self._banned is not request.banned:
            self._drop()
            self._banned = request.banned
        self._halts = request.halts  # for the next stream: one under way stops where it was told to
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
            except _Broken as broken:
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
        self._interval = _STREAM_INTERVAL if max_rows > 1 else _STREAM_INTERVAL_ALONE
        self._free = asyncio.Semaphore(max_rows)
        """Streams that may still be opened. A sequence has none while its tool runs, so others keep the server busy."""
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = httpx2.Timeout(read_timeout_s, connect=10.0)
        self._client: Any = None
        self._closing: set[asyncio.Task[None]] = set()
        self._idle_banned: dict[TokenSet, dict[str, int]] = {}
        self._allow_text = allow_text
        served = self._probe(model_name)
        self.kind: str = served["kind"]
        self.name: str = served["name"]
        self.codec = Codec(resolve_model(tokenizer or served["root"]))
        self.max_context = int(served.get("max_context") or 1 << 20)
        self.text_only = self.kind == "text"

    def _probe(self, model_name: str | None) -> dict[str, Any]:
        """Ask every server what it serves. EngineError says which one does not answer, and why."""
        found: dict[str, Any] = {}
        with self._httpx.Client(timeout=10.0, headers=self._headers) as client:
            for url in self.urls:
                try:
                    answer = client.get(f"{url}/v1/models")
                    answer.raise_for_status()
                    models = {model["id"]: model for model in answer.json()["data"]}
                except (self._httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                    raise EngineError(
                        f"no model server answers at {url}/v1/models ({type(error).__name__}: {error}); is it up?"
                    ) from None
                name = model_name or next(iter(models), None)
                if name is None or name not in models:
                    raise EngineError(
                        f"{url} serves {', '.join(models) or 'nothing'}; expected {model_name!r} (--model-name)."
                    )
                model = models[name]
                owner = str(model.get("owned_by"))
                kind = "sglang" if owner == "sglang" else "text" if self._allow_text and owner != "vllm" else "vllm"
                served = {
                    "kind": kind,
                    "name": name,
                    "root": model.get("root") or name,
                    "max_context": model.get("max_model_len"),
                }
                if kind == "sglang":
                    served |= self._ask_sglang(client, url, served["max_context"])
                if found and found["name"] != served["name"]:
                    raise EngineError(
                        f"{url} serves {served['name']}, {self.urls[0]} serves {found['name']}; expected one model."
                    )
                found = found or served
        if not found:
            raise EngineError("the list of base URLs is empty.")
        return found

    def _ask_sglang(self, client: Any, url: str, context: int | None) -> dict[str, Any]:
        """What SGLang's model list does not say: the folder under a served name, and how long a prompt may be."""
        info: dict[str, Any] = {}
        for path in ("/server_info", "/get_server_info"):  # newer and older versions
            try:
                answer = client.get(f"{url}{path}")
                if answer.status_code == 200:
                    info = dict(answer.json())
                    break
            except (self._httpx.HTTPError, ValueError, TypeError):
                continue
        limit = info.get("max_req_input_len") or (context - _SGLANG_RESERVE if context else None)
        found = {"root": info.get("tokenizer_path") or info.get("model_path"), "max_context": limit}
        return {key: value for key, value in found.items() if value}

    def open(self, key: SequenceKey, params: SamplingParams) -> HttpSequence:
        """A new empty sequence."""
        return HttpSequence(self, key, params)

    def stream(self, row: HttpSequence, num_moves: int) -> _Stream:
        """Continue ``row`` on its server (the ``num_moves``-th next one if its own stays down)."""
        url = self.urls[(row.key.digest("replica") + num_moves) % len(self.urls)]
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

    async def aclose(self) -> None:
        """Close all connections."""
        await asyncio.gather(*self._closing, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    # ------------------------------------------------------------------------------------------------------- the wire

    def _request(self, row: HttpSequence) -> tuple[str, dict[str, Any]]:
        params, sent = row.params, list(row.ids)  # the row grows while the answer to this request comes
        most = _SGLANG_STREAM_TOKENS if self.kind == "sglang" else _STREAM_TOKENS
        room = min(most, self.max_context - len(sent))
        # After an end token nothing is sampled, at the others something is put in: what came after would be thrown away.
        ends = sorted(self.codec.end_ids.union(row._halts.ids if row._halts is not None else ()))
        seed = (row.key.digest() + row.num_streams) % (1 << 31)
        bias = self._bias(row._banned)
        if self.kind == "sglang":
            sampling: dict[str, Any] = {
                "temperature": params.temperature,
                "top_p": params.top_p,
                "max_new_tokens": room,
                "stop_token_ids": ends,  # not ignore_eos: SGLang would not stop at these either, and admit fewer rows
                "skip_special_tokens": False,
                "sampling_seed": seed,
                "stream_interval": self._interval,
            }
            if bias:
                sampling["logit_bias"] = bias
            return "/generate", {"input_ids": sent, "sampling_params": sampling, "stream": True}
        if self.kind == "text":  # only what every completions API takes
            return "/v1/completions", {
                "model": self.name,
                "prompt": self.codec.decode(sent),
                "max_tokens": room,
                "temperature": params.temperature,
                "top_p": params.top_p,
                "seed": seed,
                "stream": True,
            }
        body: dict[str, Any] = {
            "model": self.name,
            "prompt": sent,
            "max_tokens": room,
            "temperature": params.temperature,
            "top_p": params.top_p,
            # A server takes what is not named from the model's generation_config, such as QwQ's top_k.
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "seed": seed,
            "stream": True,
            "return_token_ids": True,
            "ignore_eos": True,
            "skip_special_tokens": False,
            "stop_token_ids": ends,
            "stream_interval": self._interval,
        }
        if bias:
            body["logit_bias"] = bias
        return "/v1/completions", body

    def _bias(self, banned: TokenSet | None) -> dict[str, int]:
        if banned is None:
            return {}
        if banned not in self._idle_banned:
            self._idle_banned[banned] = {str(token_id): -100 for token_id in sorted(banned.ids)}
        return self._idle_banned[banned]

    async def _generate(self, url: str, row: HttpSequence) -> _Stream:
        async with self._free, contextlib.aclosing(self._read(url, row)) as pieces:
            async for piece in pieces:
                yield piece

    async def _read(self, url: str, row: HttpSequence) -> _Stream:
        """One request: the new ids of each chunk, and whether the server says that it was the last."""
        if self._client is None:
            limits = self._httpx.Limits(max_connections=None, max_keepalive_connections=self.max_rows)
            self._client = self._httpx.AsyncClient(timeout=self._timeout, headers=self._headers, limits=limits)
        path, body = self._request(row)
        received, reader = 0, _TextReader(self.codec)
        try:
            async with self._client.stream("POST", f"{url}{path}", json=body) as response:
                if response.status_code != 200:
                    text = (await response.aread()).decode("utf-8", "replace")[:300]
                    message = f"{url} answered {response.status_code}: {text}".replace("\n", " ")
                    if response.status_code in _TEMPORARY:
                        raise _Broken(message)
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
                        raise _failure(f"{url}: {error}", status)
                    ids = self._ids(chunk, body, received, reader)
                    received += len(ids)
                    yield ids, _is_last(chunk) and not self.text_only  # held text may follow
                yield reader.end(stopped=False), True
        except self._httpx.TransportError as error:
            raise _Broken(f"{url}: {type(error).__name__} {error}") from None
        except ValueError as error:
            raise _Broken(f"{url} sent no JSON ({error})") from None

    def _ids(
        self, chunk: dict[str, Any], body: dict[str, Any], received: int, reader: _TextReader | None = None
    ) -> list[int]:
        """The new ids of one streamed chunk, ``received`` ids having come before it."""
        if self.kind == "sglang":
            about = chunk.get("meta_info", {})
            reason = about.get("finish_reason") or {}
            if isinstance(reason, dict) and reason.get("type") == "abort":
                message = f"the server gave a request up: {reason.get('message', 'no reason')}"
                raise _failure(message, reason.get("status_code"))
            num_read = about.get("prompt_tokens", len(body["input_ids"]))
            if num_read != len(body["input_ids"]):  # --allow-auto-truncate, say
                raise EngineError(f"the server read {num_read} prompt ids; it was sent {len(body['input_ids'])}.")
            ids: list[int] = chunk.get("output_ids") or []
            # The list so far has at least as many ids as the count says; the list of new ones has fewer.
            return ids[received:] if received and len(ids) >= about.get("completion_tokens", 0) else ids
        choices = chunk.get("choices") or [{}]
        echoed = choices[0].get("prompt_token_ids") or chunk.get("prompt_token_ids")
        if echoed is not None and list(echoed) != list(body["prompt"]):
            raise EngineError(
                "the server echoes other prompt ids than it was sent; its tokenizer or template interferes."
            )
        ids = choices[0].get("token_ids") or []
        if not ids and choices[0].get("text") and not self._allow_text:
            raise EngineError(
                "the server sends text without token ids; vLLM 0.10.2 or later gives them (return_token_ids). "
                "--allow-text takes the text; such trajectories are marked, and trained on only after curate --allow-text-only."
            )
        if ids or not self._allow_text:
            return list(ids)
        reader = reader or _TextReader(self.codec)
        text, stopped = choices[0].get("text") or "", choices[0].get("finish_reason") == "stop"
        if text:
            self.text_only = True
        return [*reader.feed(text), *(reader.end(stopped=True) if stopped and self.text_only else [])]
