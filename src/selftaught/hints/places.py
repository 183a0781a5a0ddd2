"""The places of a learned policy as rules: what a trajectory must come to for the policy to be asked there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selftaught.hints.learned import LearnedHints
from selftaught.records import Problem, ProblemKind

LEARNED = "learned"
"""Name of the policy that a learned file brings."""
PAPER = "auto"
"""The paper's policy, for kinds of problems of which nothing was learned."""
_LEAD = {"en": "Wait, ", "zh": "等等，"}
_WORDS = ["Wait", "Alternatively", "等等", "或者"]
_MANY = 1_000_000
"""More occasions than a trajectory has: a place is asked about each time, until a hint was inserted."""


def level_of(problem: Problem) -> str:
    """The problem's own level, as its data set states it (MATH's ``Level 5``, the embedded problems' ``hard``); or empty."""
    found = next((problem.metadata[key] for key in ("difficulty", "level", "group") if problem.metadata.get(key)), "")
    level = str(found)
    return "" if level == problem.kind.value else level


def learned_policies(learned: LearnedHints, policies: Mapping[str, Any]) -> dict[str, Any]:
    """The policy `LEARNED`, and one for each kind of problem of which something was learned.

    ``policies`` are the built-in ones: the patterns of a conclusion come from there, and other kinds get the paper's.
    """
    paper: dict[str, str] = policies[PAPER]["by_kind"]
    by_kind: dict[str, str] = {}
    made: dict[str, Any] = {}
    for kind in ProblemKind:
        places = learned.places(kind) if learned.design != "paper" else []
        rules = [rule for place in places for rule in _rules(learned, kind, place, policies)]
        if not rules:
            by_kind[kind.value] = paper[kind.value]
            continue
        name = f"{LEARNED}_{kind.value}"
        by_kind[kind.value] = name
        made[name] = {"purpose": f"learned for {kind.value} problems", "since": 3, "rules": rules}
    purpose = "learned from forks" if made else f"the paper's: {learned.why}"
    return {LEARNED: {"purpose": purpose, "since": 3, "by_kind": by_kind}, **made}


def _rules(learned: LearnedHints, kind: ProblemKind, place: str, policies: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules that wait for one place; none for a place that this version does not know."""
    hints = sorted({name for cell in learned.cells if (cell.kind, cell.place) == (kind, place) for name in cell.arms})
    asks = {"choose": LEARNED, "place": place, "cap": 1, "unless": ["hinted"]}
    return [{**rule, **asks} for rule in place_rules(kind, place, hints, policies)]


def places_of(kind: ProblemKind) -> tuple[str, ...]:
    """Places that a trajectory of such a problem can come to. A program's conclusion is its end."""
    return (
        "start",
        "paragraph",
        "word",
        *(("conclusion",) if kind is not ProblemKind.CODE else ()),
        "end",
        "repetition",
    )


def place_rules(kind: ProblemKind, place: str, hints: list[str], policies: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rules that fire at one place, each with any of ``hints``; none for a place that this version does not know.

    ``policies`` are the built-in ones: the patterns of a conclusion come from there.
    """
    common: dict[str, Any] = {"hints": hints}
    if place == "word":
        return [{"name": place, "when": "word", "words": _WORDS, **common}]
    if place in ("start", "paragraph", "repetition"):
        return [{"name": place, "when": place, "lead": _LEAD, **common}]
    if place == "end":
        when = "before_final" if kind is ProblemKind.CODE else "end_of_thinking"
        return [{"name": place, "when": when, "lead": _LEAD, **common}]
    if place == "conclusion":
        patterns = [rule for rule in policies["turn_math"]["rules"] if rule.get("before_line")]
        return [{**rule, **common} for rule in patterns]
    return []
