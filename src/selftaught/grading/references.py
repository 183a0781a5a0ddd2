"""Which problem a trajectory is judged by: the one of its id, or for a question that a server recorded, one of its text.

A recorded question has no reference of its own. A problem file given to ``grade --problems`` brings them; its ids mostly
are not those of the record, so a problem with the same text is looked for. Where there is none, nobody can judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from selftaught.errors import DataError
from selftaught.manner import Manner
from selftaught.problems import render_question
from selftaught.records import Problem, Trajectory, question_hash

_MANNERS = (Manner(), Manner(question="plain"))


class References:
    """Problems to judge by. ``own``: those that the folder keeps, where others are given."""

    def __init__(self, problems: Sequence[Problem], own: Sequence[Problem] = ()) -> None:
        self._by_id = {problem.id: problem for problem in problems}
        self._own = {problem.id: problem for problem in own}
        self._by_text: dict[str, Problem] | None = None
        self._problems = problems

    def of(self, trajectory: Trajectory) -> Problem | None:
        """The problem, under the trajectory's id; None where nobody has said what is right. DataError when there is no
        problem at all."""
        found = self._by_id.get(trajectory.problem_id)
        if found is not None and found.has_reference:
            return found
        recorded = found or self._own.get(trajectory.problem_id)
        if recorded is None or (found is None and recorded.has_reference):
            raise DataError(
                f"trajectory {trajectory.id!r} belongs to problem {trajectory.problem_id!r}, which the problem file lacks; "
                "give the file that it was made from."
            )
        same = self._texts().get(question_hash(recorded.problem))
        return same.model_copy(update={"id": trajectory.problem_id}) if same is not None else None

    def _texts(self) -> dict[str, Problem]:
        """Problems with a reference by what a client may have asked: the text alone, or with its options or a request."""
        if self._by_text is None:
            self._by_text = {}
            for problem in self._problems:
                if problem.has_reference:
                    for text in (problem.problem, *(render_question(problem, manner) for manner in _MANNERS)):
                        self._by_text.setdefault(question_hash(text), problem)
        return self._by_text
