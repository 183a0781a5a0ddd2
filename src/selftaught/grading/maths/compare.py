"""Compare two maths answers: an ordered list of rules is applied, the first that knows decides.

The list is ``rules.RULES``; ``docs/grading.md`` tells its order. A rule returns a verdict, or a rewritten pair that the rules
after it see, or None. What no rule decides goes to math-verify in a worker process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from selftaught.grading.maths.structure import shape_of, squeeze
from selftaught.grading.maths.understood import is_understood, say_the_same
from selftaught.grading.workers import MathVerdict

MAX_ASKED_CHARS = 600
"""A longer answer is not given to math-verify."""
MAX_ASKED = 3
"""Calls of math-verify that one comparison may make."""
MAX_DEPTH = 7
"""Answers inside answers; deeper ones are different unless they are spelt the same."""

MAX_PARTS = 64
"""Of a list; longer ones are different unless they are spelt the same."""

AskMathVerify = Callable[[str, str], MathVerdict]
"""math-verify on (gold, prediction)."""
PartT = TypeVar("PartT")


@dataclass(frozen=True)
class Pair:
    """The reference and the answer, both in the one spelling of ``normalize``."""

    gold: str
    given: str

    def rewritten(self, rewrite: Callable[[str], str]) -> Pair | None:
        """Both sides rewritten; None when nothing changes."""
        gold, given = rewrite(self.gold), rewrite(self.given)
        return None if (gold, given) == (self.gold, self.given) else Pair(gold, given)

    @cached_property
    def gold_kind(self) -> str:
        """The shape of the reference: ``scalar``, ``tuple``, …"""
        return shape_of(self.gold).kind

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The shapes of both sides."""
        return frozenset((self.gold_kind, shape_of(self.given).kind))


Outcome = bool | Pair | None
"""A verdict, a rewritten pair, or None: this rule does not apply."""


class Comparison:
    """One comparison of a reference with an answer, and of their parts."""

    def __init__(self, rules: Sequence[Callable[[Pair, Comparison], Outcome]], ask_math_verify: AskMathVerify) -> None:
        self.rules = rules
        self.ask_math_verify = ask_math_verify
        self.asks_left = MAX_ASKED
        self.reason = ""
        """What math-verify said where it could not tell."""
        self.path = ""
        """The kind of rule that decided last."""
        self.depth = 0

    def same(self, gold: str, given: str) -> bool:
        """Whether two answers, or two parts of them, are the same."""
        pair = Pair(gold, given)
        if squeeze(gold) == squeeze(given):
            return self.decide("string", True)
        if self.depth > MAX_DEPTH:
            return False
        self.depth += 1
        try:
            for rule in self.rules:
                outcome = rule(pair, self)
                if isinstance(outcome, Pair):
                    pair = outcome
                    if squeeze(pair.gold) == squeeze(pair.given):
                        return self.decide("string", True)
                elif outcome is not None:
                    return outcome
            return False
        finally:
            self.depth -= 1

    def decide(self, path: str, verdict: bool) -> bool:
        """Note what decides, and return the verdict."""
        self.path = path
        return verdict

    def all_same(self, first: Sequence[str], second: Sequence[str]) -> bool:
        """Equal parts in the same order."""
        if len(first) != len(second) or len(first) > MAX_PARTS:
            return self.decide("structure", False)
        verdict = all(self.same(x, y) for x, y in zip(first, second, strict=True))
        return self.decide("structure" if self.path != "math_verify" else self.path, verdict)

    def match_unordered(
        self, first: Sequence[PartT], second: Sequence[PartT], same: Callable[[PartT, PartT], bool]
    ) -> bool:
        """Every part finds a partner of its own."""
        if len(first) != len(second) or len(first) > MAX_PARTS:
            return self.decide("structure", False)
        left = list(second)
        for item in first:
            partner = next((n for n, other in enumerate(left) if item == other), None)
            if partner is None:
                partner = next((n for n, other in enumerate(left) if same(item, other)), None)
            if partner is None:
                return False
            left.pop(partner)
        return self.decide("structure" if self.path != "math_verify" else self.path, True)

    def ask(self, pair: Pair) -> bool:
        """math-verify's verdict; False where it cannot tell or would not read all signs, with the reason."""
        if not (is_understood(pair.gold) and is_understood(pair.given) and say_the_same(pair.gold, pair.given)):
            return self.decide("not_understood", False)
        self.path = "math_verify"
        if len(pair.gold) > MAX_ASKED_CHARS or len(pair.given) > MAX_ASKED_CHARS:
            self.reason = "too long for math-verify"
            return False
        if self.asks_left <= 0:
            self.reason = "too many parts for math-verify"
            return False
        self.asks_left -= 1
        verdict = self.ask_math_verify(pair.gold, pair.given)
        self.reason = verdict.reason
        if verdict.reason in ("timeout", "killed", "died"):
            self.asks_left = 0
        return verdict.equal
