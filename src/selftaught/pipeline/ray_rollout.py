"""Rollouts over many nodes: Ray Data places client workers, each with its own sandbox, and the store stays where it is.

Problems that lack a trajectory are dealt to actors in small lots; an actor runs the ordinary ``run_rollout`` on its lot
in a scratch folder of its node and hands the lines back; this process alone appends them to ``trajectories.jsonl``, by
id. Draws depend on seed, problem and sample only, so that it does not matter which worker does what. A worker that dies
has its lot done again by another. Needs the ``ray`` extra; the nodes need this package, and the model's folder or a
server.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from selftaught.errors import IncompleteError, MissingPartError
from selftaught.records import Problem, SpanSource, Trajectory
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.manifest import claim_folder
from selftaught.rollouts.progress import RolloutSummary
from selftaught.rollouts.runner import finished_ids, missing_tasks
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.lock import WriterLock
from selftaught.store import JsonlWriter, iter_lines, read_jsonl

Progress = Callable[[int, int], None]
"""Called with (trajectories there, trajectories wanted)."""

MAX_ATTEMPTS = 3
"""Times that what is missing is dealt out again before the run gives up."""


class LotWorker:
    """An actor: rolls lots out with settings that it was made with."""

    def __init__(self, model: str, settings_json: str) -> None:
        self._model = model
        self._settings = RolloutSettings.model_validate_json(settings_json).changed(workers=0)

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """Trajectory lines of the problems in ``batch["problem"]``, as JSON."""
        problems = [Problem.model_validate_json(str(line)) for line in batch["problem"]]
        with tempfile.TemporaryDirectory(prefix="selftaught-lot-") as folder:
            run_rollout(problems, self._model, Path(folder), self._settings)
            lines = [line.decode().rstrip("\n") for _, line in iter_lines(RolloutFolder(Path(folder)).trajectories)]
        return {"trajectory": lines}


def run_rollout_ray(
    problems: Sequence[Problem],
    model: str,
    out: Path,
    settings: RolloutSettings,
    *,
    workers: int = 2,
    lot_size: int = 16,
    address: str | None = None,
    progress: Progress | None = None,
    problem_file: Path | None = None,
) -> int:
    """Roll out what is missing in ``out`` over ``workers`` Ray actors; return the number of trajectories there.

    ``address`` names a running cluster; without it Ray starts on this machine. IncompleteError when trajectories are
    still missing after three attempts; MissingPartError without Ray.
    """
    try:
        import ray
        import ray.data
    except ImportError:
        raise MissingPartError("rollouts over Ray need the ray package; pip install 'selftaught[ray]'.") from None
    folder = RolloutFolder(out)
    hints = settings.hints
    total = len(problems) * settings.sampling.samples * (hints.rounds + 1 if hints.record_rounds else 1)
    with WriterLock(folder.lock, "rollout"):
        claim_folder(folder, model, settings, problems, problem_file)
        if not ray.is_initialized():
            ray.init(address=address, log_to_driver=False, include_dashboard=False, logging_level="error")
        ray.data.DataContext.get_current().enable_progress_bars = False
        done = finished_ids(folder)
        with JsonlWriter(folder.trajectories) as writer:
            for _ in range(MAX_ATTEMPTS):
                missing = _missing(problems, settings, done)
                if not missing:
                    break
                for line, name in _deal(ray, missing, model, settings, workers, lot_size):
                    if name not in done:
                        writer.write_line(line)
                        done.add(name)
                        if progress:
                            progress(len(done), total)
    missing = _missing(problems, settings, done)
    if missing:
        raise IncompleteError(
            f"{len(missing)} of {len(problems)} problems lack trajectories after {MAX_ATTEMPTS} attempts; run again."
        )
    return len(done)


def summary_over_ray(
    problems: Sequence[Problem],
    model: str,
    out: Path,
    settings: RolloutSettings,
    *,
    workers: int,
    address: str | None,
    progress: Progress,
) -> RolloutSummary:
    """``run_rollout_ray`` for the command line: the summary of what lies in ``out``."""
    path, started = RolloutFolder(out).trajectories, time.monotonic()
    before = sum(1 for _ in iter_lines(path)) if path.exists() else 0
    count = run_rollout_ray(problems, model, out, settings, workers=workers, address=address, progress=progress)
    reasons: Counter[str] = Counter()
    tokens = calls = failed = 0
    for trajectory in read_jsonl(path, Trajectory):
        reasons[trajectory.stop_reason.value] += 1
        tokens += trajectory.num_tokens(SpanSource.MODEL)
        calls += bool(trajectory.tool_calls())
        failed += trajectory.stop_reason.is_failure
    return RolloutSummary(
        out=str(out),
        num_trajectories=count,
        num_new=count - before,
        num_resumed=before,
        num_failed=failed,
        stop_reasons=dict(sorted(reasons.items())),
        model_tokens=tokens,
        call_rate=calls / count if count else 0.0,
        seconds=round(time.monotonic() - started, 3),
    )


def _deal(
    ray: Any, problems: list[Problem], model: str, settings: RolloutSettings, workers: int, lot_size: int
) -> Iterator[tuple[str, str]]:
    """(line, id) of each trajectory as lots come back."""
    data = ray.data.from_items(
        [{"problem": problem.to_json()} for problem in problems],
        override_num_blocks=max(1, -(-len(problems) // lot_size)),
    )
    results = data.map_batches(
        LotWorker,
        fn_constructor_args=(model, settings.model_dump_json()),
        batch_size=lot_size,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    for row in results.iter_rows():
        line = str(row["trajectory"])
        yield line, Trajectory.model_validate_json(line).id


def _missing(problems: Sequence[Problem], settings: RolloutSettings, done: set[str]) -> list[Problem]:
    """Problems that lack any of their trajectories."""
    return list({task.problem.id: task.problem for task in missing_tasks(problems, settings, done)}.values())
