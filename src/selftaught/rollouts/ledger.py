"""The token ledger of one trajectory: its spans while they grow, what they cost, and what the engine has yet to get.

`RolloutState` writes every token here exactly once, with its source. `selftaught.rollouts.verify` proves afterwards, from
the recorded spans alone, that nothing was lost or invented.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from selftaught.engines.base import Score
from selftaught.hints.features import MEAN_OVER, Scored
from selftaught.records import HintInfo, Span, SpanSource, TokenScores, ToolInfo
from selftaught.tokens.codec import Codec, TokenSet
from selftaught.tokens.fences import FenceScanner


@dataclass(slots=True)
class SpanBuilder:
    """A span that may still grow: ids from one source."""

    source: SpanSource
    ids: list[int] = field(default_factory=list)
    text: str | None = None
    """The text of an inserted span, kept because the ids must decode to exactly this: `verify` compares them.

    None for sampled ids, whose text is their decoding.
    """
    hint: HintInfo | None = None
    tool: ToolInfo | None = None
    scores: list[Score] = field(default_factory=list)
    """Of the ids, where each of them was scored."""

    @property
    def is_scored(self) -> bool:
        """Whether all ids have a score."""
        return bool(self.ids) and len(self.scores) == len(self.ids)

    def build(self, codec: Codec) -> Span:
        """The span as a record."""
        text = codec.decode(self.ids) if self.text is None else self.text
        scores = None
        if self.is_scored:
            columns = [[round(value, 4) + 0.0 for value in column] for column in zip(*self.scores, strict=True)]
            scores = TokenScores(logprobs=columns[0], entropies=columns[1], margins=columns[2])
        return Span(source=self.source, token_ids=self.ids, text=text, hint=self.hint, tool=self.tool, scores=scores)

    def copy(self) -> SpanBuilder:
        """An independent copy."""
        return SpanBuilder(self.source, list(self.ids), self.text, self.hint, self.tool, list(self.scores))


class TokenLedger:
    """The spans of a trajectory in order. Only the last one can grow, and only while the model samples."""

    def __init__(self, prompt_ids: list[int], codec: Codec) -> None:
        self.codec = codec
        self.spans = [SpanBuilder(SpanSource.PROMPT, list(prompt_ids))]
        self.num_tokens = 0
        """Tokens after the prompt. Those that were sampled and taken back count: the budget bounds what is sampled."""
        self.pending: list[int] = list(prompt_ids)
        """Ids that stand in a span but not in the engine's sequence yet. They go there before the next sampling."""

    @property
    def last(self) -> SpanBuilder:
        """The span that was written last."""
        return self.spans[-1]

    def add_sampled(self, ids: list[int], scores: list[Score] | None = None) -> None:
        """Record ids that the engine has drawn, with a score each or none. Everything pending is in its sequence now."""
        self.pending = []
        if self.last.source is not SpanSource.MODEL:
            self.spans.append(SpanBuilder(SpanSource.MODEL))
        if scores is not None and len(scores) == len(ids) and len(self.last.scores) == len(self.last.ids):
            self.last.scores.extend(scores)
        self.last.ids.extend(ids)
        self.num_tokens += len(ids)

    def insert(
        self, source: SpanSource, ids: list[int], text: str, hint: HintInfo | None = None, tool: ToolInfo | None = None
    ) -> None:
        """Record text that the model did not write, as a span of its own."""
        self.spans.append(SpanBuilder(source, list(ids), text, hint, tool))
        self.num_tokens += len(ids)
        self.pending = [*self.pending, *ids]

    def take_back(self, num_tokens: int) -> None:
        """Remove the last sampled ids. They stay counted."""
        if num_tokens:
            del self.last.ids[-num_tokens:]
            del self.last.scores[len(self.last.ids) :]

    def unfinished_line(self) -> list[int]:
        """Sampled ids of the line that the model is writing; the token that ends the line before stays."""
        last = self.last
        if last.source is not SpanSource.MODEL:
            return []
        start = len(last.ids)
        while start and b"\n" not in self.codec.token_bytes[last.ids[start - 1]]:
            start -= 1
        return last.ids[start:]

    def scored(self, score: Score | None) -> Scored | None:
        """``score`` of the token that was sampled last, with the mean entropy before it; None after an insertion."""
        if score is None or self.last.source is not SpanSource.MODEL:
            return None
        recent = [one.entropy for one in self.last.scores[-MEAN_OVER:]] if self.last.is_scored else []
        return Scored(*score, mean_entropy=sum(recent) / len(recent) if recent else None)

    def text_after_prompt(self, without: TokenSet) -> str:
        """The text so far, whoever wrote it; a last sampled id that is one of ``without`` is left out."""
        last = self.last
        ends = last.source is SpanSource.MODEL and last.ids and last.ids[-1] in without
        texts = [one.text if one.text is not None else self.codec.decode(one.ids) for one in self.spans[1:]]
        if ends:
            texts[-1] = self.codec.decode(last.ids[:-1])
        return "".join(texts)

    def reread(self, num_less: int) -> tuple[str, FenceScanner]:
        """The text after the prompt without the last sampled ids, and what a scanner of fences knows at its end."""
        scanner, texts = FenceScanner(), []
        for one in self.spans[1:]:
            ids = one.ids[: len(one.ids) - num_less] if one is self.last else one.ids
            texts.append(one.text if one.text is not None else self.codec.decode(ids))
            if one.source in (SpanSource.MODEL, SpanSource.HINT):
                scanner.feed(texts[-1], one.source)
            else:
                scanner.reset()
        return "".join(texts), scanner

    def build(self) -> list[Span]:
        """The trajectory so far. A span of which everything was taken back is left out."""
        return [one.build(self.codec) for one in self.spans if one.ids or one.tool is not None]

    def copy(self) -> TokenLedger:
        """An independent copy."""
        twin = object.__new__(TokenLedger)
        twin.codec, twin.num_tokens = self.codec, self.num_tokens
        twin.spans, twin.pending = [one.copy() for one in self.spans], list(self.pending)
        return twin
