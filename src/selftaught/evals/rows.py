"""One compact row a trajectory: all that the tables need, joined from trajectories and grades while streaming.

Of each grade 17 bytes are kept until its trajectory comes. What is tabulated lies in columns
(``selftaught.evals.columns``).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from selftaught.evals.votes import Votes
from selftaught.provenance import hash64
from selftaught.records import Grade, Outcome, SpanSource, Trajectory
from selftaught.store import read_jsonl

THINK_CLOSE = "</think>"

OUTCOMES = list(Outcome)
"""The outcomes in the order by which a column numbers them."""

_ERROR_NAME = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning|Iteration|Timeout))\b", re.MULTILINE
)
_IMPORT = re.compile(r"^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)|import[ \t]+([A-Za-z_][\w., \t]*))", re.MULTILINE)


@dataclass(slots=True)
class CallSummary:
    """The calls of one trajectory that made any."""

    statuses: dict[str, int] = field(default_factory=dict)
    error_types: dict[str, int] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(slots=True)
class Row:
    """One graded trajectory. ``answer`` is its vote in a majority: equal answers of one problem have equal ones."""

    trajectory_id: str
    problem_id: str
    sample: int
    round: int | None
    seed: int
    outcome: Outcome
    answer: int | None
    tokens: int
    model_tokens: int
    thinking_tokens: int
    num_calls: int
    num_hints: int
    seconds: float
    calls: CallSummary | None

    @property
    def correct(self) -> bool:
        """Whether the outcome is correct."""
        return self.outcome is Outcome.CORRECT


def read_rows(trajectories: Path, grades: Path, ungraded: list[str] | None = None) -> Iterator[Row]:
    """Stream the graded rows in the order of the trajectories.

    A trajectory without a grade has no verdict and gives no row; its problem's id is added to ``ungraded``. Such ones
    are there while a run goes on, and after it was interrupted. The hinted branches of a probe give none either: they are
    compared with their own plain branch (`selftaught.evals.forked`), and are no samples of one condition.
    """
    verdicts = _Verdicts(grades)
    for trajectory in read_jsonl(trajectories, Trajectory):
        if trajectory.is_branch():
            continue
        verdict = verdicts.of(trajectory.id)
        if verdict is not None:
            yield row_of(trajectory, *verdict)
        elif ungraded is not None:
            ungraded.append(trajectory.problem_id)


class _Verdicts:
    """Outcome and vote by trajectory, 17 bytes each. Of two grades with one id the later counts.

    Sorted arrays are searched by a 64-bit hash of the id; a dictionary of the same rows takes several times as much.
    """

    def __init__(self, grades: Path) -> None:
        ids, outcomes, votes = array("q"), array("b"), array("q")
        with Votes() as folded:
            for grade in read_jsonl(grades, Grade) if grades.exists() else ():
                ids.append(hash64(grade.trajectory_id))
                outcomes.append(OUTCOMES.index(grade.outcome))
                votes.append(folded.of(grade))
        self._ids = np.array(ids, dtype=np.int64)
        # Stable, so that grades of one id keep their order in the file; `of` takes the last of them.
        order = np.argsort(self._ids, kind="stable")
        self._ids, self._outcomes, self._votes = self._ids[order], np.array(outcomes)[order], np.array(votes)[order]

    def of(self, trajectory_id: str) -> tuple[Outcome, int | None] | None:
        """The verdict and the vote; None where there is no grade."""
        wanted = hash64(trajectory_id)
        place = int(np.searchsorted(self._ids, wanted, side="right")) - 1
        if place < 0 or self._ids[place] != wanted:
            return None
        return OUTCOMES[self._outcomes[place]], int(self._votes[place]) or None


def row_of(trajectory: Trajectory, outcome: Outcome, answer: int | None = None) -> Row:
    """Reduce one trajectory to its row."""
    calls = trajectory.tool_calls()
    after_prompt = [span for span in trajectory.spans if span.source is not SpanSource.PROMPT]
    return Row(
        trajectory_id=trajectory.id,
        problem_id=trajectory.problem_id,
        sample=trajectory.sample,
        round=trajectory.round,
        seed=trajectory.seed,
        outcome=outcome,
        answer=answer,
        tokens=sum(len(span.token_ids) for span in after_prompt) + trajectory.num_taken_back(),
        model_tokens=trajectory.num_tokens(SpanSource.MODEL),
        thinking_tokens=thinking_tokens(trajectory),
        num_calls=len(calls),
        num_hints=len(trajectory.hints()),
        seconds=trajectory.wall_s,
        calls=_summarize(trajectory) if calls else None,
    )


def thinking_tokens(trajectory: Trajectory) -> int:
    """Tokens after the prompt up to the end of thinking: sampled, hinted and returned by the tool.

    The span that closes the thinking is shared out by characters, since spans do not keep where each token's text
    begins.
    """
    total = 0
    for span in trajectory.spans:
        if span.source is SpanSource.PROMPT:
            continue
        close = span.text.find(THINK_CLOSE) if span.source is not SpanSource.TOOL else -1
        if close >= 0:
            return total + round(len(span.token_ids) * close / max(1, len(span.text)))
        total += len(span.token_ids)
    return total


def _summarize(trajectory: Trajectory) -> CallSummary:
    summary = CallSummary()
    for call in trajectory.tool_calls():
        _count(summary.statuses, call.status.value)
        summary.seconds += call.wall_s
        if call.status.value == "error":
            names = _ERROR_NAME.findall(call.output[-2000:])
            _count(summary.error_types, names[-1].rpartition(".")[2] if names else "other")
        for name in _modules(call.code):
            _count(summary.modules, name)
    return summary


def _modules(code: str) -> set[str]:
    names: set[str] = set()
    for from_name, import_names in _IMPORT.findall(code[:20_000]):
        listed = [from_name] if from_name else import_names.split(",")
        names.update(name.split()[0].partition(".")[0] for name in listed if name.split())
    return names


def _count(counts: dict[str, int], name: str) -> None:
    counts[name] = counts.get(name, 0) + 1
