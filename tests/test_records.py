"""Records: what is refused, what the JSON looks like, that derived values agree with the spans."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selftaught.curation.records import DropReason
from selftaught.records import (
    ExecStatus,
    Grade,
    HintInfo,
    HintPosition,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    TestCase,
    ToolInfo,
    Trajectory,
    question_hash,
    utc_now,
)

TOKEN_IDS = st.lists(st.integers(min_value=0, max_value=200_000), max_size=8)
SPANS = st.builds(Span, source=st.sampled_from(SpanSource), token_ids=TOKEN_IDS, text=st.text(max_size=20))
TRAJECTORIES = st.builds(
    Trajectory,
    id=st.text(min_size=1, max_size=10),
    problem_id=st.text(min_size=1, max_size=10),
    spans=st.lists(SPANS, max_size=6),
    stop_reason=st.sampled_from(StopReason),
    error=st.none() | st.text(max_size=10),
    wall_s=st.floats(min_value=0, max_value=1e6),
)


def example() -> Trajectory:
    return Trajectory(
        id="p1#0",
        problem_id="p1",
        stop_reason=StopReason.ANSWERED,
        spans=[
            Span(source=SpanSource.PROMPT, token_ids=[1, 2, 3], text="2+2?<think>"),
            Span(source=SpanSource.MODEL, token_ids=[4], text="Wait, "),
            Span(
                source=SpanSource.HINT,
                token_ids=[5, 6],
                text="maybe Python.\n```python\n",
                hint=HintInfo(id="general", position=HintPosition.AFTER_WORD, reason="draw 0.2 < 0.5", trigger="Wait"),
            ),
            Span(source=SpanSource.MODEL, token_ids=[7, 8], text="print(2+2)\n```\n"),
            Span(
                source=SpanSource.TOOL,
                token_ids=[9],
                text="```output\n4\n```\n",
                tool=ToolInfo(code="print(2+2)\n", status=ExecStatus.OK, output="4\n", wall_s=0.01),
            ),
        ],
    )


def test_token_ids_are_the_spans_in_order() -> None:
    trajectory = example()
    assert trajectory.token_ids() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert trajectory.num_tokens(SpanSource.MODEL) == 3
    assert sum(trajectory.num_tokens(source) for source in SpanSource) == len(trajectory.token_ids())


def test_text_after_prompt_leaves_the_prompt_out() -> None:
    assert example().text_after_prompt().startswith("Wait, maybe Python.")


def test_calls_and_hints_in_order() -> None:
    assert [call.output for call in example().tool_calls()] == ["4\n"]
    assert [hint.id for hint in example().hints()] == ["general"]


@given(TRAJECTORIES)
def test_trajectory_survives_json(trajectory: Trajectory) -> None:
    line = trajectory.to_json()
    assert "\n" not in line
    assert Trajectory.model_validate_json(line) == trajectory


def test_json_leaves_out_none_and_keeps_schema_version() -> None:
    value = json.loads(example().to_json())
    assert value["schema_version"] == 1
    assert "error" not in value
    assert "hint" not in value["spans"][0]


def test_nan_is_written_as_null() -> None:
    grade = Grade(
        trajectory_id="a",
        problem_id="a",
        outcome=Outcome.WRONG,
        correct=False,
        path="none",
        wall_s=float("nan"),
    )
    assert "NaN" not in grade.to_json()


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (Problem, '{"id": "a", "problem": "b", "kind": "math", "colour": "red"}'),
        (Problem, '{"id": "a", "problem": "b", "kind": "essay"}'),
        (Trajectory, '{"id": "a", "problem_id": "a", "spans": [], "stop_reason": "bored"}'),
        (Grade, '{"trajectory_id": "a", "problem_id": "a", "outcome": "correct", "correct": true}'),
    ],
)
def test_unknown_keys_and_values_are_refused(model: type[Problem | Trajectory | Grade], line: str) -> None:
    with pytest.raises(ValidationError):
        model.model_validate_json(line)


def test_six_outcomes_are_kept_apart() -> None:
    assert {outcome.value for outcome in Outcome} == {
        "correct",
        "wrong",
        "no_answer",
        "truncated",
        "timed_out",
        "error",
    }


def test_statuses_of_the_sandbox_are_the_documented_seven() -> None:
    expected = {"ok", "error", "timeout", "memory", "output", "crash", "refused"}
    assert {status.value for status in ExecStatus} == expected


def test_drop_reasons_are_distinct() -> None:
    assert len({reason.value for reason in DropReason}) == len(list(DropReason))


def test_question_hash_folds_white_space_only() -> None:
    assert question_hash("What is  2+2?\n") == question_hash("What is 2+2?")
    assert question_hash("What is 2+2?") != question_hash("What is 2+3?")
    assert len(question_hash("")) == 16


def test_question_hash_is_stable_over_versions() -> None:
    """Splits are keyed on it: a change here moves problems between splits."""
    assert question_hash("What is 2+2?") == "52cb6b5e4a038af1"


def test_code_problem_with_tests() -> None:
    problem = Problem(
        id="c", problem="Add.", kind=ProblemKind.CODE, tests=[TestCase(input="1\n2", output="3", public=True)]
    )
    assert Problem.model_validate_json(problem.to_json()) == problem


def test_time_is_utc() -> None:
    assert utc_now().endswith("Z")
    assert len(utc_now()) == len("2026-11-20T12:00:00Z")
