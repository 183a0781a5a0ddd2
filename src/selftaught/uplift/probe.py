"""Probe: roll out, fork at each trajectory's own places, grade, and join it all to forks.

``problems → trajectories.jsonl (all branches) → grades.jsonl → forks.jsonl``. The trajectories say where they were
forked, so forks.jsonl follows from them and their grades, and is written anew as a whole each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from selftaught.curation.filters import FILTERS
from selftaught.curation.records import FilterSettings
from selftaught.curation.score import Candidate
from selftaught.errors import ConfigError
from selftaught.grading import grade_run
from selftaught.grading.run import shown_by
from selftaught.hints import load_library, split_name
from selftaught.hints.places import level_of
from selftaught.progress import Reporter, silent
from selftaught.records import ForkPoint, Grade, Outcome, Problem, Record, StopReason, Trajectory
from selftaught.rollouts import RolloutSettings, RolloutSummary, run_rollout
from selftaught.rollouts.probe_settings import ProbeSettings
from selftaught.runs.folders import RolloutFolder
from selftaught.store import iter_lines, read_jsonl, write_records
from selftaught.uplift.records import NO_HINT, Fork, ForkBranch, Place

_CUT = (StopReason.MAX_TOKENS, StopReason.MAX_TOOL_CALLS, StopReason.REPETITION, StopReason.TIMEOUT)


class ProbeSummary(Record):
    """What a probe's folder holds."""

    out: str
    num_trajectories: int
    """Without hints: one a sample."""
    num_branches: int
    """With one hint each."""
    num_forks: int
    by_place: dict[str, int]
    sampled_tokens: int
    """Every prefix once."""
    tokens_apart: int
    """What all trajectories would have cost, each sampled by itself."""
    gains: int
    """Hinted branches that are right where the plain one is wrong."""
    losses: int
    num_failed: int
    rollout: RolloutSummary | None = None

    @property
    def cost(self) -> float:
        """Sampled tokens as a share of what separate rollouts cost."""
        return self.sampled_tokens / self.tokens_apart if self.tokens_apart else 1.0


def run_probe(
    problems: Sequence[Problem],
    model: str,
    out: Path,
    settings: RolloutSettings,
    probe: ProbeSettings,
    *,
    progress: Reporter = silent,
    problem_file: Path | None = None,
    grading_workers: int = 2,
) -> ProbeSummary:
    """Fork the trajectories of ``problems`` and grade every branch; the same call goes on in the same folder.

    Raises ConfigError for places or hints that are not known, else what `run_rollout` and `grade_run` raise.
    """
    check_probe(settings, probe)
    rollout = run_rollout(
        problems, model, out, settings, progress, problem_file=problem_file, what="probe", probe=probe
    )
    folder = RolloutFolder(out)
    show = shown_by(progress, "grading", sum(1 for _ in iter_lines(folder.trajectories)))
    grade_run(problems, folder.trajectories, folder.grades, grading_workers, progress=show)
    forks = list(forks_of(folder, {problem.id: problem for problem in problems}))
    write_records(folder.forks, forks)
    return summary_of(folder, forks).model_copy(update={"rollout": rollout})


def check_probe(settings: RolloutSettings, probe: ProbeSettings) -> None:
    """ConfigError for places and hints that are not known, and for settings under which no hint could act."""
    if not settings.tools.enabled or settings.tools.max_tool_calls == 0:
        raise ConfigError("a probe inserts hints that call Python; expected tools, and at least one call.")
    known = [place.value for place in Place]
    unknown = [place for place in probe.places if place not in known]
    if unknown or not probe.places:
        raise ConfigError(f"places: {', '.join(unknown) or 'none'}; expected some of {', '.join(known)}.")
    functions = load_library(split_name(settings.hints.policy)[0]).functions
    missing = [name for name in probe.hints if name not in functions]
    if missing:
        raise ConfigError(f"try: no hint {missing[0]!r}; expected some of {', '.join(functions)}.")


@dataclass
class Ended:
    """What a fork needs of one trajectory."""

    id: str
    arm: str
    correct: bool | None
    stop_reason: StopReason
    truncated: bool
    num_sampled: int
    num_tokens: int
    num_calls: int
    passes: bool
    """No filter of curation drops it."""


@dataclass
class _Gathered:
    ended: dict[str, Ended] = field(default_factory=dict)
    forked: list[tuple[Trajectory, ForkPoint]] = field(default_factory=list)


