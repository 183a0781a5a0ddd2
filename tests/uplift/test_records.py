"""The record of a fork keeps its branches apart and reads what it wrote."""

from __future__ import annotations

from selftaught.records import ProblemKind, StopReason
from selftaught.uplift import NO_HINT, Fork, ForkBranch, Place


def branch(arm: str, *, correct: bool) -> ForkBranch:
    function = None if arm == NO_HINT else arm.split("/")[0]
    return ForkBranch(
        arm=arm,
        function=function,
        place=Place.END,
        trajectory_id=f"p#0@0.{arm}",
        correct=correct,
        stop_reason=StopReason.ANSWERED,
        sampled_tokens=10,
        total_tokens=50,
        calls=0,
    )


def test_a_fork_reads_what_it_wrote() -> None:
    fork = Fork(
        id="p#0@0",
        problem_id="p",
        kind=ProblemKind.MATH,
        place=Place.END,
        token=40,
        probability=0.25,
        prefix_tokens=40,
        features={"budget_used": 0.5, "kind": "math", "answer_seen": True},
        branches=[branch(NO_HINT, correct=False), branch("general/en/0", correct=True)],
    )
    again = Fork.model_validate_json(fork.to_json())
    assert again == fork
    assert again.features["answer_seen"] is True and again.features["budget_used"] == 0.5
    assert again.plain is not None and again.plain.correct is False
    assert [one.function for one in again.hinted] == ["general"]
