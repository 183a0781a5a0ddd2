"""Grading: maths over math-verify in killable processes, multiple choice, programs in the sandbox.

``grade_run`` grades a file of trajectories; ``Grader`` judges one trajectory or one bare pair.
"""

from __future__ import annotations

from selftaught.grading.grader import GRADER, Grader, PairVerdict, grade_one
from selftaught.grading.run import GradeSummary, grade_run

__all__ = ["GRADER", "GradeSummary", "Grader", "PairVerdict", "grade_one", "grade_run"]
