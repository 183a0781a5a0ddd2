"""Perform one stage: the only module that knows which part does what. Runs in a child process of its own.

Each function reads files of earlier stages, writes into the stage's folder and gives back counts. All of them may be
killed at any point and called again.
"""

from __future__ import annotations

import os
from pathlib import Path

from selftaught.curation.records import DropReason
from selftaught.errors import EmptyDataError
from selftaught.pipeline.markers import StageResult
from selftaught.pipeline.sampling import sampled_model, sampling_settings
from selftaught.pipeline.stages import (
    CurateStage,
    GradeStage,
    PolicyStage,
    ProbeStage,
    ProblemSet,
    ProblemsStage,
    ReportStage,
    RolloutStage,
    Stage,
    TrainStage,
)
from selftaught.progress import Reporter, counted
from selftaught.records import Problem, SpanSource, Trajectory
from selftaught.runs.folders import RunFolder
from selftaught.runs.record import RunKind, RunRecord
from selftaught.store import iter_lines, read_jsonl, write_records
from selftaught.training.settings import SftSettings


def perform(run: RunFolder, stage: Stage, workers: int, progress: Reporter) -> StageResult:
    """Do one stage with up to ``workers`` processes."""
    match stage:
        case ProblemsStage():
            return _problems(run, stage)
        case ProbeStage():
            from selftaught.pipeline.learning import perform_probe

            return perform_probe(run, stage, workers, progress)
        case PolicyStage():
            from selftaught.pipeline.learning import perform_policy

            return perform_policy(run, stage)
        case RolloutStage():
            return _rollout(run, stage, workers, progress)
        case GradeStage():
            return _grade(run, stage, workers, progress)
        case CurateStage():
            return _curate(run, stage, progress)
        case TrainStage():
            return _train(run, stage, progress)
        case ReportStage():
            return _report(run, stage)


def _problems(run: RunFolder, stage: ProblemsStage) -> StageResult:
    from selftaught.problems import load_problems
    from selftaught.problems.decontaminate import decontaminate
    from selftaught.problems.sources import load_source

    pool = load_source(stage.pool)
    test = load_source(stage.test) if stage.test else []
    removed = []
    if stage.decontaminate.enabled:
        benchmarks = [("test", test)] if test else []
        benchmarks += [(name, load_problems(name)) for name in stage.decontaminate.against]
        result = decontaminate(
            pool, benchmarks, min_share=stage.decontaminate.min_share, method=stage.decontaminate.method
        )
        pool, removed = result.kept, result.removed
    sets = run.problem_sets
    write_records(sets.pool, pool)
    write_records(sets.removed, removed)
    if stage.test:
        write_records(sets.test, test)
    detail = f"{len(pool)} in the pool, {len(removed)} removed as contaminated, {len(test)} to test on"
    files = [sets.pool, sets.removed, sets.test]
    if stage.probed_share is not None:
        from selftaught.pipeline.learning import split_pool

        detail += f"; {split_pool(run, pool, stage.probed_share)} of the pool to probe"
        files += [sets.probed, sets.rest]
    return StageResult(detail=detail, outputs=[run.relative(path) for path in files])


