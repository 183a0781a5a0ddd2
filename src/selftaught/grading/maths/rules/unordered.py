"""Sets and lists."""

from __future__ import annotations

from selftaught.grading.maths.compare import MAX_PARTS, Comparison, Outcome, Pair
from selftaught.grading.maths.structure import Shape, shape_of


def unordered(pair: Pair, comparison: Comparison) -> Outcome:
    """``\\{1,2\\}`` is ``2,1``; a set counts its members once, a list does not."""
    if not pair.kinds <= {"set", "list"}:
        return None
    a, b = shape_of(pair.gold), shape_of(pair.given)
    first, second = [*a.parts], [*b.parts]
    if "set" in pair.kinds and len(first) != len(second) and max(len(first), len(second)) <= MAX_PARTS:
        first, second = _distinct(a, comparison), _distinct(b, comparison)
    return comparison.match_unordered(first, second, comparison.same)


def _distinct(shape: Shape, comparison: Comparison) -> list[str]:
    """The members of a set, each once; a list keeps its repetitions."""
    members: list[str] = []
    for part in shape.parts:
        if shape.kind != "set" or not any(comparison.same(part, member) for member in members):
            members.append(part)
    return members
