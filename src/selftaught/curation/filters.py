"""Filters: each one a small function that gives a sentence saying what is wrong with a trajectory, or None to keep it.

``FILTERS`` lists them in the order in which they are applied; the first that objects gives the drop its reason. START
names repetitive patterns and failed executions (section 2.2); the others guard against faults known from follow-up
work.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from selftaught.curation.records import DropReason, FilterSettings
from selftaught.curation.score import THINK_END, Candidate
from selftaught.records import ExecStatus, Outcome, SpanSource
from selftaught.tokens import fences

_BOXED = re.compile(r"\\boxed\{([^{}\n]*(?:\{[^{}\n]*\}[^{}\n]*)*)\}")
_STATED = re.compile(r"\banswer(?:\s+(?:is|must be|should be)|\s*[:=])\s*\$?\s*", re.IGNORECASE)
_GOES_ON = re.compile(r"[\w/]|\.\d")
"""What follows a number that is only the beginning of another: ``42`` in ``420``, ``42/5``, ``42.5``."""

Check = Callable[[Candidate, FilterSettings], str | None]


@dataclass(frozen=True)
class Filter:
    """One filter with the reason it gives."""

    name: str
    reason: DropReason
    check: Check


def errored(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The engine or the sandbox failed, or nobody graded it."""
    if candidate.grade is None:
        return "no grade"
    if candidate.grade.outcome is Outcome.ERROR:
        return candidate.trajectory.error or f"stopped: {candidate.trajectory.stop_reason}"
    return None


