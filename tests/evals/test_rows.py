"""Rows joined from trajectories and grades."""

from __future__ import annotations

from pathlib import Path

from selftaught.evals.rows import read_rows
from selftaught.records import Grade, Outcome, Span, SpanSource, StopReason, Trajectory
from selftaught.store import write_records


def test_the_later_grade_of_an_id_counts_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    def trajectory(n: int) -> Trajectory:
        return Trajectory(
            id=f"p#{n}",
            problem_id="p",
            sample=n,
            spans=[Span(source=SpanSource.MODEL, token_ids=[1], text="a")],
            stop_reason=StopReason.ANSWERED,
        )

    def grade(n: int, outcome: Outcome, extracted: str) -> Grade:
        return Grade(
            trajectory_id=f"p#{n}",
            problem_id="p",
            outcome=outcome,
            correct=outcome is Outcome.CORRECT,
            path="x",
            extracted=extracted,
        )

    write_records(tmp_path / "t.jsonl", [trajectory(n) for n in range(4)])
    grades = [
        grade(2, Outcome.WRONG, "7"),
        grade(0, Outcome.CORRECT, "5"),
        grade(1, Outcome.WRONG, " 7 "),
        grade(0, Outcome.WRONG, "6"),
    ]
    write_records(tmp_path / "g.jsonl", grades)
    ungraded: list[str] = []
    found = list(read_rows(tmp_path / "t.jsonl", tmp_path / "g.jsonl", ungraded))
    assert [row.outcome for row in found] == [Outcome.WRONG, Outcome.WRONG, Outcome.WRONG]
    assert found[1].answer == found[2].answer != found[0].answer
    assert ungraded == ["p"]
