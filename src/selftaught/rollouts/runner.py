"""Rolls many problems out: plans what is missing, spreads it over workers, appends what comes back.

`run_rollout` is synchronous and owns ``trajectories.jsonl``: only this process writes it, one whole line at a time, so
a kill loses at most the trajectories in flight. A rerun does what is missing or ended in an error. Tasks are handed out
as rows become free, so memory grows with the rows in flight, not with the number of problems.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from selftaught.errors import ConfigError, DataError, IncompleteError
from selftaught.progress import Progress, Reporter, silent
from selftaught.records import Problem, StopReason, Trajectory, trajectory_id
from selftaught.rollouts.checks import check_settings
from selftaught.rollouts.manifest import claim_folder, write_stats
from selftaught.rollouts.number_type import settle_dtype
from selftaught.rollouts.plain import PlainRun, check_plain
from selftaught.rollouts.pool import WorkerProcess, shared_pool
from selftaught.rollouts.probe_settings import ProbeSettings, incomplete_samples
from selftaught.rollouts.progress import RolloutSummary, Tally, stall_report
from selftaught.rollouts.settings import RolloutSettings
from selftaught.rollouts.worker import Finished, Pulse, Report, Setup, Task, TaskDone, WorkerCore, WorkerStats
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.lock import WriterLock
from selftaught.store import JsonlWriter, iter_lines, parse_object, read_jsonl, repair_tail, write_atomic

__all__ = ["RolloutSummary", "run_rollout"]

Scorer = Callable[[Problem, Trajectory], "bool | None"]
Receive = Callable[[Finished], None]
Tick = Callable[["Pulse | None"], None]
_PROGRESS_EVERY_S = 0.5
_MAX_RESTARTS = 5
"""Worker processes that may die in one run. More deaths have a cause that a fresh process does not remove, such as a
lack of memory."""


def run_rollout(
    problems: Sequence[Problem],
    model: str,
    out: Path,
    settings: RolloutSettings,
    progress: Reporter = silent,
    scorer: Scorer | None = None,
    problem_file: Path | None = None,
    what: str = "rollout",
    plain: PlainRun | None = None,
    probe: ProbeSettings | None = None,
) -> RolloutSummary:
    """Roll ``settings.sampling.samples`` samples of every problem out with ``model`` into ``out/trajectories.jsonl``.

    Resumes by trajectory id; refuses a folder that holds a run of other settings, another model or another text under
    an old id, and one that another process writes. The problems are kept in the folder, unless ``problem_file`` says
    where they lie already. ``progress`` is called about twice a second, as ``what``. ``scorer`` gives an accuracy on
    the way; it must be quick. ``plain`` gives a second folder, with what the run without hints would have written
    there; the tokens up to the first hint are sampled once for both. ``probe``: fork each trajectory at its own places. Raises ConfigError, EngineError, SandboxError; a
    model's mistake never raises.
    """
    check_settings(settings, model)
    if plain is not None:
        check_settings(plain.settings, model)
        check_plain(settings, plain.settings)
    with ExitStack() as stack:
        hinted = _Output.claimed(stack, out, model, settings, problems, problem_file, probe)
        beside = None
        if plain is not None:
            beside = _Output.claimed(stack, plain.out, model, plain.settings, problems, problem_file)
        return _roll_out(problems, model, hinted, beside, probe, progress, scorer, what)


@dataclass
class _Output:
    """A folder that is written: locked and claimed, with what it holds already."""

    folder: RolloutFolder
    settings: RolloutSettings
    finished: set[str]
    writer: JsonlWriter
    lacking: set[tuple[str, int]]
    """(problem, sample) of those that lack a branch."""

    @classmethod
    def claimed(
        cls,
        stack: ExitStack,
        out: Path,
        model: str,
        settings: RolloutSettings,
        problems: Sequence[Problem],
        problem_file: Path | None,
        probe: ProbeSettings | None = None,
    ) -> _Output:
        """Lock and claim ``out`` for as long as ``stack`` is open."""
        folder = RolloutFolder(out)
        stack.enter_context(WriterLock(folder.lock, "rollout"))
        settings = settle_dtype(settings, model, folder)
        claim_folder(folder, model, settings, problems, problem_file, probe)
        finished, lacking = finished_ids(folder), set()
        if probe is not None and finished:  # a branch that ended in an error was moved away
            lacking = incomplete_samples(read_jsonl(folder.trajectories, Trajectory))
        writer = stack.enter_context(JsonlWriter(folder.trajectories))
        return cls(folder, settings, finished, writer, lacking)

    def missing(self, problems: Sequence[Problem]) -> deque[Task]:
        """See `missing_tasks`; also the samples that lack a branch."""
        tasks = missing_tasks(problems, self.settings, self.finished)
        if not self.lacking:
            return tasks
        wanted = {task.key for task in tasks} | self.lacking
        return deque(task for task in missing_tasks(problems, self.settings, set()) if task.key in wanted)

    def take(self, done: Finished) -> bool:
        """Write a trajectory; False for one that an earlier, interrupted run had already written."""
        if done.id in self.finished:
            return False
        self.writer.write_line(done.line)
        self.finished.add(done.id)
        return True


def _roll_out(
    problems: Sequence[Problem],
    model: str,
    hinted: _Output,
    plain: _Output | None,
    probe: ProbeSettings | None,
    progress: Reporter,
    scorer: Scorer | None,
    what: str,
) -> RolloutSummary:
    """`run_rollout` in folders that are locked and claimed."""
    settings = hinted.settings
    tasks = hinted.missing(problems)
    num_per_task = settings.hints.rounds + 1 if settings.hints.record_rounds else 1
    total = len(problems) * settings.sampling.samples * num_per_task
    resumed = total - len(tasks) * num_per_task
    if plain is not None:  # a sample is done when both folders have it
        lacking = {task.key for task in (*tasks, *plain.missing(problems))}
        tasks = deque(task for task in missing_tasks(problems, settings, set()) if task.key in lacking)
    tally = Tally(what, total=total, resumed=resumed)
    by_id = {problem.id: problem for problem in problems}
    stats: list[WorkerStats] = []
    last_shown = 0.0

    def receive(done: Finished) -> None:
        if done.is_plain:
            if plain is not None and plain.take(done):
                tally.add_beside(done)
        elif done.is_branch:
            if hinted.take(done):
                tally.add_beside(done)
        elif hinted.take(done):
            verdict = None
            if scorer is not None:
                trajectory = Trajectory.model_validate_json(done.line)
                verdict = scorer(by_id[trajectory.problem_id], trajectory)
            tally.add(done, verdict)

    def tick(pulse: Pulse | None) -> None:
        nonlocal last_shown
        if pulse is not None:
            tally.decoded[pulse.worker] = pulse.num_tokens
        if time.perf_counter() - last_shown >= _PROGRESS_EVERY_S:
            last_shown = time.perf_counter()
            progress(tally.snapshot())

    if tasks:
        setup = Setup(model, settings, plain=plain.settings if plain is not None else None, probe=probe)
        progress(Progress(what, tally.resumed, total, notes=(f"loading {model}",)))
        spread = _in_processes if settings.spread.workers else _in_this_process
        stats = spread(tasks, setup, receive, tick)
    progress(tally.snapshot(finished=True))
    summary = RolloutSummary(
        out=str(hinted.folder.path),
        num_trajectories=len(hinted.finished),
        num_new=tally.done,
        num_resumed=tally.resumed,
        num_failed=tally.errors,
        stop_reasons=dict(sorted(tally.reasons.items())),
        model_tokens=tally.tokens,
        call_rate=tally.with_calls / tally.done if tally.done else 0.0,
        seconds=round(time.perf_counter() - tally.started, 3),
        sandbox_tier=next((one.tier for one in stats if one.tier), ""),
        stall=stall_report(stats, settings.spread.max_rows),
        num_beside=tally.num_beside,
        shared_tokens=tally.shared_tokens,
    )
    if stats:
        write_stats(hinted.folder, summary)
    return summary


def missing_tasks(problems: Sequence[Problem], settings: RolloutSettings, finished: set[str]) -> deque[Task]:
    """Samples that lack a trajectory, in the order of the problems. ConfigError when two problems share an id."""
    rounds: list[int | None] = list(range(settings.hints.rounds + 1)) if settings.hints.record_rounds else [None]
    seen: set[str] = set()
    tasks: deque[Task] = deque()
    for problem in problems:
        if problem.id in seen:
            raise ConfigError(f"problem id {problem.id!r} occurs twice; expected unique ids.")
        seen.add(problem.id)
        for sample in range(settings.sampling.first_sample, settings.sampling.first_sample + settings.sampling.samples):
            if any(trajectory_id(problem.id, sample, round_) not in finished for round_ in rounds):
                tasks.append(Task(problem, sample))
    return tasks


def finished_ids(folder: RolloutFolder) -> set[str]:
    """Ids in the file that need no second run. Trajectories that ended in an error are moved to ``failures.jsonl``.

    The file is replaced as a whole, so that whoever reads it meanwhile goes on with the old one. The failures are
    appended first: a kill in between doubles a failure and loses no trajectory.
    """
    path = folder.trajectories
    if not path.exists():
        return set()
    repair_tail(path)
    finished: set[str] = set()
    failed = 0
    failures = [reason for reason in StopReason if reason.is_failure]
    # Most lines end well. They are told by a search in the bytes; only a line with a marker is parsed, since a model
    # may have written the marker itself.
    markers = tuple(f'"stop_reason":"{reason.value}"'.encode() for reason in failures)
    for number, line in iter_lines(path):
        place = f"{path}:{number}"
        if (
            any(marker in line for marker in markers)
            and parse_object(line, place, "stop_reason")["stop_reason"] in failures
        ):
            failed += 1
            continue
        finished.add(_line_id(line, place))
    if failed:
        with JsonlWriter(folder.failures) as kept:
            for number, line in iter_lines(path):
                if _line_id(line, f"{path}:{number}") not in finished:
                    kept.write_line(line.decode().rstrip("\n"))
        write_atomic(
            path, (line for number, line in iter_lines(path) if _line_id(line, f"{path}:{number}") in finished)
        )
    return finished


def _line_id(line: bytes, place: str) -> str:
    """The ``id`` of a trajectory's line, which stands near its beginning; the rest of the line is not parsed."""
    start = line.find(b'"id":')
    try:
        if start < 0 or not line.rstrip().endswith(b"}"):
            raise ValueError("no id, or the line is cut")
        value, _ = json.JSONDecoder().raw_decode(line[start + 5 : start + 5 + 4096].decode("utf-8", "ignore").lstrip())
    except ValueError:
        raise DataError(f"{place}: not a trajectory; delete that line, and the same command does it again.") from None
    return str(value)


