"""``st.grade``: a verdict that is true or false."""

from __future__ import annotations

from pathlib import Path

import pytest

import selftaught as st
from selftaught.api.results import GradeResult
from selftaught.grading.folder import GradedRollout
from selftaught.grading.run import GradeSummary


def test_the_verdict_is_the_truth_value() -> None:
    right, wrong = st.grade("0.5", r"\frac{1}{2}"), st.grade("So it is \\boxed{12}.", "13")
    assert right and not wrong
    assert (wrong.correct, wrong.extracted) == (False, "12") and right.path
    assert st.grade(7, 7) and st.grade("7", 7.0)
    assert st.grade("The answer is (B).", "B", kind="choice") and not st.grade("A", "B", kind="choice")
    assert not st.grade("", "1") and st.grade("", "1").reason == "no answer"


def test_what_cannot_be_graded() -> None:
    with pytest.raises(st.ConfigError, match="kind is 'code'; expected math or choice"):
        st.grade("print(1)", "1", kind="code")  # type: ignore[arg-type]
    with pytest.raises(st.ConfigError, match="prediction is NoneType; expected a text or a number"):
        st.grade(None, "1")  # type: ignore[arg-type]


def test_the_result_has_what_the_command_prints() -> None:
    graded = GradedRollout(
        Path("r"), Path("r/trajectories.jsonl"), Path("r/grades.jsonl"), GradeSummary(3, 4, num_ungraded=1)
    )
    result = GradeResult.model_validate({"folder": "r", **graded.document()})
    assert (result.new, result.total, result.ungraded) == (3, 4, 1)