def _rollout(run: RunFolder, stage: RolloutStage, workers: int, progress: Reporter) -> StageResult:
    from selftaught.problems.sources import draw_problems
    from selftaught.rollouts import PlainRun, run_rollout

    problem_file = stage.problems.file(run)
    problems = list(read_jsonl(problem_file, Problem))
    if stage.num_problems is not None:
        problems = draw_problems(problems, stage.num_problems)
    folder = run.rollout(stage.ref)
    if stage.serving is not None:  # a few client processes keep the replicas busy; their cores do no matrix products
        workers = min(workers, stage.serving.replicas)
    with sampled_model(run, stage.model, stage) as (model, served_as):
        settings = sampling_settings(stage.options, stage.condition, workers, served_as)
        if stage.policy is not None:  # the whole path: the same from wherever the run is gone on with
            settings = settings.changed(hints=str(run.policy(stage.policy).resolve()))
        if stage.ray is not None:
            from selftaught.pipeline.ray_rollout import run_rollout_ray

            spread = stage.ray.model_dump()
            spread["progress"] = counted(progress, stage.name)
            run_rollout_ray(problems, model, folder.path, settings, problem_file=problem_file, **spread)
        else:
            plain = None
            if stage.plain is not None:
                beside = sampling_settings(stage.plain.options, stage.plain.condition, workers, served_as)
                plain = PlainRun(run.rollout(stage.plain.ref).path, beside)
            run_rollout(problems, model, folder.path, settings, progress, problem_file=problem_file, plain=plain)
    count = tokens = calls = failed = 0
    for trajectory in read_jsonl(folder.trajectories, Trajectory):
        count += 1
        failed += trajectory.stop_reason.is_failure
        tokens += trajectory.num_tokens(SpanSource.MODEL)
        calls += bool(trajectory.tool_calls())
    detail, outputs = f"{count} trajectories, {calls} with a call", [run.relative(folder.trajectories)]
    if stage.plain is not None:
        path, shared, apart = run.rollout(stage.plain.ref).trajectories, 0, tokens
        for trajectory in read_jsonl(path, Trajectory):
            own, common = trajectory.num_sampled(), trajectory.shared_tokens or 0
            failed += trajectory.stop_reason.is_failure
            tokens, shared, apart = tokens + own - common, shared + common, apart + own
        outputs.append(run.relative(path))
        detail += f"; the greedy pass beside it shares {shared:,} of {apart:,} tokens"
    if failed:
        detail += f"; {failed} ended in an error of the engine or the sandbox"
    return StageResult(tokens=tokens, detail=detail, outputs=outputs)


def _grade(run: RunFolder, stage: GradeStage, workers: int, progress: Reporter) -> StageResult:
    from selftaught.grading import grade_run
    from selftaught.grading.run import shown_by
    from selftaught.records import Grade

    problems = list(read_jsonl(stage.problems.file(run), Problem))
    folder = run.rollout(stage.ref)
    show = shown_by(progress, stage.name, sum(1 for _ in iter_lines(folder.trajectories)))
    grade_run(problems, folder.trajectories, folder.grades, workers, progress=show)
    grades = list(read_jsonl(folder.grades, Grade))
    right = sum(grade.correct for grade in grades)
    return StageResult(detail=f"{right} of {len(grades)} right", outputs=[run.relative(folder.grades)])


def _curate(run: RunFolder, stage: CurateStage, progress: Reporter) -> StageResult:
    from selftaught.curation import curate
    from selftaught.curation.records import Funnel
    from selftaught.tokens import Codec, tokenizer_folder

    settings, data = stage.settings, run.data(stage.ref)
    if stage.at_most:
        other = Funnel.model_validate_json(run.data(stage.at_most).funnel.read_text("utf-8"))
        most = min(other.num_kept, settings.max_rows.get("all", other.num_kept))
        settings = settings.model_copy(update={"max_rows": {**settings.max_rows, "all": max(1, most)}})
    spent, over_budget, words = 0, frozenset[str](), ""
    if stage.sampled_by:
        from selftaught.pipeline.learning import cost_of

        spent, over_budget, words = cost_of(run, stage)
    pool = ProblemSet.POOL.file(run)
    made = RunRecord(
        kind=RunKind.CURATION,
        model=stage.tokenizer,
        tokenizer=stage.tokenizer,
        problems=Path(os.path.relpath(pool, data.path)).as_posix(),
    )
    funnel = curate(
        [one.under(run.path) for one in stage.inputs],
        read_jsonl(pool, Problem),
        data.path,
        settings,
        codec=Codec(tokenizer_folder(stage.tokenizer)),
        over_budget=over_budget,
        progress=counted(progress, stage.name),
        made=made,
    )
    detail = f"{funnel.num_kept} kept of {funnel.num_in} ({funnel.num_kept_text_only} text-only)"
    if stage.sampled_by:
        detail += f"; {funnel.num_kept_with_tool} with a call, from {spent:,} sampled tokens{words}"
    return StageResult(detail=detail, outputs=[run.relative(path) for path in (data.kept, data.dropped, data.funnel)])


