"""What is known at a place where a hint could go in: numbers and words that a learned policy decides by.

`trigger_features` is the only function that computes them. A rollout calls it when the place is reached, and anybody can
call it again with what a recorded trajectory says of that place; so the same trajectory gives the same decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.records import Problem

Features = dict[str, float | str | bool]

MEAN_OVER = 32
"""Sampled tokens before a place over which the mean entropy is taken."""
_NEAR_CHARS = 200
"""Characters before the place that digits and operators are counted in."""
_WORDS = re.compile(r"(?<![A-Za-z])(?:Wait|Alternatively|Hmm|But)\b|等等|或者|不过")
"""Words with which a model turns back on its own text."""
_CANDIDATE = re.compile(
    r"\\boxed\{([^{}]*)\}|(?:answer|result) (?:is|=)[: $]*(-?[\d][\d.,/]*)|答案是[：: $]*(-?[\d][\d.,/]*)"
)
"""What is stated as an answer."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPERATORS = re.compile(r"[-+*/^=<>×÷±√∑∫]|\\(?:times|cdot|frac|sqrt|sum|int|div|pm)\b")


@dataclass(frozen=True, slots=True)
class Scored:
    """What the engine said of the token at the place: all of the distribution at temperature 1 with every token in it."""

    logprob: float
    entropy: float
    """In nats."""
    margin: float
    """Probability of the likeliest token less that of the second."""
    mean_entropy: float | None = None
    """Over the last `MEAN_OVER` sampled tokens of the span, where each of them was scored."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a rollout knows at a place."""

    place: str
    text: str
    """Everything after the prompt, up to the place."""
    num_tokens: int
    """Tokens after the prompt."""
    max_tokens: int
    """The token budget."""
    num_calls: int = 0
    calls_left: int = 1
    last_call_ok: bool | None = None
    """None before the first call."""
    scored: Scored | None = None


def trigger_features(problem: Problem, at: Situation) -> Features:
    """Name → value of every feature of a place; those that need scores are absent without them.

    ==================== ============================================================================
    ``kind`` ``place``   kind of the problem, name of the place
    ``budget_used``      share of the token budget
    ``turns``            words such as Wait so far; the one that the place itself stands after is left out
    ``since_turn``       characters since the last of them, or of the whole text
    ``paragraphs``       empty lines so far
    ``digits``           share of digits in the last 200 characters
    ``longest_number``   digits of the longest number there
    ``operators``        signs of operations there
    ``answer_seen``      whether an answer was stated
    ``answer_repeated``  whether the same answer was stated twice
    ``calls``            calls of Python so far
    ``calls_left``       calls that are left
    ``last_call``        none, ok or error
    ``question_chars``   length of the question
    ``logprob`` …        of the token at the place: log-probability, entropy, margin, mean entropy
    ==================== ============================================================================
    """
    text, near = at.text, at.text[-_NEAR_CHARS:]
    turns = [match.end() for match in _WORDS.finditer(text)]
    if turns and len(text) - turns[-1] <= 2:
        turns.pop()
    candidates = [next(group for group in match.groups() if group is not None) for match in _CANDIDATE.finditer(text)]
    stated = [candidate.strip(" .,$") for candidate in candidates]
    numbers = [sum(char.isdigit() for char in number) for number in _NUMBER.findall(near)]
    features: Features = {
        "kind": problem.kind.value,
        "place": at.place,
        "budget_used": round(at.num_tokens / max(1, at.max_tokens), 4),
        "turns": float(len(turns)),
        "since_turn": float(len(text) - (turns[-1] if turns else 0)),
        "paragraphs": float(text.count("\n\n")),
        "digits": round(sum(char.isdigit() for char in near) / max(1, len(near)), 4),
        "longest_number": float(max(numbers, default=0)),
        "operators": float(len(_OPERATORS.findall(near))),
        "answer_seen": bool(stated),
        "answer_repeated": len(set(stated)) < len(stated),
        "calls": float(at.num_calls),
        "calls_left": float(at.calls_left),
        "last_call": "none" if at.last_call_ok is None else "ok" if at.last_call_ok else "error",
        "question_chars": float(len(problem.problem)),
    }
    if at.scored is not None:
        features |= {
            "logprob": round(at.scored.logprob, 4),
            "entropy": round(at.scored.entropy, 4),
            "margin": round(at.scored.margin, 4),
        }
        if at.scored.mean_entropy is not None:
            features["mean_entropy"] = round(at.scored.mean_entropy, 4)
    return features
