"""What a model made of a problem: the trajectory, with its answer and its grade."""

from __future__ import annotations

from pydantic import PrivateAttr

from selftaught.api.html import trajectory_html
from selftaught.grading.extract import final_text
from selftaught.grading.final import final_answer
from selftaught.records import Grade, Problem, SpanSource, ToolInfo, Trajectory


class Solution(Trajectory):
    """A `Trajectory` that knows its problem and its grade. Written to a file it is the trajectory alone."""

    _problem: Problem = PrivateAttr()
    _grade: Grade | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, trajectory: Trajectory, problem: Problem, grade: Grade | None = None) -> Solution:
        """A trajectory with what is known of it."""
        solution = cls.model_construct(
            trajectory.model_fields_set, **{name: getattr(trajectory, name) for name in Trajectory.model_fields}
        )
        solution._problem, solution._grade = problem, grade
        return solution

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return self._problem

    @property
    def answer(self) -> str | None:
        """The final answer as grading finds it: what stands in the box, the letter, or the program. None without one."""
        return final_answer(self._problem, self)

    @property
    def text(self) -> str:
        """Everything after the prompt: thinking, hints, code, outputs, the answer's text."""
        return self.text_after_prompt()

    @property
    def answer_text(self) -> str:
        """The text after the thinking; empty while thinking is open."""
        return (final_text(self) or "").strip()

    @property
    def calls(self) -> list[ToolInfo]:
        """The model's calls of Python in order: ``code``, ``output``, ``status``, ``wall_s``."""
        return self.tool_calls()

    @property
    def grade(self) -> Grade | None:
        """The verdict, when the right answer was known; ``grade.correct`` says whether it is right."""
        return self._grade

    def _closing(self) -> str:
        answer = self.answer
        parts = ["no answer" if answer is None else f"answer {answer}" if "\n" not in answer else "a program"]
        if self._grade is not None:
            expected = f", expected {self._problem.answer}" if self._problem.answer is not None else ""
            parts.append("right" if self._grade.correct else f"wrong{expected}")
        tokens = sum(len(span.token_ids) for span in self.spans if span.source is not SpanSource.PROMPT)
        counts = (f"{len(self.hints())} hints", f"{len(self.calls)} calls", f"{tokens} tokens", f"{self.wall_s:.1f} s")
        return " · ".join([*parts, self.stop_reason.value, *counts])

    def __repr__(self) -> str:
        return f"<Solution {self._closing()}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        style = "" if self._grade is None else "good" if self._grade.correct else "bad"
        return trajectory_html(self, self._problem.problem, self._closing(), style)
