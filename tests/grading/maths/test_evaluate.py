"""Values of expressions."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from selftaught.grading.maths import grade_maths
from selftaught.grading.workers import MathVerdict


def _never(gold: str, prediction: str) -> MathVerdict:
    raise AssertionError(f"math-verify was asked about {gold} and {prediction}")


def test_threads_do_not_change_each_others_precision() -> None:
    gold, answer = r"\frac{n(n-1)}{2}+\sqrt{n}\pi", r"\binom{n}{2}+\pi\sqrt{n}"
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda _: grade_maths(gold, answer, _never), range(300)))
    finally:
        sys.setswitchinterval(interval)
    assert {(result.correct, result.path) for result in results} == {(True, "identity")}
