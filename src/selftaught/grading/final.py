"""The final answer of a trajectory without a verdict: extracted as grading extracts it."""

from __future__ import annotations

from selftaught.grading.answers import extract_answer
from selftaught.grading.choice import extract_letter
from selftaught.grading.extract import final_text
from selftaught.grading.program_source import program_source
from selftaught.records import Problem, ProblemKind, Trajectory


def final_answer(problem: Problem, trajectory: Trajectory) -> str | None:
    """What stands in the box, the letter, or the last program after the thinking; None when there is none."""
    text = final_text(trajectory)
    if text is None:
        return None
    if problem.kind is ProblemKind.CODE:
        return program_source(text, problem.fn_name)
    if problem.kind is ProblemKind.CHOICE:
        return extract_letter(text, len(problem.choices or ()), problem.choices)
    found = extract_answer(text)
    return found.answer if found is not None else None
