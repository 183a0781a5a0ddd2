"""Curate: score → filter → select → modify, streamed. Each input is in ``kept.jsonl`` or ``dropped.jsonl`` exactly
once.

There are two passes, because a selection needs all survivors at once, and their texts do not fit into memory. The first
pass reads each trajectory, joins its grade, asks the filters, and keeps a compact key of each survivor. The selection
works on the keys. The second pass reads the chosen trajectories back by their offset, modifies and writes them. Memory
grows by some 400 bytes a trajectory, not by its text. The result depends on the records only, not on their order in the
files.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple

from selftaught.curation.edits import HandEdits
from selftaught.curation.filters import FILTERS
from selftaught.curation.grades import GradeIndex
from selftaught.curation.modify import modify
from selftaught.curation.records import (
    CurateSettings,
    DroppedRow,
    DropReason,
    Facts,
    Funnel,
    FunnelStep,
    KeptRow,
)
from selftaught.curation.score import Candidate
from selftaught.curation.select import Survivor, select
from selftaught.errors import ConfigError, DataError
from selftaught.provenance import hash64
from selftaught.records import Outcome, Problem, ProblemKind, Trajectory
from selftaught.runs.folders import CurateInput, DataFolder
from selftaught.runs.lock import WriterLock
from selftaught.runs.record import RunKind, RunRecord, claim_anew
from selftaught.store import JsonlWriter, parse_record, write_json, write_records
from selftaught.tokens.cover import TextCodec

Progress = Callable[[int, int], None]
"""Called with (bytes read, bytes in all) now and then."""

SELECT_STEPS: tuple[tuple[str, DropReason], ...] = (
    ("greedy_wrong", DropReason.GREEDY_RIGHT),
    ("duplicate", DropReason.DUPLICATE),
    ("no_tool_call", DropReason.NO_TOOL_CALL),
    ("best_of_problem", DropReason.NOT_BEST),
    ("tool_share", DropReason.OVER_QUOTA),
    ("greedy_wrong_share", DropReason.GREEDY_RIGHT),
    ("quota", DropReason.OVER_QUOTA),
)
"""Steps of the selection in the order of the funnel, with the reason that each usually gives."""


_BUDGET = ("budget", DropReason.OVER_QUOTA)
"""The step before all others, where a token budget was given."""


class ProblemFacts(NamedTuple):
    """What curation needs of a problem."""

    kind: ProblemKind
    family: str | None


def curate(
    inputs: list[CurateInput],
    problems: Iterable[Problem],
    out: Path,
    settings: CurateSettings,
    *,
    codec: TextCodec | None = None,
    contaminated: frozenset[str] = frozenset(),
    over_budget: frozenset[str] = frozenset(),
    edits: Path | None = None,
    progress: Progress | None = None,
    made: RunRecord | None = None,
) -> Funnel:
    """Write ``kept.jsonl``, ``dropped.jsonl`` and ``funnel.json`` into ``out``; a rerun writes them anew.

    ``contaminated`` holds problem ids to refuse, and ``over_budget`` those that were rolled out beyond a token budget.
    ``edits`` is a file of hand edits (see ``edits.py``). ``made`` adds to
    the folder's record what the caller knows: model, problem file. Raises DataError for a torn or foreign file,
    ConfigError when the settings cannot be met, or when the folder holds something else or is written by another
    process.
    """
    if settings.asks_greedy and not any(i.reference for i in inputs):
        raise ConfigError("rule d_seed wants a greedy rollout to compare with; give its folder with --greedy.")
    _check_skipped(settings)
    folder = DataFolder(out)
    with WriterLock(folder.lock, "curate"):
        record = (made or RunRecord(kind=RunKind.CURATION)).model_copy(
            update={"settings": settings.model_dump(mode="json"), "inputs": {i.name: str(i.folder) for i in inputs}}
        )
        claim_anew(folder, record)
        return _curate(inputs, problems, folder, settings, codec, contaminated, over_budget, edits, progress)


def _check_skipped(settings: CurateSettings) -> None:
    """ConfigError when a filter that is to be skipped is none."""
    known = [check.name for check in FILTERS]
    unknown = sorted(set(settings.filters.skip) - set(known))
    if unknown:
        raise ConfigError(f"filters.skip: {unknown[0]!r} is no filter; expected some of {', '.join(known)}.")


def _curate(
    inputs: list[CurateInput],
    problems: Iterable[Problem],
    out: DataFolder,
    settings: CurateSettings,
    codec: TextCodec | None,
    contaminated: frozenset[str],
    over_budget: frozenset[str],
    edits: Path | None,
    progress: Progress | None,
) -> Funnel:
    """`curate` in a folder that is locked and claimed."""
    facts = {p.id: ProblemFacts(p.kind, _family(p)) for p in problems}
    hand_edits = HandEdits.load(edits) if edits else None
    with ExitStack() as stack:
        # Open for both passes: a rollout that goes on meanwhile may put another file in this one's place.
        files = {i.name: stack.enter_context(i.trajectories.open("rb")) for i in inputs if i.trajectories.exists()}
        grades = {i.name: stack.enter_context(GradeIndex(i.grades)) for i in inputs}
        greedy = _greedy_verdicts(inputs, grades)
        run = _Run(out, settings, grades, facts, greedy, contaminated, over_budget, codec, hand_edits, stack)
        total = sum(i.trajectories.stat().st_size for i in inputs if i.candidate and i.trajectories.exists())
        done = 0
        for source in inputs:
            if source.candidate:
                for offset, size, trajectory in read_with_offsets(source.trajectories, files.get(source.name)):
                    done += size
                    if source.text_only and (trajectory.hints() or trajectory.tool_calls()):
                        continue
                    run.consider(source.name, offset, trajectory)
                    if progress and run.num_in % 1000 == 0:
                        progress(done, total)
        kept = select(run.survivors, settings, run.drop_survivor)
        run.survivors = []
        run.write_kept(kept, files)
        if progress:
            progress(total, total)
        if hand_edits is not None:
            hand_edits.check_all_used()
        # Last of all, and as a whole: until here a kill leaves the rows of the run before in place.
        run.dropped.close()
        os.replace(run.unfinished, out.dropped)
    funnel = run.funnel()
    write_json(out.funnel, funnel.model_dump(mode="json"))
    return funnel


class _Run:
    """The state of one curation: counters and open files."""

    def __init__(
        self,
        out: DataFolder,
        settings: CurateSettings,
        grades: dict[str, GradeIndex],
        problems: dict[str, ProblemFacts],
        greedy: dict[str, bool],
        contaminated: frozenset[str],
        over_budget: frozenset[str],
        codec: TextCodec | None,
        edits: HandEdits | None,
        stack: ExitStack,
    ) -> None:
        self.out = out
        self.settings = settings
        self.grades = grades
        self.problems = problems
        self.greedy = greedy
        self.contaminated = contaminated
        self.over_budget = over_budget
        self.codec = codec
        self.edits = edits
        self.filters = [f for f in FILTERS if f.name not in settings.filters.skip]
        self.survivors: list[Survivor] = []
        self.num_in = 0
        self.seen_problems: set[str] = set()
        self.seen: set[int] = set()
        self.sources: Counter[str] = Counter()
        self.step_drops: Counter[tuple[str, DropReason]] = Counter()
        self.kept_by_kind: Counter[str] = Counter()
        self.modified: Counter[str] = Counter()
        self.num_kept = self.num_kept_with_tool = 0
        self.unfinished = out.dropped.with_name(f".{out.dropped.name}.unfinished")
        self.unfinished.unlink(missing_ok=True)
        stack.callback(self.unfinished.unlink, missing_ok=True)
        self.dropped = stack.enter_context(JsonlWriter(self.unfinished))

    def consider(self, source: str, offset: int, trajectory: Trajectory) -> None:
        """Filter one trajectory: a dropped row, or a survivor for the selection."""
        problem = self.problems.get(trajectory.problem_id)
        if problem is None:
            raise DataError(
                f"trajectory {trajectory.id}: problem {trajectory.problem_id!r} is not in the problem file."
            )
        key = hash64(f"{source}:{trajectory.id}")
        if key in self.seen:
            raise DataError(f"trajectory {trajectory.id} stands twice in {source}; expected unique ids.")
        self.seen.add(key)
        self.num_in += 1
        self.sources[source] += 1
        self.seen_problems.add(trajectory.problem_id)
        if trajectory.problem_id in self.over_budget:
            why = "the token budget was used up before this problem"
            self.drop(trajectory.id, trajectory.problem_id, source, *_BUDGET, why, None)
            return
        grade = self.grades[source].get(trajectory.id)
        candidate = Candidate(trajectory, grade, problem.kind, source, trajectory.problem_id in self.contaminated)
        for check in self.filters:
            detail = check.check(candidate, self.settings.filters)
            if detail is not None:
                self.drop(
                    trajectory.id, trajectory.problem_id, source, check.name, check.reason, detail, candidate.facts
                )
                return
        facts = candidate.facts
        greedy_right = self.greedy.get(trajectory.problem_id)
        if (
            self.settings.asks_greedy
            and facts.num_calls
            and (greedy_right is None or (greedy_right and self.settings.greedy_wrong_share == 1))
        ):
            detail = "the greedy run solves it without hints" if greedy_right else "no greedy run to compare with"
            self.drop(
                trajectory.id, trajectory.problem_id, source, "greedy_wrong", DropReason.GREEDY_RIGHT, detail, facts
            )
            return
        self.survivors.append(
            Survivor(
                trajectory_id=trajectory.id,
                problem_id=trajectory.problem_id,
                source=source,
                offset=offset,
                kind=problem.kind,
                family=problem.family,
                num_calls=facts.num_calls,
                num_errors=facts.num_errors,
                num_tokens=facts.num_tokens,
                text_hash=hash64(trajectory.text_after_prompt()),
                greedy_right=greedy_right,
            )
        )

    def drop(
        self,
        trajectory_id: str,
        problem_id: str,
        source: str,
        step: str,
        reason: DropReason,
        detail: str,
        facts: Facts | None,
    ) -> None:
        """Write one dropped row and count it."""
        self.step_drops[step, reason] += 1
        self.dropped.write(
            DroppedRow(
                dataset=self.settings.dataset,
                source=source,
                trajectory_id=trajectory_id,
                problem_id=problem_id,
                step=step,
                reason=reason,
                detail=detail,
                facts=facts,
            )
        )

    def drop_survivor(self, survivor: Survivor, step: str, reason: DropReason, detail: str) -> None:
        """The selection's callback."""
        self.drop(survivor.trajectory_id, survivor.problem_id, survivor.source, step, reason, detail, None)

    def write_kept(self, chosen: list[tuple[Survivor, str]], files: Mapping[str, BinaryIO]) -> None:
        """Second pass: read the chosen ones back, modify and write them, in the selection's order."""

        def rows() -> Iterator[KeptRow]:
            for survivor, why in chosen:
                file = files[survivor.source]
                file.seek(survivor.offset)
                yield self._kept_row(survivor, Trajectory.model_validate_json(file.readline()), why)

        self.num_kept = write_records(self.out.kept, rows())

    def _kept_row(self, survivor: Survivor, trajectory: Trajectory, why: str) -> KeptRow:
        grade = self.grades[survivor.source].get(trajectory.id)
        facts = Candidate(trajectory, grade, survivor.kind, survivor.source).facts
        trajectory, changes = modify(trajectory, self.settings.modifications, self.codec)
        if self.edits is not None:
            trajectory, more = self.edits.apply(trajectory, self.codec)
            changes += more
        self.modified.update({change.rule for change in changes})
        self.kept_by_kind[survivor.kind.value] += 1
        self.num_kept_with_tool += survivor.num_calls > 0
        return KeptRow(
            dataset=self.settings.dataset,
            source=survivor.source,
            kind=survivor.kind,
            facts=facts,
            why=why,
            modifications=changes,
            trajectory=trajectory,
        )

    def funnel(self) -> Funnel:
        """Counts at every step, which must add up."""
        steps: list[FunnelStep] = []
        left = self.num_in
        order = [(f.name, f.reason) for f in self.filters] + list(SELECT_STEPS)
        if self.over_budget:
            order.insert(0, _BUDGET)
        known = {name for name, _ in order}
        assert all(step in known for step, _ in self.step_drops), self.step_drops
        for name, reason in order:
            dropped = sum(count for (step, _), count in self.step_drops.items() if step == name)
            steps.append(FunnelStep(step=name, reason=reason, num_in=left, num_dropped=dropped, num_out=left - dropped))
            left -= dropped
        assert left == self.num_kept, f"{left} left after the steps, {self.num_kept} kept"
        by_reason: Counter[str] = Counter()
        for (_, reason), count in self.step_drops.items():
            by_reason[reason.value] += count
        return Funnel(
            dataset=self.settings.dataset,
            num_in=self.num_in,
            num_kept=self.num_kept,
            num_kept_with_tool=self.num_kept_with_tool,
            num_kept_text_only=self.num_kept - self.num_kept_with_tool,
            num_problems=len(self.seen_problems),
            steps=steps,
            dropped=dict(sorted(by_reason.items())),
            kept_by_kind=dict(sorted(self.kept_by_kind.items())),
            modified=dict(sorted(self.modified.items())),
            sources=dict(self.sources),
            reference=dict(sorted(Counter("right" if right else "wrong" for right in self.greedy.values()).items())),
        )