# --------------------------------------------------------------------------------------------------- in this process


def _in_this_process(tasks: deque[Task], setup: Setup, receive: Receive, tick: Tick) -> list[WorkerStats]:
    return asyncio.run(_serve_here(tasks, setup, receive, tick))


async def _serve_here(tasks: deque[Task], setup: Setup, receive: Receive, tick: Tick) -> list[WorkerStats]:
    free = asyncio.Semaphore(setup.in_flight)
    errors: list[str] = []

    def send(message: object) -> None:
        if isinstance(message, Finished):
            receive(message)
            tick(None)
        elif isinstance(message, Pulse):
            tick(message)
        elif isinstance(message, TaskDone):
            free.release()
            if message.error:
                errors.append(f"{message.key}: {message.error}")

    core = WorkerCore(send=send)
    try:
        await core.setup(setup)
        while tasks:
            await free.acquire()
            core.submit(tasks.popleft())
        for _ in range(setup.in_flight):  # all permits are back when the last task is done
            await free.acquire()
        stats = core.stats()
    finally:
        await core.aclose()
    _raise_broken(errors)
    return [stats]


def _raise_broken(errors: list[str]) -> None:
    if errors:
        raise IncompleteError(
            f"{len(errors)} trajectories could not be made; the first: {errors[0]}. Run again to retry them."
        )


