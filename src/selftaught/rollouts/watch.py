"""The token sets at which sampling pauses, derived from what a model's tokens look like as bytes.

A pattern that spans tokens is found in two steps: sampling pauses at every token that could complete it, and then the
text is searched. So no pattern is missed, wherever the tokenizer cuts, and the token in which it ends stays whole (the
seam rule).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from selftaught.engines.base import Scoring
from selftaught.hints import HintPolicy, On
from selftaught.tokens.codec import Codec, TokenSet
from selftaught.tokens.fences import FenceScanner

_CLOSING_FENCE = "```\n"
_CLOSING = re.compile(rb"\s*```[ \t\r]*\n\s*")


class WatchSets:
    """The sets for one model and one list of trigger words; kept by the codec, so built once a process."""

    def __init__(self, codec: Codec, words: Sequence[str] = (), *, think_tags: bool = True) -> None:
        thinks = [codec.think_close_id] if think_tags and codec.think_close_id is not None else []
        self.ends = codec.token_set("ends", lambda: codec.end_ids)
        """End tokens: what stops the answer."""
        self.control = codec.token_set(f"control:{len(thinks)}", lambda: [*codec.end_ids, *thinks])
        """End tokens and the end of thinking."""
        self.words = codec.token_set("words:" + "\x1f".join(words), lambda: _completing(codec, words))
        newline = codec.where("newline", lambda text: b"\n" in text)
        backtick = codec.where("backtick", lambda text: b"`" in text)
        every = codec.where("every", lambda text: True)
        self.text = codec.union(self.control, backtick, self.words)
        """Where sampling pauses in running text."""
        self.lines = codec.union(self.text, newline)
        """``text`` and every line end, for paragraph and budget triggers."""
        self.every = codec.union(self.control, every)
        """Every token (regex triggers)."""
        self.code = codec.union(self.control, backtick)
        """Where it pauses inside a block."""
        self.fence = codec.union(self.control, newline)
        """Where it pauses on a line that may become a fence."""
        self.closing = codec.where("closing", lambda text: _CLOSING.fullmatch(text) is not None)
        """A whole closing fence: a block that the model wrote is run."""
        self.last = codec.union(self.closing, codec.token_set(f"thinks:{len(thinks)}", lambda: thinks))
        """``closing`` and the end of thinking, where a hint may wait."""
        self.banned = codec.where("fences", lambda text: b"``" in text)
        """What is not offered to the sampler when Python is switched off: any two backticks in one token."""


def _completing(codec: Codec, words: Sequence[str]) -> list[int]:
    """Tokens that may be the last one of a trigger word, with or without its comma."""
    found = []
    encoded = [word.encode() for word in words]
    for token_id, text in enumerate(codec.token_bytes):
        core = text.rstrip(b" ").removesuffix(b",").removesuffix("，".encode())
        # The word may lie in this token with more before it, or only its end may: " Wait," and "it," both complete
        # "Wait".
        if (
            core
            and token_id not in codec.control_ids
            and any(core.endswith(word) or word.endswith(core) for word in encoded)
        ):
            found.append(token_id)
    return found


def is_in(token_set: TokenSet, token_id: int) -> bool:
    """Whether a token is in the set, by a table look-up."""
    return token_id < len(token_set.table) and token_set.table[token_id] == 1


def stop_texts(policy: HintPolicy | None, *, tools: bool) -> tuple[str, ...]:
    """Texts of the thinking after which something may be inserted, for servers that cannot stop at token ids."""
    words = policy.words if policy is not None and policy.waits_for(On.WORD) else ()
    return (*([_CLOSING_FENCE] if tools else []), *words)


def watched(watch: WatchSets, scanner: FenceScanner, policy: HintPolicy | None, *, in_answer: bool) -> TokenSet:
    """The tokens after which sampling pauses: the smallest set that misses no event which may follow now.

    Each pause costs a round trip to the engine.
    """
    if in_answer:
        return watch.ends
    if scanner.may_be_fence:
        return watch.fence
    if scanner.block is not None or policy is None:
        return watch.code
    if policy.waits_for(On.REGEX):
        return watch.every
    if policy.waits_for(On.PARAGRAPH) or policy.waits_for(On.BUDGET):
        return watch.lines
    return watch.text


def halts(watch: WatchSets, policy: HintPolicy | None, *, tools: bool) -> TokenSet | None:
    """Tokens in the thinking after which something will most likely be inserted: an engine had better stop there."""
    if policy is not None and (policy.waits_for(On.END_OF_THINKING) or policy.waits_for(On.BEFORE_FINAL)):
        return watch.last
    return watch.closing if tools else None


def scoring_of(logprobs: str, policy: HintPolicy | None) -> Scoring:
    """Which tokens the engine is to score: where hints are considered, it is the one at which sampling pauses."""
    if logprobs == "tokens":
        return Scoring.ALL
    wanted = policy is not None and (logprobs == "triggers" or policy.asks_scores)
    return Scoring.LAST if wanted else Scoring.NONE
