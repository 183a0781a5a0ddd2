"""The local engine: KV slots, one batch, every row on its own clock.

All work happens in one asyncio task, the pump, that steps while anyone waits for tokens. A step gives free slots to
waiting sequences, then in one joined pass feeds every sampling row what is new in it (the last token, or a prompt, or an
insertion) and gives it its next token. A row that stops leaves the batch but keeps its slot and its KV while Python runs; going on is a short
prefill of the inserted ids into the same slot. Between steps the event loop runs, so tools finish while others generate.

The last id of a sequence is never in the cache: it is what the next decode step feeds. So taking back the token that
the seam rule discards costs nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence as SequenceABC
from pathlib import Path

import torch

from selftaught.engines.bands import BAND_ROWS, Packing, bands_of, join_bands
from selftaught.engines.base import (
    EngineStats,
    Sampled,
    SampleEnd,
    SampleRequest,
    SamplingParams,
    Score,
    Scoring,
    SequenceKey,
)
from selftaught.engines.dtype import resolve_dtype
from selftaught.engines.model import Prefill, SlotModel
from selftaught.engines.sampler import UniformStream, draw, greedy, scores_of
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec, TokenSet

_PREFILL_TOKENS = 2048
"""Most tokens prefilled in one step, so that decoding rows do not wait long."""


class LocalSequence:
    """A sequence of the local engine; see `selftaught.engines.base.Sequence`."""

    __slots__ = (
        "closed",
        "engine",
        "future",
        "ids",
        "num_cached",
        "num_drawn",
        "params",
        "request",
        "sampled",
        "scores",
        "slot",
        "uniforms",
    )

    def __init__(self, engine: LocalEngine, params: SamplingParams, uniforms: UniformStream) -> None:
        self.engine, self.params, self.uniforms = engine, params, uniforms
        self.ids: list[int] = []
        self.num_cached = 0
        self.num_drawn = 0
        self.slot: int | None = None
        self.request: SampleRequest | None = None
        self.sampled: list[int] = []
        self.scores: list[Score] = []
        self.future: asyncio.Future[Sampled] | None = None
        self.closed = False

    @property
    def num_new(self) -> int:
        """Ids that are not in the cache."""
        return len(self.ids) - self.num_cached

    def wants_score(self, token_id: int) -> bool:
        """Whether ``token_id``, about to be appended, is to be scored."""
        request = self.request
        if request is None or request.scoring is Scoring.ALL:
            return request is not None
        ends = request.watch.table[token_id] or len(self.sampled) + 1 >= request.max_new_tokens
        return bool(ends) or len(self.ids) + 1 >= self.engine.max_context

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids; they are prefilled at the next ``sample``."""
        self.ids.extend(token_ids)

    async def sample(self, request: SampleRequest) -> Sampled:
        """Join the batch until the request is done."""
        if not self.ids:
            raise EngineError("sample was called on an empty sequence; expected extend first.")
        room = self.engine.max_context - len(self.ids)
        if room <= 0:
            return Sampled([], SampleEnd.CONTEXT)
        self.request, self.sampled, self.scores = request, [], []
        self.future = asyncio.get_running_loop().create_future()
        self.engine.enqueue(self)
        try:
            return await self.future
        except asyncio.CancelledError:
            self.engine.withdraw(self)
            raise

    def discard(self, num_tokens: int) -> None:
        """Take back the last ids."""
        if num_tokens:
            del self.ids[-num_tokens:]
            self.num_cached = min(self.num_cached, max(0, len(self.ids) - 1))

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back to the first ids; the next draw uses the random number ``num_drawn``."""
        self.discard(len(self.ids) - num_tokens)
        self.num_drawn = num_drawn

    def fork(self) -> LocalSequence:
        """Branch; the cached prefix is copied into a free slot, or recomputed later if there is none."""
        child = LocalSequence(self.engine, self.params, self.uniforms)
        child.ids, child.num_drawn = list(self.ids), self.num_drawn
        self.engine.adopt(self, child)
        return child

    def close(self) -> None:
        """Give the slot back."""
        if not self.closed:
            self.closed = True
            self.engine.release(self)


class LocalEngine:
    """Runs one model in this process. Not thread-safe: use it from one event loop."""

    text_only = False

    def __init__(
        self,
        folder: Path,
        *,
        max_rows: int = 64,
        threads: int = 1,
        dtype: str = "auto",
        device: str | None = None,
        name: str = "",
        share: str | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.name = name or str(folder)
        self.codec = Codec(folder)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.dtype = resolve_dtype(dtype, folder, device)
        self.model = SlotModel(folder, max_rows, getattr(torch, self.dtype), device, share)
        self.max_context = self.model.shape.max_context
        self.max_rows = max_rows
        self.stats = EngineStats()
        self._slots: list[LocalSequence | None] = [None] * max_rows
        self._waiting: deque[LocalSequence] = deque()
        self._active: dict[LocalSequence, None] = {}  # a set that keeps its order
        self._pump: asyncio.Task[None] | None = None
        self._idle_since: float | None = None
        self._banned: dict[TokenSet, torch.Tensor] = {}
        self._packing = Packing(BAND_ROWS if device == "cpu" else max_rows)

    def open(self, key: SequenceKey, params: SamplingParams) -> LocalSequence:
        """A new empty sequence."""
        return LocalSequence(self, params, UniformStream(key))

    def reset_stats(self) -> None:
        """Count from zero."""
        self.stats, self._idle_since = EngineStats(), None

    async def check(self) -> None:
        """The model is in this process."""

    async def aclose(self) -> None:
        """Stop the pump and drop the weights."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------ from sequences

    def enqueue(self, row: LocalSequence) -> None:
        """Start sampling for ``row`` as soon as it has a slot."""
        if row.slot is None:
            self._waiting.append(row)
        else:
            self._active[row] = None
        self._wake()

    def withdraw(self, row: LocalSequence) -> None:
        """Take ``row`` out of the batch; it keeps its slot."""
        self._active.pop(row, None)
        if row in self._waiting:
            self._waiting.remove(row)
        row.request = None

    def release(self, row: LocalSequence) -> None:
        """Free ``row``'s slot."""
        self.withdraw(row)
        if row.slot is not None:
            self._slots[row.slot] = None
            row.slot = None
            if self._waiting:
                self._wake()

    @torch.inference_mode()
    def adopt(self, parent: LocalSequence, child: LocalSequence) -> None:
        """Give ``child`` a copy of its parent's cache if a slot is free now."""
        if parent.slot is None or self._waiting:
            self.stats.recomputed_tokens += parent.num_cached
            return
        slot = self._free_slot()
        if slot is None:
            self.stats.recomputed_tokens += parent.num_cached
            return
        self.model.copy_slot(parent.slot, slot, parent.num_cached)
        child.slot, child.num_cached = slot, parent.num_cached
        self._slots[slot] = child

    # -------------------------------------------------------------------------------------------------------- the pump

    def _wake(self) -> None:
        """Start the pump unless it runs."""
        if self._pump is None or self._pump.done():
            if self._idle_since is not None:
                self.stats.idle_s += time.perf_counter() - self._idle_since
            self._pump = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._active or (self._waiting and self._free_slot() is not None):
                self._admit()
                if self._active:
                    self._step()
                await asyncio.sleep(0)
            self._idle_since = time.perf_counter()
        except Exception as error:
            failed = [*self._active, *self._waiting]
            self._active.clear()
            self._waiting.clear()
            for row in failed:
                if row.future is not None and not row.future.done():
                    row.future.set_exception(EngineError(f"the local engine failed: {type(error).__name__}: {error}"))

    def _free_slot(self) -> int | None:
        try:
            return self._slots.index(None)
        except ValueError:
            return None

    def _admit(self) -> None:
        while self._waiting:
            slot = self._free_slot()
            if slot is None:
                return
            row = self._waiting.popleft()
            row.slot, row.num_cached = slot, 0
            self._slots[slot] = row
            self._active[row] = None

    def _arrange(self) -> list[LocalSequence]:
        """The sampling rows in the order of their slots, after moving some where that pays (`selftaught.engines.bands`)."""
        rows = sorted(self._active, key=_slot_of)
        if not self._packing.is_due():
            return rows
        cached_at = [row.num_cached if row is not None else 0 for row in self._slots]
        moves = self._packing.moves({_slot_of(row): len(row.ids) for row in rows}, cached_at)
        if not moves:
            return rows
        row_at = {_slot_of(row): row for row in rows}
        for slot, target in moves:
            self._move(row_at[slot], target)
        return sorted(rows, key=_slot_of)

    def _move(self, row: LocalSequence, target: int) -> None:
        """Put ``row`` into the slot ``target``; who is there gets its slot."""
        source, other = _slot_of(row), self._slots[target]
        if other is None:
            self.model.copy_slot(source, target, row.num_cached)
        else:
            self.model.swap_slots(source, target, max(row.num_cached, other.num_cached))
            other.slot = source
        row.slot, self._slots[target], self._slots[source] = target, row, other

    # -------------------------------------------------------------------------------------------------------- one step

    @torch.inference_mode()
    def _step(self) -> None:
        """Feed every sampling row what is new in it; a row that is fed wholly gets its next token."""
        started = time.perf_counter()
        self.model.reserve(max(len(row.ids) for row in self._active))
        ready: list[LocalSequence] = []
        done: list[tuple[int, LocalSequence]] = []
        prefills: list[Prefill] = []
        budget = _PREFILL_TOKENS
        for row in self._arrange():
            num_new = len(row.ids) - row.num_cached
            if num_new == 1:
                ready.append(row)
            elif budget > 0:
                num_fed = min(num_new, budget)
                if num_fed == num_new:
                    done.append((len(prefills), row))
                prefills.append(
                    Prefill(_slot_of(row), row.num_cached, row.ids[row.num_cached : row.num_cached + num_fed])
                )
                row.num_cached += num_fed
                budget -= num_fed
        slots = [_slot_of(row) for row in ready]
        bands = bands_of({slot: len(row.ids) for slot, row in zip(slots, ready, strict=True)}, self._packing.band_size)
        logits_BV = self.model.step(
            slots, [row.ids[-1] for row in ready], [row.num_cached for row in ready], join_bands(bands), prefills
        )
        for row in ready:
            row.num_cached += 1
        num_ready, num_prefilled = len(ready), _PREFILL_TOKENS - budget
        if len(done) < len(prefills):
            logits_BV = logits_BV[[*range(num_ready), *(num_ready + at for at, _ in done)]]
        ready += [row for _, row in done]
        if ready:
            self._advance(ready, logits_BV)
        seconds = time.perf_counter() - started
        share = num_prefilled / (num_prefilled + num_ready)
        self.stats.prefill_s += share * seconds
        self.stats.decode_s += (1 - share) * seconds
        self.stats.prefill_tokens += num_prefilled
        self.stats.decode_tokens += len(ready)
        self.stats.num_steps += 1

    def _advance(self, ready: list[LocalSequence], logits_BV: torch.Tensor) -> None:
        """Append the chosen tokens and finish the requests that are done. All ids of ``ready`` are cached."""
        chosen = self._choose(logits_BV, ready)
        for row, token_id in zip(ready, chosen, strict=True):
            row.num_drawn += 1
            row.ids.append(token_id)
            row.sampled.append(token_id)
            request = row.request
            if request is None:
                continue
            if request.on_token is not None:
                request.on_token(token_id)
            if request.watch.table[token_id]:
                self._finish(row, SampleEnd.WATCH)
            elif len(row.sampled) >= request.max_new_tokens:
                self._finish(row, SampleEnd.LENGTH)
            elif len(row.ids) >= self.max_context:
                self._finish(row, SampleEnd.CONTEXT)

    def _choose(self, logits_BV: torch.Tensor, ready: list[LocalSequence]) -> list[int]:
        """One id for each ready row, greedy or drawn; its score where it is asked for."""
        is_scored = [row.request is not None and row.request.scoring is not Scoring.NONE for row in ready]
        plain_BV = logits_BV if any(is_scored) else None  # before bans
        if plain_BV is not None and any(row.request is not None and row.request.banned is not None for row in ready):
            plain_BV = logits_BV.clone()
        for banned in {
            row.request.banned for row in ready if row.request is not None and row.request.banned is not None
        }:
            rows = [
                index for index, row in enumerate(ready) if row.request is not None and row.request.banned is banned
            ]
            logits_BV[torch.tensor(rows, device=logits_BV.device)[:, None], self._banned_ids(banned)] = float("-inf")
        chosen = greedy(logits_BV)
        drawn = [index for index, row in enumerate(ready) if row.params.temperature > 0]
        if drawn:
            rows_ = [ready[index] for index in drawn]
            temperature = torch.tensor([row.params.temperature for row in rows_], device=logits_BV.device)
            top_p = torch.tensor([row.params.top_p for row in rows_], device=logits_BV.device)
            uniform = torch.tensor([row.uniforms[row.num_drawn] for row in rows_], device=logits_BV.device)
            chosen[drawn] = draw(
                logits_BV if len(drawn) == len(ready) else logits_BV[drawn], temperature, top_p, uniform
            )
        ids: list[int] = chosen.tolist()
        if plain_BV is not None:
            rows = [at for at, row in enumerate(ready) if is_scored[at] and row.wants_score(ids[at])]
            if rows:
                for at, score in zip(rows, scores_of(plain_BV[rows], chosen[rows]), strict=True):
                    ready[at].scores.append(score)
        return ids

    def _banned_ids(self, banned: TokenSet) -> torch.Tensor:
        ids = self._banned.get(banned)
        if ids is None:
            known = [token_id for token_id in banned.ids if token_id < self.model.shape.vocab_size]
            ids = self._banned[banned] = torch.tensor(known, dtype=torch.long, device=self.model.device)
        return ids

    def _finish(self, row: LocalSequence, end: SampleEnd) -> None:
        self._active.pop(row, None)
        row.request = None
        if row.future is not None and not row.future.done():
            row.future.set_result(Sampled(row.sampled, end, row.scores or None))


def _slot_of(row: LocalSequence) -> int:
    """The slot of a row that has one."""
    assert row.slot is not None
    return row.slot
