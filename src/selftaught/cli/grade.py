"""``selftaught grade``: the trajectories of a run, or pairs of answers, or programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from selftaught.cli.problem_options import DropOption, MapOption, query_of

if TYPE_CHECKING:
    from selftaught.grading import Grader
    from selftaught.problems import ProblemQuery


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("grade")
    def grade(
        run: Path | None = typer.Argument(
            None, help="Folder of a rollout, an evaluation or a run; all rollouts in it are graded.", show_default=False
        ),
        problems: str | None = typer.Option(
            None,
            "--problems",
            help="Problem file or benchmark. Default: the problems that the folder keeps.",
            show_default=False,
        ),
        pairs: Path | None = typer.Option(
            None, "--pairs", help='Lines {"id", "kind": "math"|"choice", "prediction", "gold"}.', show_default=False
        ),
        programs: Path | None = typer.Option(
            None,
            "--programs",
            help='Lines {"id", "kind": "stdin"|"function", "fn_name", "solution", "tests", "timeout"}.',
            show_default=False,
        ),
        mapping: MapOption = None,
        drop: DropOption = None,
        workers: int = typer.Option(2, "--workers", min=1, help="Worker processes."),
        timeout: float = typer.Option(6.0, "--timeout", min=0.1, help="Seconds a test of a program."),
        regrade: bool = typer.Option(False, "--regrade", help="Grade everything anew; trajectories are only read."),
        qwen_tolerance: bool = typer.Option(
            False,
            "--qwen-tolerance",
            help="Also let pass what Qwen2.5-Math's grader does (1e-4, percent, bracket types): to match published figures only.",
        ),
        lcb_exact: bool = typer.Option(
            False,
            "--lcb-exact",
            help="Run programs as LiveCodeBench's runner does, its faults included: to match published figures only.",
        ),
        json_: bool = typer.Option(False, "--json", help="Print one JSON document."),
    ) -> None:
        """Judge the trajectories of a run, or answer pairs, or programs.

        Examples: selftaught grade runs/demo · selftaught grade --pairs pairs.jsonl · selftaught grade --programs programs.jsonl
        """
        from selftaught.errors import ConfigError
        from selftaught.grading import Grader

        if sum(given is not None for given in (run, pairs, programs)) != 1:
            raise ConfigError("grade takes one thing: a run's folder, --pairs FILE or --programs FILE.")
        query = query_of(problems, mapping, drop)
        with Grader(workers, timeout, qwen_tolerance=qwen_tolerance, lcb_exact=lcb_exact) as grader:
            if run is not None:
                _grade_run(run, query, grader, regrade, json_)
            else:
                _grade_batch(pairs, programs, grader)


def _grade_batch(pairs: Path | None, programs: Path | None, grader: Grader) -> None:
    from selftaught.grading.batch import grade_pairs, grade_programs

    if pairs is not None:
        for pair in grade_pairs(pairs, grader):
            print(pair.model_dump_json(), flush=True)
    elif programs is not None:
        for program in grade_programs(programs, grader):
            print(program.model_dump_json(), flush=True)


def _grade_run(run: Path, problems: ProblemQuery | None, grader: Grader, regrade: bool, as_json: bool) -> None:
    import json
    import sys

    from selftaught.cli.next_step import say_next
    from selftaught.grading.folder import grade_folder
    from selftaught.progress.bars import bars

    given = problems.load() if problems is not None else None
    results = []
    if not as_json:
        print("run\taccuracy\ttrajectories", file=sys.stderr)
    for graded in grade_folder(run, grader, bars, problems=given, regrade=regrade):
        results.append(graded.document())
        if not as_json:
            summary = graded.summary
            outcomes = ", ".join(f"{outcome.value} {count}" for outcome, count in summary.outcomes.most_common())
            print(f"{graded.grades}: {summary.num_new} new of {summary.num_total}; {outcomes}", file=sys.stderr)
            if summary.num_ungraded:
                print(
                    f"{graded.grades}: {summary.num_ungraded} trajectories have no reference and stay ungraded; "
                    "--problems FILE gives references.",
                    file=sys.stderr,
                )
            for name, count in summary.others.items():
                print(
                    f"{graded.grades}: {count} grades are of {name}, this is {grader.name}; --regrade makes them anew.",
                    file=sys.stderr,
                )
            print(f"{graded.folder}\t{summary.accuracy:.4f}\t{summary.num_total}")
    if as_json:
        print(json.dumps({"runs": results}, indent=2))
    elif run.is_dir():
        say_next("report", run)
