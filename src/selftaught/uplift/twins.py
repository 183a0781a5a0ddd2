"""Forks from two rollouts that were not a probe: the same sequences without hints and with them.

A seed round that forks, and any two greedy runs of a local model, share each trajectory up to its first hint. So they hold
one fork a trajectory, at the place that the policy chose. Only such trajectories are taken whose tokens before the hint are
those of the plain one.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from selftaught.errors import DataError
from selftaught.records import ForkPoint, Grade, HintInfo, HintPosition, Problem, Span, SpanSource, Trajectory
from selftaught.runs.folders import RolloutFolder
from selftaught.store import read_jsonl
from selftaught.uplift.probe import Ended, ended_of, fork_of
from selftaught.uplift.records import Fork, Place

_PLACES = {
    HintPosition.START: Place.START,
    HintPosition.PARAGRAPH: Place.PARAGRAPH,
    HintPosition.AFTER_WORD: Place.WORD,
    HintPosition.BEFORE_LINE: Place.CONCLUSION,
    HintPosition.END_OF_THINKING: Place.END,
    HintPosition.BEFORE_FINAL: Place.END,
    HintPosition.REPETITION: Place.REPETITION,
}
"""Hints at other positions stand where a probe makes no fork: after a failed call, at a share of the budget."""


@dataclass
class TwinCounts:
    """What became of the trajectories of the hinted run."""

    taken: int = 0
    without_hint: int = 0
    """No hint came, or none at a place of a probe."""
    without_twin: int = 0
    """The plain run has no such sample, or one of the two has no grade."""
    apart: int = 0
    """The tokens before the hint are not the plain one's."""


def forks_of_twins(
    plain: RolloutFolder, hinted: RolloutFolder, problems: Mapping[str, Problem], counts: TwinCounts
) -> Iterator[Fork]:
    """One fork for each trajectory of ``hinted`` whose twin in ``plain`` begins as it does, in their order.

    ``counts`` says what was left out. DataError where a folder is not graded.
    """
    for folder in (plain, hinted):
        if not folder.grades.is_file():
            raise DataError(f"{folder.path} has no grades; expected {folder.grades.name}. Run selftaught grade first.")
    grades = {grade.trajectory_id: grade for grade in read_jsonl(plain.grades, Grade)}
    twins: dict[tuple[str, int], tuple[Ended, array[int]]] = {}
    for trajectory in read_jsonl(plain.trajectories, Trajectory):
        problem = problems.get(trajectory.problem_id)
        if problem is not None and trajectory.id in grades:
            ended = ended_of(trajectory, problem, grades[trajectory.id])
            twins[trajectory.problem_id, trajectory.sample] = ended, _sampled(trajectory.spans)
    grades = {grade.trajectory_id: grade for grade in read_jsonl(hinted.grades, Grade)}
    for trajectory in read_jsonl(hinted.trajectories, Trajectory):
        found = _first_hint(trajectory)
        twin = twins.get((trajectory.problem_id, trajectory.sample))
        if found is None:
            counts.without_hint += 1
        elif twin is None or trajectory.id not in grades:
            counts.without_twin += 1
        elif twin[1][: len(found[1])] != found[1] or any(span.tool for span in trajectory.spans[: found[2]]):
            counts.apart += 1
        else:
            counts.taken += 1
            hint, before, index = found
            problem = problems[trajectory.problem_id]
            point = ForkPoint(
                id=f"{trajectory.problem_id}#{trajectory.sample}@0",
                place=_PLACES[hint.position].value,
                token=sum(len(span.token_ids) for span in trajectory.spans[1:index]),
                probability=1.0,
                prefix_tokens=len(before),
                features={},
                hints=[hint.id.partition("/")[0]],
            )
            branch = ended_of(trajectory, problem, grades[trajectory.id])
            yield fork_of(trajectory, point, problem, twin[0], [branch])


def _first_hint(trajectory: Trajectory) -> tuple[HintInfo, array[int], int] | None:
    """The first hint, what the model had sampled before it, and the place of its span; None at another position."""
    for index, span in enumerate(trajectory.spans):
        if span.hint is not None:
            if span.hint.position not in _PLACES:
                return None
            before = _sampled(trajectory.spans[:index])
            before.extend(span.hint.discarded_ids)
            return span.hint, before, index
    return None


def _sampled(spans: list[Span]) -> array[int]:
    return array("q", (one for span in spans if span.source is SpanSource.MODEL for one in span.token_ids))