def read_with_offsets(path: Path, file: BinaryIO | None = None) -> Iterator[tuple[int, int, Trajectory]]:
    """(offset, bytes, trajectory) of each complete line; DataError with the line number for any other.

    ``file`` is the open file of ``path``, where the caller keeps one.
    """
    if file is None:
        try:
            file = path.open("rb")
        except OSError as error:
            raise DataError(
                f"{path} cannot be read ({error.strerror}); expected the trajectories of a rollout."
            ) from None
        with file:
            yield from read_with_offsets(path, file)
        return
    offset = 0
    file.seek(0)
    for number, line in enumerate(file, start=1):
        if line.endswith(b"\n") and line.strip():
            yield offset, len(line), parse_record(line, Trajectory, f"{path}:{number}")
        offset += len(line)


def _greedy_verdicts(inputs: list[CurateInput], grades: dict[str, GradeIndex]) -> dict[str, bool]:
    """Problem → whether any of its reference runs is right. A problem without one that could be graded is not in it."""
    verdicts: dict[str, bool] = {}
    for source in inputs:
        if source.reference:
            for _, _, trajectory in read_with_offsets(source.trajectories):
                if trajectory.is_branch():
                    continue
                grade = grades[source.name].get(trajectory.id)
                if grade is not None and grade.outcome is not Outcome.ERROR:  # a failed engine says nothing
                    verdicts[trajectory.problem_id] = verdicts.get(trajectory.problem_id, False) or grade.correct
    return verdicts


def _family(problem: Problem) -> str | None:
    family = problem.metadata.get("family")
    return str(family) if family is not None else None
