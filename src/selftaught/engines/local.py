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
from collections.abc import Callable
from collections.abc import Sequence as SequenceABC
from operator import attrgetter
from pathlib import Path

import torch

from selftaught.engines.base import EngineStats, Sampled, SampleEnd, SampleRequest, SamplingParams, SequenceKey
from selftaught.engines.model import Band, SlotModel, Stretch
from selftaught.engines.sampler import UniformStream, draw
from selftaught.errors import EngineError
from selftaught.tokens.codec import Codec, TokenSet

_PREFILL_TOKENS = 2048
"""Most tokens prefilled in one step, so that decoding rows do not wait long."""

_BAND_ROWS = 16
"""Slots whose attention is one product on a CPU. A GPU takes all at once: there each product costs a launch."""

_LOOK_EVERY = 4
"""Steps from one look at where the rows lie to the next."""

_MOVE_COLUMNS, _MOVE_SHARE = 300, 2
"""What exchanging two slots costs, in columns of attention: fixed, and for each of its own columns."""


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
        self.future: asyncio.Future[Sampled] | None = None
        self.closed = False

    @property
    def num_new(self) -> int:
        """Ids that are not in the cache."""
        return len(self.ids) - self.num_cached

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
        self.request, self.sampled = request, []
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
        dtype: str = "float32",
        device: str | None = None,
        name: str = "",
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.name = name or str(folder)
        self.codec = Codec(folder)
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = SlotModel(folder, max_rows, getattr(torch, dtype), device)
        self.max_context = self.model.shape.max_context
        self.max_rows = max_rows
        self.stats = EngineStats()
        self._slots: list[LocalSequence | None] = [None] * max_rows
        self._waiting: deque[LocalSequence] = deque()
        self._active: dict[LocalSequence, None] = {}  # a set that keeps its order
        self._pump: asyncio.Task[None] | None = None
        self._idle_since: float | None = None
        self._banned: dict[TokenSet, torch.Tensor] = {}
        self._band_size = _BAND_ROWS if device == "cpu" else max_rows
        self._wasted, self._worth_moving, self._since_look = 0, _MOVE_COLUMNS, 0

    def open(self, key: SequenceKey, params: SamplingParams) -> LocalSequence:
        """A new empty sequence."""
        return LocalSequence(self, params, UniformStream(key))

    def reset_stats(self) -> None:
        """Count from zero."""
        self.stats, self._idle_since = EngineStats(), None

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

    # ------------------------------------------------------------------------------------------ which row lies where

    def _arrange(self) -> list[LocalSequence]:
        """The sampling rows by slot, after moving some where that pays.

        Attention looks, for each band of neighbouring slots, as far as its longest row. So rows of like length should lie
        together, longest first, and idle ones behind. Moving costs time too: it is done when the columns looked at in
        vain since the last move add up to what moving costs.
        """
        rows = sorted(self._active, key=_slot_of)
        self._since_look += 1
        if self._since_look < _LOOK_EVERY:
            return rows
        self._since_look, size = 0, self._band_size
        sizes = sorted((len(row.ids) for row in rows), reverse=True)
        best = sum(sizes[at] * min(size, len(sizes) - at) for at in range(0, len(sizes), size))
        looked_at = sum((high - low) * columns for low, high, columns in self._bands(rows))
        self._wasted += _LOOK_EVERY * max(0, looked_at - best)
        if self._wasted <= self._worth_moving:
            return rows
        moves = self._moves(rows)
        cost = sum(_MOVE_COLUMNS + _MOVE_SHARE * max(row.num_cached, _cached(self._slots[to])) for row, to in moves)
        if self._wasted < cost:
            self._worth_moving = cost
            return rows
        for row, to in moves:
            self._move(row, to)
        self._wasted, self._worth_moving = 0, _MOVE_COLUMNS
        return sorted(rows, key=_slot_of)

    def _bands(self, rows: list[LocalSequence]) -> list[Band]:
        """Bands that hold ``rows`` (by slot), each cut after its last one; bands without rows are left out."""
        bands: list[Band] = []
        size, low, end, last, columns = self._band_size, -1, 0, 0, 0
        for row in rows:
            slot, length = _slot_of(row), len(row.ids)
            if slot < end:
                columns = max(columns, length)
            else:
                if low >= 0:
                    bands.append((low, last + 1, columns))
                low = slot - slot % size
                end, columns = low + size, length
            last = slot
        if low >= 0:
            bands.append((low, last + 1, columns))
        return bands

    def _moves(self, rows: list[LocalSequence]) -> list[tuple[LocalSequence, int]]:
        """Exchanges that bring every row into the band of its rank by length; to be done in this order."""
        size, slots = self._band_size, list(self._slots)
        where = {row: row.slot or 0 for row in rows}
        ranked = sorted(rows, key=lambda row: -len(row.ids))
        band_of = {row: rank // size for rank, row in enumerate(ranked)}

        def is_settled(slot: int) -> bool:
            row = slots[slot]
            return row in band_of and band_of[row] == slot // size

        room = [
            [slot for slot in range(low, min(low + size, len(rows))) if not is_settled(slot)]
            for low in range(0, len(rows), size)
        ]
        moves = []
        for row in ranked:
            if where[row] < len(rows) and is_settled(where[row]):
                continue
            to = room[band_of[row]].pop()
            other, source = slots[to], where[row]
            slots[to], slots[source], where[row] = row, other, to
            if other in where:
                where[other] = source
                if source < len(rows) and is_settled(source) and source in room[source // size]:
                    room[source // size].remove(source)
            moves.append((row, to))
        return moves

    def _move(self, row: LocalSequence, to: int) -> None:
        """Put ``row`` into slot ``to``, whoever is there going into its own."""
        source, other = row.slot or 0, self._slots[to]
        if other is None:
            self.model.copy_slot(source, to, row.num_cached)
        else:
            self.model.swap_slots(source, to, max(row.num_cached, other.num_cached))
            other.slot = source
        row.slot, self._slots[to], self._slots[source] = to, row, other

    # -------------------------------------------------------------------------------------------------------- one step

    @torch.inference_mode()
    def _step(self) -> None:
        """Feed every sampling row what is new in it; a row that is fed wholly gets its next token."""
        started = time.perf_counter()
        self.model.reserve(max(len(row.ids) for row in self._active))
        ready: list[LocalSequence] = []
        done: list[tuple[int, LocalSequence]] = []
        stretches: list[Stretch] = []
        budget = _PREFILL_TOKENS
        for row in self._arrange():
            num_new = len(row.ids) - row.num_cached
            if num_new == 1:
                ready.append(row)
            elif budget > 0:
                num_fed, slot = min(num_new, budget), row.slot or 0
                if num_fed == num_new:
                    done.append((len(stretches), row))
                stretches.append((slot, row.num_cached, row.ids[row.num_cached : row.num_cached + num_fed]))
                row.num_cached += num_fed
                budget -= num_fed
        logits_BV = self.model.step(
            [row.slot or 0 for row in ready],
            [row.ids[-1] for row in ready],
            [row.num_cached for row in ready],
            _joined(self._bands(ready)),
            stretches,
        )
        for row in ready:
            row.num_cached += 1
        num_ready, num_prefilled = len(ready), _PREFILL_TOKENS - budget
        if len(done) < len(stretches):
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
        for row, token_id in zip(ready, self._choose(logits_BV, ready), strict=True):
            row.num_drawn += 1
            row.ids.append(token_id)
            row.sampled.append(token_id)
            request = row.request
            if request is None:
                continue
            if request.watch.table[token_id]:
                self._finish(row, SampleEnd.WATCH)
            elif len(row.sampled) >= request.max_new_tokens:
                self._finish(row, SampleEnd.LENGTH)
            elif len(row.ids) >= self.max_context:
                self._finish(row, SampleEnd.CONTEXT)

    def _choose(self, logits_BV: torch.Tensor, ready: list[LocalSequence]) -> list[int]:
        """One id for each ready row, greedy or drawn."""
        for banned in {
            row.request.banned for row in ready if row.request is not None and row.request.banned is not None
        }:
            rows = [
                index for index, row in enumerate(ready) if row.request is not None and row.request.banned is banned
            ]
            logits_BV[rows] = logits_BV[rows].masked_fill(self._banned_mask(banned), float("-inf"))
        chosen = logits_BV.argmax(-1)
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
        return ids

    def _banned_mask(self, banned: TokenSet) -> torch.Tensor:
        mask = self._banned.get(banned)
        if mask is None:
            mask = torch.zeros(self.model.shape.vocab_size, dtype=torch.bool, device=self.model.device)
            mask[[token_id for token_id in banned.ids if token_id < len(mask)]] = True
            self._banned[banned] = mask
        return mask

    def _finish(self, row: LocalSequence, end: SampleEnd) -> None:
        self._active.pop(row, None)
        row.request = None
        if row.future is not None and not row.future.done():
            row.future.set_result(Sampled(row.sampled, end))


_slot_of: Callable[[LocalSequence], int] = attrgetter("slot")


def _joined(bands: list[Band]) -> list[Band]:
    """Neighbouring bands of nearly the same width as one: a product less is worth a sixteenth more columns."""
    joined: list[Band] = []
    for low, high, columns in bands:
        if joined and joined[-1][1] == low and 16 * abs(joined[-1][2] - columns) <= columns:
            first, _, others = joined.pop()
            low, columns = first, max(columns, others)
        joined.append((low, high, columns))
    return joined


def _cached(row: LocalSequence | None) -> int:
    return row.num_cached if row is not None else 0
