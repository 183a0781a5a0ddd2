"""A sequence that first gives again what was recorded, then goes on in the engine: how a trajectory is forked.

A branch of a trajectory is driven from its beginning by a state machine of its own. The engine is not asked for what
the trajectory has drawn already: `ReplayedSequence` hands those tokens out again. At the first difference (a token that
this branch may not draw, an inserted text that is another one, the end of the record) it sets the engine's sequence back
to that point and goes on in it. So a branch is what a run of its own would have been, whatever its settings are, and
the shared tokens are sampled once.

At temperature 0 that holds for any difference; above 0 for branches that draw from the same distributions as far as they
share tokens, since the n-th draw of a sequence always uses the n-th random number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as SequenceABC
from dataclasses import replace
from enum import Enum

from selftaught.engines.base import Sampled, SampleEnd, SampleRequest, Score, Scoring, Sequence, asked_for
from selftaught.records import Span, SpanSource


class Did(Enum):
    """What was done to a sequence."""

    DREW = "drew"
    """The model sampled this id."""
    PUT = "put"
    """Somebody else appended this id."""
    TOOK_BACK = "took_back"
    """The last id was taken back."""


Step = tuple[Did, int]
"""What was done, and the id that it was done with; a step is one id."""


def steps_of(spans: Iterable[Span]) -> list[Step]:
    """Everything that was done to a sequence whose trajectory has these spans, id by id, in order."""
    steps: list[Step] = []
    for span in spans:
        taken_back: list[int] = []
        if span.hint is not None:
            taken_back = span.hint.discarded_ids
        elif span.tool is not None:
            taken_back = span.tool.discarded_ids or []
        steps += [(Did.DREW, token_id) for token_id in taken_back]
        steps += [(Did.TOOK_BACK, token_id) for token_id in reversed(taken_back)]
        did = Did.DREW if span.source is SpanSource.MODEL else Did.PUT
        steps += [(did, token_id) for token_id in span.token_ids]
    return steps


def scores_of_steps(spans: Iterable[Span]) -> dict[int, Score]:
    """Number of the step in `steps_of` → score, of the ids whose span has scores."""
    found: dict[int, Score] = {}
    at = 0
    for span in spans:
        num_steps = len(steps_of([span]))
        if span.scores is not None:
            rows = zip(span.scores.logprobs, span.scores.entropies, span.scores.margins, strict=True)
            found |= {at + index: Score(*row) for index, row in enumerate(rows)}
        at += num_steps
    return found


class ReplayedSequence:
    """A branch of ``sequence``, whose ids are those after ``steps``. It owns ``sequence`` and closes it."""

    def __init__(self, sequence: Sequence, steps: SequenceABC[Step], scores: Mapping[int, Score] | None = None) -> None:
        self._sequence, self._steps, self._scores = sequence, steps, scores or {}
        self._next = 0
        self._ids: list[int] = []
        """What this branch holds; kept only until it goes on in the engine."""
        self._live = False
        self.num_shared = 0
        """Tokens that were drawn before and only given again."""

    def extend(self, token_ids: SequenceABC[int]) -> None:
        """Append ids that were not sampled."""
        if self._live:
            self._sequence.extend(token_ids)
            return
        for index, token_id in enumerate(token_ids):
            if self._step() != (Did.PUT, token_id):
                self._go_live()
                self._sequence.extend(token_ids[index:])
                return
            self._ids.append(token_id)
            self._next += 1

    async def sample(self, request: SampleRequest) -> Sampled:
        """Give recorded ids again as far as they go, then sample in the engine."""
        again: list[int] = []
        scores: list[Score] = []

        def sampled(ids: list[int], end: SampleEnd) -> Sampled:
            whole = len(scores) == len(ids) or request.scoring is Scoring.LAST
            return Sampled(ids, end, asked_for(scores, request) if whole else None)

        while not self._live:
            did, token_id = self._step()
            if did is not Did.DREW or (request.banned is not None and token_id in request.banned):
                self._go_live()
                break
            again.append(token_id)
            scores += [self._scores[self._next]] if self._next in self._scores else []
            self._ids.append(token_id)
            self._next += 1
            self.num_shared += 1
            if request.on_token is not None:
                request.on_token(token_id)
            if token_id in request.watch:
                return sampled(again, SampleEnd.WATCH)
            if len(again) >= request.max_new_tokens:
                return sampled(again, SampleEnd.LENGTH)
        rest = replace(request, max_new_tokens=request.max_new_tokens - len(again))
        more = await self._sequence.sample(rest)
        scores += more.scores or []
        return sampled([*again, *more.token_ids], more.end)

    def discard(self, num_tokens: int) -> None:
        """Take back the last ids."""
        for index in range(num_tokens):
            if not self._live and self._step()[0] is not Did.TOOK_BACK:
                self._go_live()
            if self._live:
                self._sequence.discard(num_tokens - index)
                return
            self._ids.pop()
            self._next += 1

    def fork(self) -> Sequence:
        """A second branch with the same ids and the same draws ahead."""
        if self._live:
            return self._sequence.fork()
        twin = ReplayedSequence(self._sequence.fork(), self._steps, self._scores)
        twin._next, twin._ids = self._next, list(self._ids)
        return twin

    def rewind(self, num_tokens: int, num_drawn: int) -> None:
        """Go back in the engine; see `Sequence.rewind`."""
        if not self._live:
            self._go_live()
        self._sequence.rewind(num_tokens, num_drawn)

    def close(self) -> None:
        """Free the engine's sequence."""
        self._sequence.close()

    def _step(self) -> tuple[Did | None, int]:
        """The next recorded step; (None, -1) after the last."""
        return self._steps[self._next] if self._next < len(self._steps) else (None, -1)

    def _go_live(self) -> None:
        """Set the engine's sequence to what this branch holds. Nothing to do where the whole record was given again."""
        self._live = True
        if self._next < len(self._steps):
            there = held_after(self._steps)
            shared = 0
            while shared < min(len(there), len(self._ids)) and there[shared] == self._ids[shared]:
                shared += 1
            num_drawn = sum(did is Did.DREW for did, _ in self._steps[: self._next])
            self._sequence.rewind(shared, num_drawn)
            self._sequence.extend(self._ids[shared:])
        self._ids = []


def held_after(steps: Iterable[Step]) -> list[int]:
    """The ids of a sequence after ``steps``."""
    ids: list[int] = []
    for did, token_id in steps:
        if did is Did.TOOK_BACK:
            ids.pop()
        else:
            ids.append(token_id)
    return ids
