"""Export one graded run as a log of Inspect (``inspect view``): one ``.eval`` file a condition and benchmark.

Thinking, code, output and answer stand in one assistant message, in order; the score carries our verdict, the extracted
answer and the rule that decided. Needs the package ``inspect-ai``.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from selftaught.errors import MissingPartError
from selftaught.evals.build import EvalRun
from selftaught.evals.rows import row_of
from selftaught.manner import Manner
from selftaught.problems import render_question
from selftaught.records import Grade, Problem, SpanSource, Trajectory
from selftaught.rollouts.opening import manner_before
from selftaught.store import read_jsonl

SCORER = "selftaught"
WITHHELD = "[withheld: its authors ask that this question is not published]"


def write_inspect_log(
    run: EvalRun, benchmark: str, problems: Mapping[str, Problem], out: Path, *, withhold_text: bool = True
) -> Path:
    """Write ``out`` (``….eval``) from a run's trajectories and grades. MissingPartError without inspect-ai.

    Questions that may not stand on the web (GPQA), and what was written about them, are left out unless
    ``withhold_text`` is off.
    """
    try:
        log: Any = importlib.import_module("inspect_ai.log")
        model: Any = importlib.import_module("inspect_ai.model")
        scorer: Any = importlib.import_module("inspect_ai.scorer")
    except ImportError:
        raise MissingPartError("export to Inspect needs inspect-ai; pip install inspect-ai.") from None
    manner = manner_before(run.model)
    grades = {grade.trajectory_id: grade for grade in read_jsonl(run.grades, Grade)}
    samples = [
        _sample(
            log,
            model,
            scorer,
            run,
            trajectory,
            problems[trajectory.problem_id],
            grades.get(trajectory.id),
            manner=manner,
            withhold_text=withhold_text,
        )
        for trajectory in read_jsonl(run.trajectories, Trajectory)
        if trajectory.problem_id in problems
    ]
    right = sum(grades[s.metadata["trajectory_id"]].correct for s in samples if s.metadata["trajectory_id"] in grades)
    score = log.EvalScore(
        name=SCORER,
        scorer=SCORER,
        metrics={"accuracy": log.EvalMetric(name="accuracy", value=right / max(1, len(samples)))},
    )
    created = next(
        (trajectory.created_at for trajectory in read_jsonl(run.trajectories, Trajectory)), "1970-01-01T00:00:00Z"
    )
    document = log.EvalLog(
        status="success",
        eval=log.EvalSpec(
            created=created.replace("Z", "+00:00"),
            task=f"{benchmark}_{run.condition}",
            dataset=log.EvalDataset(name=benchmark, samples=len(problems), sample_ids=list(problems)),
            model=run.model or "unknown",
            config=log.EvalConfig(epochs=max((sample.epoch for sample in samples), default=1)),
            metadata={"condition": run.condition, "decoding": run.decoding},
        ),
        results=log.EvalResults(total_samples=len(samples), completed_samples=len(samples), scores=[score]),
        stats=log.EvalStats(started_at=created.replace("Z", "+00:00"), completed_at=created.replace("Z", "+00:00")),
        samples=samples,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    log.write_eval_log(document, str(out), format="eval")
    return out


def _sample(
    log: Any,
    model: Any,
    scorer: Any,
    run: EvalRun,
    trajectory: Trajectory,
    problem: Problem,
    grade: Grade | None,
    *,
    manner: Manner,
    withhold_text: bool,
) -> Any:
    question = render_question(problem, manner)
    text = trajectory.text_after_prompt()
    extracted = grade.extracted if grade else None
    if withhold_text and problem.metadata.get("secret"):
        question = text = WITHHELD
        extracted = extracted if extracted and len(extracted) <= 3 else None
    row = row_of(trajectory, grade.outcome) if grade else None
    output = model.ModelOutput.from_content(run.model or "unknown", text)
    output.usage = model.ModelUsage(
        input_tokens=trajectory.num_tokens(SpanSource.PROMPT), output_tokens=trajectory.num_tokens(SpanSource.MODEL),
        total_tokens=len(trajectory.token_ids()),
    )  # fmt: skip
    scores: dict[str, Any] = {}
    kept = ("group", "family", "subject", "level")
    details: dict[str, Any] = {key: problem.metadata[key] for key in kept if key in problem.metadata}
    if grade is not None:
        scores[SCORER] = scorer.Score(
            value="C" if grade.correct else "I",
            answer=extracted,
            explanation=f"{grade.outcome.value} by {grade.path}. {grade.reason}".strip(),
        )
    return log.EvalSample(
        id=problem.id,
        epoch=trajectory.sample + 1,
        input=question,
        target=problem.answer or "",
        messages=[model.ChatMessageUser(content=question), model.ChatMessageAssistant(content=text)],
        output=output,
        scores=scores,
        metadata={
            "trajectory_id": trajectory.id,
            "stop_reason": trajectory.stop_reason.value,
            "tool_calls": row.num_calls if row else 0,
            "hints": [hint.id for hint in trajectory.hints()],
            **details,
        },
    )