def text_only(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The engine gave no token ids.

    What the model saw is not known exactly; it is trained on only when settings say so.
    """
    if settings.allow_text_only or not candidate.trajectory.text_only:
        return None
    return "the engine returned text without token ids"


def truncated(candidate: Candidate, settings: FilterSettings) -> str | None:
    """It ran out of tokens, calls or time."""
    assert candidate.grade is not None
    if candidate.grade.outcome in (Outcome.TRUNCATED, Outcome.TIMED_OUT):
        return f"stopped: {candidate.trajectory.stop_reason}"
    return None


def wrong(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The grader says that the answer is not right."""
    if candidate.correct:
        return None
    grade = candidate.grade
    assert grade is not None
    return f"{grade.outcome}: extracted {grade.extracted!r} ({grade.path})"


def contaminated(candidate: Candidate, settings: FilterSettings) -> str | None:
    """Its problem overlaps with a benchmark."""
    return "the problem overlaps with a benchmark" if candidate.contaminated else None


def too_long(candidate: Candidate, settings: FilterSettings) -> str | None:
    """Longer than training will take; never cut silently."""
    count = candidate.facts.num_tokens
    return f"{count} tokens, at most {settings.max_tokens}" if count > settings.max_tokens else None


def failed_execution(candidate: Candidate, settings: FilterSettings) -> str | None:
    """Calls that failed, by the policy ``failed_execution``."""
    calls = candidate.calls
    if not calls or settings.failed_execution == "off":
        return None
    failed = [call.status for call in calls if call.status is not ExecStatus.OK]
    bad = {
        "any": bool(failed),
        "last": calls[-1].status is not ExecStatus.OK,
        "all": len(failed) == len(calls),
    }[settings.failed_execution]
    return f"{len(failed)} of {len(calls)} calls failed, the last is {calls[-1].status}" if bad else None


def fake_output(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The model wrote an output block itself, inside its thinking, instead of waiting for the interpreter."""
    # A real output block comes in a span of the tool's own. After the thinking the model may quote one in its answer.
    for span in candidate.trajectory.spans:
        if span.source is SpanSource.MODEL:
            if "```output" in span.text.partition(THINK_END)[0]:
                return "the model wrote an output block by itself"
            if THINK_END in span.text:
                break
    return None


def void_turn(candidate: Candidate, settings: FilterSettings) -> str | None:
    """A call that could not say anything: it has no statement, or it printed nothing; or the answer part is empty."""
    for number, call in enumerate(candidate.calls, start=1):
        if not _has_statement(call.code):
            return f"call {number} holds no statement"
        if call.status is ExecStatus.OK and not call.output.strip():
            return f"call {number} printed nothing"
    _, closed, answer = candidate.trajectory.text_after_prompt().rpartition(THINK_END)
    if closed and not re.sub(r"<\|[^|]*\|>", "", answer).strip():
        return "nothing after the end of thinking"
    return None


def repetitive(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The model's own text repeats itself: one sentence many times, or repeated sentences filling most of it."""
    text = candidate.model_text
    sentences = [s for part in re.split(r"\n+|(?<=[.!?]) ", text) if len(s := part.strip()) >= 20]
    if len(sentences) < 3:
        return None
    counts = Counter(sentences)
    sentence, times = counts.most_common(1)[0]
    if times > settings.max_line_repeats:
        return f"{times} times {sentence[:60]!r}"
    repeated = sum(len(s) * (n - 1) for s, n in counts.items() if n > 1)
    share = repeated / max(1, len(text))
    if share > settings.max_repeat_share:
        return f"{share:.0%} of the text is repeated sentences"
    return None


def template_copy(candidate: Candidate, settings: FilterSettings) -> str | None:
    """A call runs the hint's code template as it stands: nothing of the problem is in it."""
    hints = [span.text for span in candidate.trajectory.spans if span.source is SpanSource.HINT and "```" in span.text]
    if not hints:
        return None
    templates = [t for hint in hints for t in _fenced_code(hint) if len(t) >= settings.min_template_lines]
    for number, call in enumerate(candidate.calls, start=1):
        lines = _code_lines(call.code)
        if lines and lines in templates:
            return f"call {number} is the hint's template"
    return None


def answer_before_call(candidate: Candidate, settings: FilterSettings) -> str | None:
    """The final answer stood in a box, or as a stated result, before the first call: the call adds nothing."""
    if not settings.answer_before_call or not candidate.calls or candidate.grade is None:
        return None
    if settings.answer_before_call == "tags" and THINK_END not in candidate.trajectory.text_after_prompt():
        return None
    answer = (candidate.grade.extracted or "").strip()
    if not answer or len(answer) > 200:
        return None
    text = candidate.thinking_before_call
    if answer not in text:
        return None
    for match in _BOXED.finditer(text):
        if match.group(1).strip() == answer:
            return f"\\boxed{{{answer}}} stands before the first call"
    for match in _STATED.finditer(text):
        end = match.end() + len(answer)
        if text.startswith(answer, match.end()) and not _GOES_ON.match(text, end):
            return f"the answer {answer} is stated before the first call"
    return None


FILTERS: tuple[Filter, ...] = (
    Filter("errored", DropReason.ERRORED, errored),
    Filter("text_only", DropReason.TEXT_ONLY, text_only),
    Filter("truncated", DropReason.TRUNCATED, truncated),
    Filter("wrong", DropReason.WRONG, wrong),
    Filter("contaminated", DropReason.CONTAMINATED, contaminated),
    Filter("too_long", DropReason.TOO_LONG, too_long),
    Filter("failed_execution", DropReason.FAILED_EXECUTION, failed_execution),
    Filter("fake_output", DropReason.FAKE_OUTPUT, fake_output),
    Filter("void_turn", DropReason.VOID_TURN, void_turn),
    Filter("template_copy", DropReason.TEMPLATE_COPY, template_copy),
    Filter("answer_before_call", DropReason.ANSWER_BEFORE_CALL, answer_before_call),
    Filter("repetitive", DropReason.REPETITIVE, repetitive),
)
"""Every filter that looks at one trajectory alone. The first objection gives the reason in the funnel, so the filters
that say most (failed, unfinished, wrong) stand first; the costly search for repetition stands last."""


def _has_statement(code: str) -> bool:
    """Whether ``code`` has any statement; code that does not parse counts, since its error tells something."""
    if not any(line.strip() and not line.lstrip().startswith("#") for line in code.splitlines()):
        return False
    if len(code) > 200 or "print" in code:  # surely a statement; parsing is slow over a million calls
        return True
    try:
        return bool(ast.parse(code).body)
    except (SyntaxError, ValueError):
        return True


def _code_lines(code: str) -> tuple[str, ...]:
    """Lines without comments and blank ones, right-stripped."""
    return tuple(line.rstrip() for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#"))


def _fenced_code(text: str) -> list[tuple[str, ...]]:
    """Code lines of each block in a hint, the last one too when it is left open."""
    return [_code_lines(block.code) for block in fences.blocks(text, SpanSource.HINT)]