def forks_of(folder: RolloutFolder, problems: Mapping[str, Problem]) -> Iterator[Fork]:
    """The forks of a probe's folder whose branches are all there, in the order of the trajectories."""
    grades = {grade.trajectory_id: grade for grade in read_jsonl(folder.grades, Grade)}
    found = _Gathered()
    for trajectory in read_jsonl(folder.trajectories, Trajectory):
        problem = problems.get(trajectory.problem_id)
        if problem is None or trajectory.forks is None:
            continue
        found.ended[trajectory.id] = ended_of(trajectory, problem, grades.get(trajectory.id))
        if trajectory.shared_tokens is None:  # the one without hints
            bare = trajectory.model_copy(update={"spans": []})
            found.forked += [(bare, point) for point in trajectory.forks]
    for trajectory, point in found.forked:
        names = point.branch_ids()
        if all(name in found.ended for name in names):
            branches = [found.ended[name] for name in names]
            yield fork_of(trajectory, point, problems[trajectory.problem_id], found.ended[trajectory.id], branches)


def ended_of(trajectory: Trajectory, problem: Problem, grade: Grade | None) -> Ended:
    """How one trajectory of a fork ended."""
    hints = trajectory.hints()
    known = grade is not None and grade.outcome is not Outcome.ERROR
    candidate = Candidate(trajectory, grade, problem.kind, "probe")
    settings = FilterSettings()
    return Ended(
        id=trajectory.id,
        arm=hints[0].id if hints else NO_HINT,
        correct=grade.correct if grade is not None and known else None,
        stop_reason=trajectory.stop_reason,
        truncated=trajectory.stop_reason in _CUT,
        num_sampled=trajectory.num_sampled(),
        num_tokens=sum(len(span.token_ids) for span in trajectory.spans[1:]) + trajectory.num_taken_back(),
        num_calls=len(trajectory.tool_calls()),
        passes=known and all(one.check(candidate, settings) is None for one in FILTERS),
    )


def fork_of(trajectory: Trajectory, point: ForkPoint, problem: Problem, plain: Ended, hinted: Sequence[Ended]) -> Fork:
    """The fork of ``trajectory`` at ``point``: its branch without a hint, and one for each of the point's hints."""
    calls_before = int(point.features.get("calls", 0))

    def branch(one: Ended, function: str | None) -> ForkBranch:
        calls = one.num_calls - calls_before
        wanted = function is not None and one.passes and one.num_calls > 0 and plain.correct is False
        return ForkBranch(
            arm=NO_HINT if function is None else one.arm if one.arm != NO_HINT else function,
            function=function,
            place=Place(point.place),
            trajectory_id=one.id,
            correct=one.correct,
            stop_reason=one.stop_reason,
            truncated=one.truncated,
            sampled_tokens=one.num_sampled - point.prefix_tokens,
            total_tokens=one.num_tokens,
            calls=calls,
            accepted=wanted and bool(one.correct),
        )

    return Fork(
        id=point.id,
        problem_id=problem.id,
        kind=problem.kind,
        difficulty=level_of(problem) or None,
        sample=trajectory.sample,
        seed=trajectory.seed,
        model=trajectory.model,
        place=Place(point.place),
        token=point.token,
        probability=point.probability,
        prefix_tokens=point.prefix_tokens,
        features=point.features,
        branches=[branch(plain, None), *(branch(one, hint) for one, hint in zip(hinted, point.hints, strict=True))],
    )


def summary_of(folder: RolloutFolder, forks: Sequence[Fork]) -> ProbeSummary:
    """Counts of a probe's folder."""
    plain = branches = sampled = apart = failed = 0
    for trajectory in read_jsonl(folder.trajectories, Trajectory):
        own, shared = trajectory.num_sampled(), trajectory.shared_tokens
        plain, branches = plain + (shared is None), branches + (shared is not None)
        sampled, apart = sampled + own - (shared or 0), apart + own
        failed += trajectory.stop_reason.is_failure
    pairs = [(fork.plain, hinted) for fork in forks for hinted in fork.hinted]
    verdicts = [(one.correct, other.correct) for one, other in pairs if one is not None]
    by_place: dict[str, int] = {}
    for fork in forks:
        by_place[fork.place.value] = by_place.get(fork.place.value, 0) + 1
    return ProbeSummary(
        out=str(folder.path),
        num_trajectories=plain,
        num_branches=branches,
        num_forks=len(forks),
        by_place=dict(sorted(by_place.items())),
        sampled_tokens=sampled,
        tokens_apart=apart,
        gains=verdicts.count((False, True)),
        losses=verdicts.count((True, False)),
        num_failed=failed,
    )
