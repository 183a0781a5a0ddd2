"""One trajectory, one grade: what was answered, whether it is right, which rule decided.

``problem + trajectory → Grade``. Grading reads records and never a model, so a fix of the grader regrades any stored run.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from selftaught.grading.answers import Extraction, extract_answer
from selftaught.grading.boxes import last_boxes
from selftaught.grading.checks import helpers_before
from selftaught.grading.choice import extract_letter
from selftaught.grading.extract import answer_part, final_text
from selftaught.grading.maths import MathsResult, grade_maths
from selftaught.grading.program_source import program_source
from selftaught.grading.programs import TEST_TIMEOUT_S, ProgramGrader, with_helpers
from selftaught.grading.published import qwen_tolerance
from selftaught.grading.workers import MathWorkers
from selftaught.records import Grade, Outcome, Problem, ProblemKind, StopReason, Trajectory

GRADER = "selftaught/4"
"""Name and version written into every grade. Raise it when a verdict can change."""

MAX_EXTRACTED_CHARS = 2_000
"""A longer extracted answer is shortened in the grade (never before comparison)."""

MAX_BOXES = 12
"""More boxes side by side are no list."""

_TRUNCATED = (StopReason.MAX_TOKENS, StopReason.MAX_TOOL_CALLS, StopReason.REPETITION)


@dataclass(frozen=True)
class PairVerdict:
    """Verdict on a bare pair of texts."""

    correct: bool
    extracted: str | None
    path: str
    reason: str = ""

    def __bool__(self) -> bool:
        return self.correct


class Grader:
    """Graders with their worker processes and sandbox, all started when first needed. Safe to use from threads."""

    def __init__(
        self,
        workers: int = 2,
        test_timeout_s: float = TEST_TIMEOUT_S,
        *,
        qwen_tolerance: bool = False,
        lcb_exact: bool = False,
    ) -> None:
        self.workers = max(1, workers)
        self.qwen_tolerance = qwen_tolerance
        self.name = GRADER + "+qwen-tolerance" * qwen_tolerance + "+lcb-exact" * lcb_exact
        """Written into every grade, so that no figure of a published grader is taken for ours."""
        self.maths = MathWorkers(self.workers)
        self.programs = ProgramGrader(self.workers, test_timeout_s, lcb_exact)

    def grade(self, problem: Problem, trajectory: Trajectory) -> Grade:
        """Judge ``trajectory`` as an answer to ``problem``."""
        started = time.monotonic()
        outcome, extracted, path, reason = self._judge(problem, trajectory)
        return Grade(
            trajectory_id=trajectory.id,
            problem_id=problem.id,
            outcome=outcome,
            correct=outcome is Outcome.CORRECT,
            extracted=_shortened(extracted),
            path=path,
            reason=reason,
            grader=self.name,
            wall_s=round(time.monotonic() - started, 6),
        )

    def _judge(self, problem: Problem, trajectory: Trajectory) -> tuple[Outcome, str | None, str, str]:
        if trajectory.stop_reason.is_failure:
            return Outcome.ERROR, None, "none", trajectory.error or trajectory.stop_reason.value
        text = final_text(trajectory)
        if text is None:
            return _without_answer(trajectory, "thinking was never closed")
        if problem.kind is ProblemKind.CODE:
            return self._judge_code(problem, trajectory, text)
        if problem.kind is ProblemKind.CHOICE:
            letter = extract_letter(text, len(problem.choices or ()), problem.choices)
            if letter is None:
                return _without_answer(trajectory, "no letter in the final answer")
            return _verdict(letter == problem.answer), letter, "choice", ""
        extraction = extract_answer(text)
        if extraction is None:
            return _without_answer(trajectory, "no box in the final answer")
        answer, result = self.compare_extracted(problem.answer or "", extraction, text)
        return _verdict(result.correct), answer, result.path, result.reason

    def _judge_code(self, problem: Problem, trajectory: Trajectory, text: str) -> tuple[Outcome, str | None, str, str]:
        source = program_source(text, problem.fn_name)
        if source is None:
            return _without_answer(trajectory, "no fenced program in the final answer")
        check_code, helpers = problem.metadata.get("check_code"), ""
        if check_code and problem.fn_name:
            source = with_helpers(source, problem.starter_code, problem.fn_name)
            helpers = helpers_before(problem.starter_code, problem.fn_name)
        verdict = self.programs.grade(
            source,
            problem.tests or [],
            fn_name=problem.fn_name,
            check_code=str(check_code) if check_code else None,
            helpers=helpers,
        )
        if verdict.infrastructure_failed:
            return Outcome.ERROR, source, "tests", verdict.reason
        return _verdict(verdict.passed), source, "tests", verdict.reason

    def compare_maths(self, gold: str, answer: str) -> MathsResult:
        """Compare an extracted maths answer with the reference."""
        result = grade_maths(gold, answer, self.maths.check)
        if not result.correct and self.qwen_tolerance and qwen_tolerance(gold, answer):
            return MathsResult(True, "qwen_tolerance", f"{result.path} alone says wrong")
        return result

    def compare_extracted(self, gold: str, extraction: Extraction, text: str) -> tuple[str, MathsResult]:
        """Compare what was extracted; several boxes side by side are one list where the reference is a list as long.

        Boxes with "or" between them are one list for any reference: a hedge is no answer.
        """
        if extraction.rule == "box" and text.count("boxed") > 1:
            offered = list(dict.fromkeys(last_boxes(answer_part(text), offered=True)))
            if 1 < len(offered) <= MAX_BOXES and not all(self.compare_maths(gold, box).correct for box in offered):
                joined = ", ".join(offered)
                return joined, self.compare_maths(gold, joined)
        result = self.compare_maths(gold, extraction.answer)
        if not result.correct and extraction.rule == "box" and re.search(r"[,;]|\\pm|\band\b|\bor\b", gold):
            boxes = last_boxes(answer_part(text))
            if 1 < len(boxes) <= MAX_BOXES:
                joined = ", ".join(boxes)
                together = self.compare_maths(gold, joined)
                if together.correct:
                    return joined, together
        return extraction.answer, result

    def grade_pair(self, kind: Literal["math", "choice"], prediction: str, gold: str) -> PairVerdict:
        """Judge a response text, or a bare answer, against a reference."""
        if kind == "choice":
            letter, wanted = extract_letter(prediction), extract_letter(gold)
            if letter is None:
                return PairVerdict(False, None, "none", "no letter")
            return PairVerdict(letter == wanted, letter, "choice")
        extraction = extract_answer(prediction, allow_whole=True)
        if extraction is None:
            return PairVerdict(False, None, "none", "no answer")
        answer, result = self.compare_extracted(gold, extraction, prediction)
        return PairVerdict(result.correct, _shortened(answer), result.path, result.reason)

    def close(self) -> None:
        """Stop worker processes and sandbox."""
        self.maths.close()
        self.programs.close()

    def __enter__(self) -> Grader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def grade_one(problem: Problem, trajectory: Trajectory) -> Grade:
    """Grade a single trajectory with workers of its own; for many use ``Grader`` or ``grade_run``."""
    with Grader(workers=1) as grader:
        return grader.grade(problem, trajectory)


def _verdict(correct: bool) -> Outcome:
    return Outcome.CORRECT if correct else Outcome.WRONG


def _without_answer(trajectory: Trajectory, why: str) -> tuple[Outcome, str | None, str, str]:
    """Nothing was extracted: the stop reason tells which of three outcomes that is."""
    if trajectory.stop_reason is StopReason.TIMEOUT:
        return Outcome.TIMED_OUT, None, "none", why
    if trajectory.stop_reason in _TRUNCATED:
        return Outcome.TRUNCATED, None, "none", f"{why} ({trajectory.stop_reason.value})"
    return Outcome.NO_ANSWER, None, "none", why


def _shortened(answer: str | None) -> str | None:
    if answer is None or len(answer) <= MAX_EXTRACTED_CHARS:
        return answer
    half = MAX_EXTRACTED_CHARS // 2
    return f"{answer[:half]}…[{len(answer) - 2 * half} characters]…{answer[-half:]}"