# ------------------------------------------------------------------------------------------------------- in processes


def _in_processes(tasks: deque[Task], setup: Setup, receive: Receive, tick: Tick) -> list[WorkerStats]:
    settings = setup.settings
    pool = shared_pool()
    workers = pool.ensure(min(settings.spread.workers, len(tasks)))
    pool.setup(workers, setup)
    # Tasks that a worker holds: no more than its share, or the first worker would take a small run for itself.
    depth = max(1, min(setup.in_flight, -(-len(tasks) // len(workers))))
    open_tasks: dict[WorkerProcess, dict[tuple[str, int], Task]] = {worker: {} for worker in workers}
    errors: list[str] = []
    restarts = 0

    def top_up(worker: WorkerProcess) -> None:
        while tasks and len(open_tasks[worker]) < depth:
            task = tasks.popleft()
            open_tasks[worker][task.key] = task
            worker.connection.send(task)

    try:
        for worker in workers:
            top_up(worker)
        while any(open_tasks.values()):
            for worker, message in _messages(list(open_tasks)):
                if message is None:  # the process died: its tasks go back, a fresh one takes over
                    lost = open_tasks.pop(worker)
                    tasks.extendleft(reversed(lost.values()))
                    restarts += 1
                    if restarts > _MAX_RESTARTS:
                        raise IncompleteError(
                            f"worker processes died {restarts} times; the last with code {worker.process.poll()}."
                        )
                    fresh = pool.replace(worker)
                    pool.setup([fresh], setup)
                    open_tasks[fresh] = {}
                    top_up(fresh)
                elif isinstance(message, Finished):
                    receive(message)
                elif isinstance(message, Pulse):
                    tick(message)
                elif isinstance(message, TaskDone):
                    open_tasks[worker].pop(message.key, None)
                    if message.error:
                        errors.append(f"{message.key}: {message.error}")
                    top_up(worker)
            tick(None)
        stats = _collect_stats(list(open_tasks))
    except BaseException:
        pool.close()  # whatever the workers are at, nobody wants it any more
        raise
    _raise_broken(errors)
    return stats


def _messages(workers: list[WorkerProcess]) -> Iterator[tuple[WorkerProcess, object]]:
    """What the workers sent; None for one that died."""
    by_connection = {worker.connection: worker for worker in workers}
    for connection in wait(list(by_connection), timeout=_PROGRESS_EVERY_S):
        worker = by_connection[connection]  # type: ignore[index]
        try:
            yield worker, worker.connection.recv()
            while worker.connection.poll():
                yield worker, worker.connection.recv()
        except (EOFError, OSError):
            yield worker, None


def _collect_stats(workers: list[WorkerProcess]) -> list[WorkerStats]:
    stats = []
    for worker in workers:
        worker.connection.send("report")
        while not isinstance(answer := worker.connection.recv(), Report):
            continue  # a last pulse
        stats.append(answer.stats)
    return stats