def _train(run: RunFolder, stage: TrainStage, progress: Reporter) -> StageResult:
    from selftaught.tokens.folder import model_source
    from selftaught.training.render import load_rows
    from selftaught.training.sft import train_sft

    _refuse_empty(run, stage)
    kept, base, folder = run.data(stage.data).kept, model_source(stage.base), run.model(stage.ref)
    if stage.launch.command:
        from selftaught.training.launch import TrainingJob, launch

        job = TrainingJob(kept=str(kept), base_model=base, out=str(folder.path), settings=stage.settings)
        summary = launch(stage.launch.command, stage.launch.environment, job, stage.cluster)
    else:
        rows = load_rows(kept, stage.settings.loss, stage.settings.max_length)
        summary = train_sft(rows, base, folder.path, stage.settings, progress=counted(progress, stage.name))
    few = _few_rows(summary.num_rows, stage.settings)
    loss = f", loss {summary.final_loss:.3f}" if summary.final_loss is not None else ""
    detail = f"{summary.num_rows} rows{few}, {summary.num_steps} steps{loss}, {summary.tokens_per_second:.0f} tokens/s"
    tokens = round(summary.num_tokens * summary.epochs)
    return StageResult(tokens=tokens, detail=detail, outputs=[run.relative(folder.weights)])


def _refuse_empty(run: RunFolder, stage: TrainStage) -> None:
    """EmptyDataError when curation kept nothing: what went in, where it went, what to change."""
    from selftaught.curation.records import Funnel

    data = run.data(stage.data)
    funnel = Funnel.model_validate_json(data.funnel.read_text("utf-8"))
    if funnel.num_kept:
        return
    dropped = sorted(funnel.dropped.items(), key=lambda item: -item[1])
    where = ", ".join(f"{reason} {count}" for reason, count in dropped[:4]) or "nothing was sampled"
    reads = f"read {data.dropped.name} beside it, or loosen curate.filters"
    advice = _ADVICE.get(dropped[0][0] if dropped else "", reads)
    if _TEXT_ONLY.intersection(funnel.dropped):
        change = "train START-0 longer or on more rows (seed_round)"
        if stage.data.round == 1:
            change = "take other hints or harder problems"
        advice = f"no right answer came with a call of Python, though some came without, so {change}"
    raise EmptyDataError(
        f"{stage.data.name} kept 0 of {funnel.num_in} trajectories ({where}); {stage.name} needs at least 1 row: {advice}."
    )


_ADVICE: dict[str, str] = {
    DropReason.WRONG.value: "take a stronger base, easier problems, more samples or other hints",
    DropReason.TRUNCATED.value: "raise max_tokens, or take easier problems",
    DropReason.GREEDY_RIGHT.value: "the base solves them without hints, so take harder problems",
    DropReason.TOO_LONG.value: "raise curate.filters.max_tokens and train.max_length",
    DropReason.ERRORED.value: "see the rollout's log for its engine or sandbox errors",
}
"""What to change when most trajectories were dropped for one reason."""


_TEXT_ONLY = {DropReason.NO_TOOL_CALL.value, DropReason.OVER_QUOTA.value}
"""Why right trajectories without a call are dropped when none with a call stands beside them."""


def _few_rows(num_rows: int, settings: SftSettings) -> str:
    """A remark when the rows of all epochs do not fill one batch, so that each is taken more often than asked for."""
    wanted = num_rows * settings.epochs
    if settings.packing or wanted >= settings.global_batch_size:
        return ""
    times = settings.global_batch_size / num_rows
    return f" (fewer than fill a batch of {settings.global_batch_size}: each is taken {times:.0f} times)"


def _report(run: RunFolder, stage: ReportStage) -> StageResult:
    from selftaught.pipeline.report import make_report

    return make_report(run, stage)
