"""Perform one stage: the only module that knows which part does what. Runs in a child process of its own.

Each function reads files of earlier stages, writes into the stage's folder and gives back counts. All of them may be killed
at any point and called again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from selftaught.errors import EmptyDataError
from selftaught.pipeline.markers import StageResult
from selftaught.pipeline.stages import (
    CurateStage,
    GradeStage,
    ProblemsStage,
    ReportStage,
    RolloutStage,
    Stage,
    TrainStage,
)
from selftaught.records import DropReason, Problem, SpanSource, Trajectory
from selftaught.store import read_jsonl, write_records
from selftaught.training.settings import SftSettings

Progress = Callable[[int, int], None]
"""Called with (done, total) of whatever the stage counts."""


def perform(run: Path, stage: Stage, workers: int, progress: Progress) -> StageResult:
    """Do one stage with up to ``workers`` processes."""
    match stage:
        case ProblemsStage():
            return _problems(run, stage)
        case RolloutStage():
            return _rollout(run, stage, workers, progress)
        case GradeStage():
            return _grade(run, stage, workers)
        case CurateStage():
            return _curate(run, stage, progress)
        case TrainStage():
            return _train(run, stage, progress)
        case ReportStage():
            return _report(run, stage)


def model_of(run: Path, model: str) -> str:
    """``stage:NAME`` as the folder of a model trained in this run; anything else as it stands."""
    name = model.removeprefix("stage:")
    return str(run / name) if name != model else model


def _problems(run: Path, stage: ProblemsStage) -> StageResult:
    from selftaught.pipeline.sources import load_source
    from selftaught.problems.decontaminate import decontaminate

    pool = load_source(stage.pool)
    test = load_source(stage.test) if stage.test else []
    removed = []
    if stage.decontaminate.enabled:
        benchmarks = [("test", test)] if test else []
        for name in stage.decontaminate.against:
            benchmarks.append((name, load_source_named(name)))
        result = decontaminate(
            pool, benchmarks, min_share=stage.decontaminate.min_share, method=stage.decontaminate.method
        )
        pool, removed = result.kept, result.removed
    folder = run / "problems"
    write_records(folder / "pool.jsonl", pool)
    write_records(folder / "removed.jsonl", removed)
    if stage.test:
        write_records(folder / "test.jsonl", test)
    detail = f"{len(pool)} in the pool, {len(removed)} removed as contaminated, {len(test)} to test on"
    return StageResult(detail=detail, outputs=[f"problems/{n}.jsonl" for n in ("pool", "removed", "test")])


def load_source_named(name: str) -> list[Problem]:
    """Problems of a benchmark named in ``decontaminate.against``."""
    from selftaught.problems import load_problems

    return load_problems(name)


def _rollout(run: Path, stage: RolloutStage, workers: int, progress: Progress) -> StageResult:
    from selftaught.rollouts import RolloutSettings, run_rollout

    problems = list(read_jsonl(run / stage.problems, Problem))
    if stage.serving is not None:  # a few client processes keep the replicas busy; their cores do no matrix products
        workers = min(workers, stage.serving.replicas)
    settings = RolloutSettings.model_validate({"workers": workers, **stage.options})
    model = model_of(run, stage.model)
    with ExitStack() as stack:
        if stage.serving is not None:
            from selftaught.pipeline.serving import served

            settings = settings.changed(model_name=settings.engine.model_name or model)
            logs = run / "logs" / stage.name.replace("/", ".")
            model = stack.enter_context(served(model, stage.serving, logs, stage.cluster))
        if stage.ray is not None:
            from selftaught.pipeline.ray_rollout import run_rollout_ray

            run_rollout_ray(problems, model, run / stage.name, settings, progress=progress, **stage.ray.model_dump())
        else:
            run_rollout(problems, model, run / stage.name, settings, progress=lambda now: progress(now.done, now.total))
    path = run / stage.name / "trajectories.jsonl"
    count = tokens = calls = 0
    for trajectory in read_jsonl(path, Trajectory):
        count += 1
        tokens += trajectory.num_tokens(SpanSource.MODEL)
        calls += bool(trajectory.tool_calls())
    detail = f"{count} trajectories, {calls} with a call"
    return StageResult(tokens=tokens, detail=detail, outputs=[f"{stage.name}/trajectories.jsonl"])


def _grade(run: Path, stage: GradeStage, workers: int) -> StageResult:
    from selftaught.grading import grade_run
    from selftaught.records import Grade

    problems = list(read_jsonl(run / stage.problems, Problem))
    folder = run / stage.folder
    grade_run(problems, folder / "trajectories.jsonl", folder / "grades.jsonl", workers)
    grades = list(read_jsonl(folder / "grades.jsonl", Grade))
    right = sum(grade.correct for grade in grades)
    return StageResult(detail=f"{right} of {len(grades)} right", outputs=[f"{stage.folder}/grades.jsonl"])


def _curate(run: Path, stage: CurateStage, progress: Progress) -> StageResult:
    from selftaught.curation import CurateInput, curate
    from selftaught.curation.records import Funnel
    from selftaught.tokens import Codec, tokenizer_folder

    settings = stage.settings
    if stage.max_rows_of:
        other = Funnel.model_validate_json((run / stage.max_rows_of / "funnel.json").read_text("utf-8"))
        most = min(other.num_kept, settings.max_rows.get("all", other.num_kept))
        settings = settings.model_copy(update={"max_rows": {**settings.max_rows, "all": max(1, most)}})
    inputs = [
        CurateInput(folder, run / folder, candidate=candidate, reference=reference)
        for folder, candidate, reference in stage.inputs
    ]
    problems = read_jsonl(run / "problems" / "pool.jsonl", Problem)
    codec = Codec(tokenizer_folder(model_of(run, stage.tokenizer)))
    funnel = curate(inputs, problems, run / stage.name, settings, codec=codec, progress=progress)
    detail = f"{funnel.num_kept} kept of {funnel.num_in} ({funnel.num_kept_text_only} text-only)"
    return StageResult(
        detail=detail, outputs=[f"{stage.name}/{n}" for n in ("kept.jsonl", "dropped.jsonl", "funnel.json")]
    )


def _train(run: Path, stage: TrainStage, progress: Progress) -> StageResult:
    from selftaught.pipeline.sources import model_source
    from selftaught.training.render import load_rows
    from selftaught.training.sft import train_sft

    _refuse_empty(run, stage)
    kept, base, out = run / stage.data / "kept.jsonl", model_source(model_of(run, stage.base)), run / stage.name
    if stage.launch.command:
        from selftaught.training.launch import TrainingJob, launch

        job = TrainingJob(kept=str(kept), base_model=base, out=str(out), settings=stage.settings)
        summary = launch(stage.launch.command, stage.launch.environment, job, stage.cluster)
    else:
        rows = load_rows(kept, stage.settings.loss, stage.settings.max_length)
        summary = train_sft(rows, base, out, stage.settings, progress=progress)
    few = _few_rows(summary.num_rows, stage.settings)
    loss = f", loss {summary.final_loss:.3f}" if summary.final_loss is not None else ""
    detail = f"{summary.num_rows} rows{few}, {summary.num_steps} steps{loss}, {summary.tokens_per_second:.0f} tokens/s"
    tokens = round(summary.num_tokens * summary.epochs)
    return StageResult(tokens=tokens, detail=detail, outputs=[f"{stage.name}/model.safetensors"])


def _refuse_empty(run: Path, stage: TrainStage) -> None:
    """EmptyDataError when curation kept nothing: what went in, where it went, what to change."""
    from selftaught.curation.records import Funnel

    path = run / stage.data / "funnel.json"
    funnel = Funnel.model_validate_json(path.read_text("utf-8"))
    if funnel.num_kept:
        return
    dropped = sorted(funnel.dropped.items(), key=lambda item: -item[1])
    where = ", ".join(f"{reason} {count}" for reason, count in dropped[:4]) or "nothing was sampled"
    advice = _ADVICE.get(dropped[0][0] if dropped else "", "read dropped.jsonl beside it, or loosen curate.filters")
    if _TEXT_ONLY.intersection(funnel.dropped):
        first = stage.data.startswith("round1/")
        change = "take other hints or harder problems" if first else "train START-0 longer or on more rows (seed_round)"
        advice = f"no right answer came with a call of Python, though some came without, so {change}"
    raise EmptyDataError(
        f"{stage.data} kept 0 of {funnel.num_in} trajectories ({where}); {stage.name} needs at least 1 row: {advice}."
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


def _report(run: Path, stage: ReportStage) -> StageResult:
    from selftaught.pipeline.report import make_report

    return make_report(run, stage)
