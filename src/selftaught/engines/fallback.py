"""Any causal model that transformers can run, behind the same protocol: slower, for architectures without a slot engine.

One sequence at a time is decoded, each with its own cache, taking turns token by token through the event loop. Use it
to try a model; use a server for speed.
"""

from __future__ import annotations

import asyncio
import time
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
from selftaught.engines.dtype import resolve_dtype
from selftaught.engines.sampler import UniformStream, draw, scores_of
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec

_TURN_TOKENS = 8
"""Tokens decoded before another sequence has its turn."""


class TransformersSequence:
    """One sequence with its own key/value cache."""

    def __init__(self, engine: TransformersEngine, params: SamplingParams, uniforms: UniformStream) -> None:
        self.engine, self.params, self.uniforms = engine, params, uniforms
        self.ids: list[int] = []
        self.num_cached = 0
        self.num_drawn = 0
        self.cache: Any = None

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids."""
        self.ids.extend(token_ids)

    async def sample(self, request: SampleRequest) -> Sampled:
        """Decode until the request is done."""
        sampled: list[int] = []
        scores: list[Score] = []
        while len(sampled) < request.max_new_tokens:
            if len(self.ids) >= self.engine.max_context:
                return Sampled(sampled, SampleEnd.CONTEXT, asked_for(scores, request))
            if len(sampled) % _TURN_TOKENS == 0:
                await asyncio.sleep(0)
            token_id, score = self.engine.next_token(self, request)
            sampled.append(token_id)
            scores += [score] if score is not None else []
            if request.on_token is not None:
                request.on_token(token_id)
            if token_id in request.watch:
                return Sampled(sampled, SampleEnd.WATCH, asked_for(scores, request))
        return Sampled(sampled, SampleEnd.LENGTH, asked_for(scores, request))

    def discard(self, num_tokens: int) -> None:
        """Take back the last ids, and the cache beyond them."""
        if num_tokens:
            del self.ids[-num_tokens:]
            self._crop(max(0, len(self.ids) - 1))

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back to the first ids; the next draw uses the random number ``num_drawn``."""
        self.discard(len(self.ids) - num_tokens)
        self.num_drawn = num_drawn

    def fork(self) -> TransformersSequence:
        """Branch; the cache is copied."""
        import copy

        twin = TransformersSequence(self.engine, self.params, self.uniforms)
        twin.ids, twin.num_drawn = list(self.ids), self.num_drawn
        twin.cache, twin.num_cached = copy.deepcopy(self.cache), self.num_cached
        return twin

    def close(self) -> None:
        """Drop the cache."""
        self.cache, self.num_cached = None, 0

    def _crop(self, length: int) -> None:
        if self.num_cached > length:
            try:
                self.cache.crop(length)
                self.num_cached = length
            except (AttributeError, NotImplementedError, ValueError):  # recurrent state cannot be cut: compute it again
                self.cache, self.num_cached = None, 0


class TransformersEngine:
    """`AutoModelForCausalLM` behind the engine protocol."""

    text_only = False

    def __init__(
        self,
        folder: Path,
        *,
        max_rows: int = 8,
        threads: int = 1,
        dtype: str = "auto",
        device: str | None = None,
        name: str = "",
    ) -> None:
        try:
            import torch
            from transformers import AutoModelForCausalLM
        except ImportError as error:
            raise EngineError(
                f"this architecture needs transformers ({error.name} is missing); pip install 'selftaught[local]'."
            ) from None
        if threads:
            torch.set_num_threads(threads)
        self.name, self.max_rows, self.codec = name or str(folder), max_rows, Codec(folder)
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = resolve_dtype(dtype, folder, self.device)
        try:
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, self.dtype))
        except (OSError, ValueError, KeyError) as error:
            raise EngineError(f"{folder} cannot be loaded by transformers: {error}".replace("\n", " ")) from None
        self._model: Any = model.eval().to(self.device)
        self.max_context = int(getattr(model.config, "max_position_embeddings", 0) or 1 << 20)
        self.stats = EngineStats()

    def open(self, key: SequenceKey, params: SamplingParams) -> TransformersSequence:
        """A new empty sequence."""
        return TransformersSequence(self, params, UniformStream(key))

    def next_token(self, row: TransformersSequence, request: SampleRequest) -> tuple[int, Score | None]:
        """One forward pass over what is not cached, one token, and its score where that is asked for."""
        import torch

        started = time.perf_counter()
        new = row.ids[row.num_cached :]
        with torch.inference_mode():
            result = self._model(
                input_ids=torch.tensor([new], device=self.device), past_key_values=row.cache, use_cache=True
            )
            row.cache, row.num_cached = result.past_key_values, len(row.ids)
            logits = result.logits[:, -1].float()
            plain = logits.clone() if request.scoring is not Scoring.NONE else None
            if request.banned is not None:
                logits[:, [token_id for token_id in request.banned.ids if token_id < logits.shape[1]]] = float("-inf")
            if row.params.temperature > 0:
                one = torch.ones(1, device=logits.device)
                uniform = one * row.uniforms[row.num_drawn]
                token_id = int(draw(logits, one * row.params.temperature, one * row.params.top_p, uniform)[0])
            else:
                token_id = int(logits[0].argmax())
            score = scores_of(plain, torch.tensor([token_id], device=plain.device))[0] if plain is not None else None
        row.num_drawn += 1
        row.ids.append(token_id)
        self.stats.num_steps += 1
        self.stats.decode_tokens += 1
        self.stats.prefill_tokens += len(new) - 1
        self.stats.decode_s += time.perf_counter() - started
        return token_id, score

    def reset_stats(self) -> None:
        """Count from zero."""
        self.stats = EngineStats()

    async def check(self) -> None:
        """The model is in this process."""

    async def aclose(self) -> None:
        """Drop the model."""
        self._model = None
