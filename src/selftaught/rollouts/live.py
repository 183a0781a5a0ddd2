"""Shows one rollout to a watcher while it is made, token by token, without slowing it.

The engine names each token as it is drawn. What has come together is decoded and cut into pieces at a beat, so that a fast
model costs one piece for many tokens and a slow one shows each at once. The beat is that of the clock, so that streams of
one pace show together what a step of the engine gave them. Held back are bytes of an unfinished character, and what may still be taken back: the token that ends the thinking, and the
line that is being written while a hint may take its place (the seam rule).
"""

from __future__ import annotations

import asyncio
import codecs
import time
from collections.abc import Callable

from selftaught.records import SpanSource
from selftaught.rollouts.pieces import Cutter, Piece, Running, Watcher, Where
from selftaught.rollouts.state import RolloutState
from selftaught.rollouts.watch import is_in


class Live:
    """What the driver tells a watcher of one trajectory. Used in the event loop that the rollout runs in."""

    def __init__(self, state: RolloutState, watcher: Watcher, pace: Callable[[], float]) -> None:
        """``pace`` says how many seconds to wait until the next piece."""
        self._state, self._codec, self._watcher, self._pace = state, state.codec, watcher, pace
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cutter = Cutter(watcher)
        self._pending: list[int] = []
        """Ids that were drawn and not shown."""
        self._num_told = 0
        """Ids that the engine named since `sampling`."""
        self._mark: int | None = None
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._in_answer = state.in_answer
        self._holds_lines = False
        self._num_calls = 0
        self._num_spans = len(state.ledger.spans)

    def sampling(self) -> None:
        """The engine is about to be asked for more."""
        state = self._state
        self._num_told = 0
        if state.in_answer and not self._in_answer:
            self._end_thinking()
        self._holds_lines = state.policy is not None and state.policy.may_take_line()

    def token(self, token_id: int) -> None:
        """The engine has drawn an id."""
        self._num_told += 1
        self._pending.append(token_id)
        now = time.monotonic()
        if now >= self._due:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._due - now, self._on_timer)

    def sampled(self, token_ids: list[int]) -> None:
        """All ids of one call; an engine need not name them one by one."""
        for token_id in token_ids[self._num_told :]:
            self.token(token_id)

    def take_back(self, num_tokens: int) -> None:
        """The last ids are taken back. They were not shown, but for a stretch that the model repeated: it stays on the screen."""
        taken = self._pending[max(0, len(self._pending) - num_tokens) :]
        del self._pending[len(self._pending) - len(taken) :]
        if any(is_in(self._state.watch.control, token_id) for token_id in taken):
            self._flush(final=True)
            self._cutter.end_line()

    def running(self, code: str) -> None:
        """Code is about to be run."""
        self._flush(final=True)
        self._cutter.finish()
        self._num_calls += 1
        self._watcher(Running(code, self._num_calls))

    def applied(self) -> None:
        """The state has taken a result: show what it has put in, if anything."""
        spans = self._state.ledger.spans
        for span in spans[self._num_spans :]:
            if span.source is SpanSource.MODEL:
                continue
            self._flush(final=True)
            text = span.text or ""
            if span.source is SpanSource.HINT:
                self._cutter.feed(text, span.source, span.hint)
            else:
                where: Where = "output" if span.source is SpanSource.TOOL else "notice"
                self._cutter.insert(Piece(text, where, tool=span.tool))
        self._num_spans = len(spans)

    def end(self) -> None:
        """The trajectory has ended, or is given up."""
        self._flush(final=True)
        if not self._in_answer:
            self._cutter.finish()
        self._say_mark()
        self.close()

    def close(self) -> None:
        """Show nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # ------------------------------------------------------------------------------------------------------ internals

    def _on_timer(self) -> None:
        self._timer = None
        self._flush()

    def _end_thinking(self) -> None:
        self._flush(final=True)
        self._cutter.finish()
        self._say_mark()
        self._in_answer = True

    def _say_mark(self) -> None:
        """The control token that ended the thinking or the turn, and stayed."""
        if self._mark is not None:
            where: Where = "answer" if self._in_answer else "thinking"
            self._watcher(Piece(self._codec.decode([self._mark]), where, is_control=True))
            self._mark = None

    def _flush(self, final: bool = False) -> None:
        """Show what is certain; with ``final`` nothing of it can be taken back any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now, pace = time.monotonic(), self._pace()
        self._due = (now // pace + 1) * pace if pace > 0 else now
        ids = self._pending
        keep = 0 if final else self._num_uncertain(ids)
        self._pending = ids[len(ids) - keep :]
        silent = self._state.watch.ends if self._in_answer else self._state.watch.control
        shown = ids[: len(ids) - keep]
        if shown and is_in(silent, shown[-1]):  # nothing is sampled after one before it is decided what it ends
            self._mark = shown.pop()
        text = self._decoder.decode(self._codec.to_bytes(shown), final)
        if not text:
            return
        if self._in_answer:
            self._watcher(Piece(text, "answer"))
        else:
            self._cutter.feed(text)

    def _num_uncertain(self, ids: list[int]) -> int:
        """Ids at the end that may be taken back."""
        if self._in_answer:
            return 0
        if self._holds_lines:
            table = self._codec.token_bytes
            return next((at for at in range(len(ids)) if b"\n" in table[ids[-1 - at]]), len(ids))
        return 1 if ids and is_in(self._state.watch.control, ids[-1]) else 0
