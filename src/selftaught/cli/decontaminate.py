"""``selftaught decontaminate TRAIN --against BENCH… --out DIR``: take out training problems that overlap with benchmarks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from selftaught.cli.problem_options import DropOption, MapOption


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="decontaminate")
    def decontaminate(
        train: Annotated[
            str,
            typer.Argument(help="Training problems: a file (JSON Lines, JSON, CSV, Parquet), a folder or a hub id."),
        ],
        against: Annotated[list[str], typer.Option(help="A benchmark file or name; may be given several times.")],
        out: Annotated[Path, typer.Option(help="Folder for kept.jsonl, removed.jsonl and decontamination.json.")],
        min_share: Annotated[
            float,
            typer.Option(min=0.01, max=1.0, help="Share of a benchmark problem's 10-word runs that removes a row."),
        ] = 0.5,
        exact: Annotated[bool, typer.Option("--exact", help="Remove equal texts only.")] = False,
        mapping: MapOption = None,
        drop: DropOption = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON document.")] = False,
    ) -> None:
        """Split TRAIN into kept.jsonl and removed.jsonl, each removed row with what it matched.

        A row goes when it shares half of a benchmark problem's 10-word runs, when it has a 13-word run in common and 60 % of
        the words in order (as Qwen2.5-Math does), when the words are equal, or when a short question stands whole in the other.
        --map and --drop are for TRAIN; benchmarks are read as they are.
        """
        from selftaught.errors import ConfigError
        from selftaught.problems import ProblemQuery, load_problems
        from selftaught.problems.decontaminate import Decontaminator, Method
        from selftaught.problems.split import split_file
        from selftaught.runs.folders import Folder
        from selftaught.runs.record import RunKind, read_claimable

        names = [name.strip() for item in against for name in item.split(",") if name.strip()]
        if not names:
            raise ConfigError("--against is empty; expected a benchmark's name or file.")
        folder = Folder(out)
        read_claimable(out, RunKind.CURATION)
        method = Method.EXACT if exact else Method.OVERLAP
        index = Decontaminator([(n, load_problems(n)) for n in names], min_share=min_share, method=method)
        folder.make()
        summary = split_file(ProblemQuery.of(train, mapping=mapping, drop=drop), index, out)
        if as_json:
            print(json.dumps(summary.model_dump(mode="json")))
        else:
            print(
                f"{summary.num_kept} kept, {summary.num_removed} removed of {summary.num_in}, against {len(index)} problems."
            )
            for reason, count in summary.reasons.items():
                print(f"  {reason}: {count}")
            print(f"In {out}: kept.jsonl, removed.jsonl, decontamination.json", file=sys.stderr)
