"""The final answer of a trajectory without a verdict: extracted as grading extracts it."""

from __future__ import annotations

from selftaught.grading.choice import extract_letter
from selftaught.grading.extract import extract_answer, final_text, last_program
from selftaught.records import Problem, ProblemKind, Trajectory


def final_answer(problem: Problem, trajectory: Trajectory) -> str | None:
    """What stands in the box, the letter, or the last program after the thinking; None when there is none."""
    text = final_text(trajectory)
    if text is None:
        return None
    if problem.kind is ProblemKind.CODE:
        return last_program(text)
    if problem.kind is ProblemKind.CHOICE:
        return extract_letter(text, len(problem.choices or ()), problem.choices)
    found = extract_answer(text)
    return found.answer if found is not None else None
