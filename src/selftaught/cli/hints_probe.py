"""``selftaught hints probe`` and ``hints pair``: forks of the same prefix with and without hints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, flag, with_settings
from selftaught.cli.problem_options import DropOption, MapOption, ModelOption, ProblemsArgument, refuse_failed
from selftaught.cli.rollout import DEFAULT_WORKERS

if TYPE_CHECKING:
    from selftaught.uplift.probe import ProbeSummary


@with_settings(
    without=("hints", "rounds", "record_rounds"), defaults={"workers": DEFAULT_WORKERS, "logprobs": "triggers"}
)
def probe(
    problems: ProblemsArgument,
    model: ModelOption,
    out: Annotated[Path, typer.Option(help="Run folder; the same folder resumes.")],
    given: Given,
    places: Annotated[
        str, typer.Option(help="Places that may be forked: start, paragraph, word, conclusion, end, repetition.")
    ] = "paragraph,word,conclusion,end",
    forks: Annotated[int, typer.Option(min=1, max=6, help="Most places of one trajectory, each of another kind.")] = 2,
    hints_each: Annotated[int, typer.Option(min=1, max=20, help="Hints drawn for each place.")] = 3,
    try_: Annotated[
        str | None, typer.Option("--try", help="Try these hints at each place, instead of drawn ones.")
    ] = None,
    library: Annotated[Path | None, typer.Option(help="A hint library in YAML; the built-in one by default.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first problems.")] = None,
    mapping: MapOption = None,
    drop: DropOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
) -> None:
    """Fork trajectories at their own places, without and with hints, and grade every branch; the same command resumes.

    The pairs lie in forks.jsonl. Example: selftaught hints probe problems.jsonl --model toy --out runs/probe
    """
    from selftaught.problems import load_problems
    from selftaught.progress.bars import bars
    from selftaught.rollouts.defaults import for_rollout
    from selftaught.rollouts.probe_settings import ProbeSettings
    from selftaught.uplift.probe import run_probe

    policy = {"hints": f"{library}:none"} if library is not None else {}
    settings = for_rollout({"logprobs": "triggers", **given, **policy}, model, "probe", name=flag)
    chosen = ProbeSettings(places=_names(places), forks=forks, hints=_names(try_ or ""), hints_each=hints_each)
    loaded = load_problems(problems, limit=limit, mapping=mapping, drop=drop)
    with bars() as show:
        summary = run_probe(loaded, model, out, settings, chosen, progress=show)
    if as_json:
        print(summary.model_dump_json(indent=2))
    else:
        _tell(summary, out)
    refuse_failed(summary.num_failed)


def pair(
    plain: Annotated[Path, typer.Argument(metavar="PLAIN", help="Run folder without hints.", show_default=False)],
    hinted: Annotated[Path, typer.Argument(metavar="HINTED", help="Run folder with hints.", show_default=False)],
    problems: Annotated[Path, typer.Option(help="The problem file of both.")],
    out: Annotated[Path, typer.Option(help="Folder for forks.jsonl.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Forks from two rollouts that share each trajectory up to its hint, as those of a forked seed round do.

    Both must be graded. Example: selftaught hints pair RUN/round1/greedy RUN/round1/hinted --problems
    RUN/problems/pool.jsonl --out runs/pairs
    """
    from dataclasses import asdict

    from selftaught.cli.next_step import say_next
    from selftaught.errors import DataError
    from selftaught.problems import load_problems
    from selftaught.runs.folders import RolloutFolder
    from selftaught.store import write_records
    from selftaught.uplift.twins import TwinCounts, forks_of_twins

    known = {one.id: one for one in load_problems(str(problems))}
    counts = TwinCounts()
    forks = list(forks_of_twins(RolloutFolder(plain), RolloutFolder(hinted), known, counts))
    if not forks:
        raise DataError(
            f"{hinted} shares no trajectory with {plain} up to a hint ({counts.without_hint} without a hint, "
            f"{counts.without_twin} not in both or not graded, {counts.apart} that begin otherwise); expected two runs of "
            "the same model, problems, seed and temperature."
        )
    write_records(RolloutFolder(out).forks, forks)
    if as_json:
        print(json.dumps({"out": str(out), **asdict(counts)}))
        return
    print(out)
    print(
        f"{counts.taken} forks; left out: {counts.without_hint} without a hint, {counts.without_twin} not in both or not "
        f"graded, {counts.apart} that begin otherwise",
        file=sys.stderr,
    )
    say_next("hints", "uplift", out)


def _names(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _tell(summary: ProbeSummary, out: Path) -> None:
    from selftaught.cli.next_step import say_next

    print(out)
    where = ", ".join(f"{place} {count}" for place, count in summary.by_place.items()) or "no place was come to"
    print(
        f"{summary.num_trajectories} trajectories, {summary.num_branches} branches with a hint, {summary.num_forks} forks "
        f"({where}); {summary.gains} gains, {summary.losses} losses",
        file=sys.stderr,
    )
    print(
        f"{summary.sampled_tokens:,} tokens sampled; each branch by itself: {summary.tokens_apart:,} ({summary.cost:.2f}x)",
        file=sys.stderr,
    )
    say_next("hints", "uplift", out)
