"""Are two maths answers the same?

``grade_maths`` compares whole numbers as digits and equal spellings at once; all else goes through the ordered rules of
``rules.RULES``, and to math-verify in a worker process where none of them knows. ``path`` tells what decided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selftaught.errors import SelftaughtError
from selftaught.grading.maths.compare import MAX_ASKED_CHARS, AskMathVerify, Comparison
from selftaught.grading.maths.normalize import normalize
from selftaught.grading.maths.rules import RULES
from selftaught.grading.maths.structure import squeeze

__all__ = ["MathsResult", "grade_maths"]

MAX_ANSWER_CHARS = 4_000
"""A longer answer is right only when it is spelt like the reference or is an integer."""


@dataclass(frozen=True)
class MathsResult:
    """``path`` names what decided, ``reason`` says more where there is more to say."""

    correct: bool
    path: str
    reason: str = ""


_INTEGER = re.compile(r"([-+]?)0*([0-9]+?)(?:\.0*)?")


def grade_maths(gold: str, prediction: str, ask_math_verify: AskMathVerify) -> MathsResult:
    """Compare an extracted answer with the reference."""
    if gold.strip() == prediction.strip():
        return MathsResult(True, "string")
    integers = _compare_integers(gold.strip(), prediction.strip())
    if integers is not None:
        return MathsResult(integers, "integer")
    wanted, given = normalize(gold), normalize(prediction)
    if squeeze(wanted) == squeeze(given):
        return MathsResult(bool(wanted), "string")
    integers = _compare_integers(wanted, given)
    if integers is not None:
        return MathsResult(integers, "integer")
    if len(given) > MAX_ANSWER_CHARS or not given:
        return MathsResult(False, "too_long" if given else "empty")
    comparison = Comparison(RULES, ask_math_verify)
    try:
        correct = comparison.same(wanted, given)
        return MathsResult(correct, comparison.path or "structure", comparison.reason)
    except SelftaughtError:
        raise
    except (Exception, RecursionError) as error:  # an answer that trips a rule is math-verify's to judge
        if max(len(wanted), len(given)) > MAX_ASKED_CHARS:
            return MathsResult(False, "error", type(error).__name__)
        verdict = ask_math_verify(wanted, given)
        return MathsResult(verdict.equal, "math_verify", verdict.reason or f"after {type(error).__name__}")


def _compare_integers(gold: str, prediction: str) -> bool | None:
    """Both whole numbers (leading zeros, ``.0``): compared as digits, so that length does not matter."""
    a, b = _INTEGER.fullmatch(gold), _INTEGER.fullmatch(prediction)
    if not a or not b:
        return None
    return a[2] == b[2] and (a[2] == "0" or (a[1] == "-") == (b[1] == "-"))
