"""Votes of a majority: answers of one problem that the grader finds equal are one vote.

``0.5``, ``\\frac12`` and ``1/2`` are one answer. If they counted as three, wrong answers would split their votes, and
the right answer would win more often than it should (maj@k would be too high).
"""

from __future__ import annotations

import re
from types import TracebackType

from selftaught.grading.maths import grade_maths
from selftaught.grading.workers import MathVerdict, MathWorkers
from selftaught.provenance import hash64
from selftaught.records import Grade

MAX_ANSWERS = 256
"""A new answer is compared with at most so many different answers of its problem. Beyond them only equal spellings
count as equal: comparisons grow with the square of the number of answers."""
MAX_CHARS = 200
"""Characters of an answer that decide its vote. A longer answer is compared by spelling alone."""
MAX_ASKED = 2_000
"""Pairs of one file that math-verify is asked about, each a call of another process; then the other rules decide
alone."""
_NOT_MATHS = frozenset(("choice", "tests", "none"))
"""Paths of grades whose answers are compared by their spelling."""


class Votes:
    """Gives the answers of one grade file their votes: 64-bit numbers other than 0.

    A context manager, since it may start a math-verify process.
    """

    def __init__(self) -> None:
        self._by_spelling: dict[tuple[str, str], int] = {}
        self._answers: dict[str, list[str]] = {}
        """Problem → one spelling of each different wrong answer."""
        self._workers: MathWorkers | None = None
        self._num_asked = 0

    def of(self, grade: Grade) -> int:
        """The vote of a grade; 0 where no answer was extracted.

        All right answers are one vote to the caller already.
        """
        if grade.extracted is None:
            return 0
        answer = re.sub(r"\s+", "", grade.extracted)[:MAX_CHARS]
        if grade.correct or grade.path in _NOT_MATHS or len(grade.extracted) > MAX_CHARS:
            return _number(answer)
        key = (grade.problem_id, answer)
        if key not in self._by_spelling:
            self._by_spelling[key] = self._folded(grade.problem_id, grade.extracted, answer)
        return self._by_spelling[key]

    def _folded(self, problem_id: str, extracted: str, spelling: str) -> int:
        """The vote of an earlier equal answer to this problem, or a new vote."""
        answers = self._answers.setdefault(problem_id, [])
        for other in answers[:MAX_ANSWERS]:
            if grade_maths(other, extracted, self._ask).correct:
                return self._by_spelling[problem_id, re.sub(r"\s+", "", other)[:MAX_CHARS]]
        answers.append(extracted)
        return _number(spelling)

    def _ask(self, first: str, second: str) -> MathVerdict:
        self._num_asked += 1
        if self._num_asked > MAX_ASKED:
            return MathVerdict(False, "too many pairs for math-verify")
        if self._workers is None:
            self._workers = MathWorkers()
        return self._workers.check(first, second)

    def __enter__(self) -> Votes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._workers is not None:
            self._workers.close()


def _number(text: str) -> int:
    """The vote of a spelling. 0 is taken: it says that there is no answer."""
    return hash64(text) or 1
