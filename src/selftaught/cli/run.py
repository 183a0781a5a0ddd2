"""``selftaught run RECIPE --out RUN``: all stages of a recipe, both rounds; the same command resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="run")
    def run(
        recipe: Annotated[
            str, typer.Argument(help="A YAML file, or the name of a shipped recipe (`selftaught ls recipes`).")
        ],
        out: Annotated[Path | None, typer.Option(help="Run folder; the same folder resumes.")] = None,
        fresh: Annotated[
            bool, typer.Option("--fresh", help="Delete what this run has written there and start over.")
        ] = False,
        reuse: Annotated[
            list[Path] | None,
            typer.Option(
                help="Another run: its finished stages are taken over where settings and inputs are the same."
            ),
        ] = None,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Print the plan of what is left to do, and stop.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="With --dry-run: the plan as one JSON document.")] = False,
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="Override a recipe key: seed=1, pool.limit=100.")
        ] = None,
        cores: Annotated[int | None, typer.Option(min=1, help="CPU cores to use; all by default.")] = None,
    ) -> None:
        """Run a recipe: rollouts, grading, curation, training and evaluation of both rounds."""
        from selftaught.errors import ConfigError
        from selftaught.pipeline.load import load_recipe

        loaded = load_recipe(recipe, set_)
        if dry_run:
            from selftaught.pipeline.plan import print_plan

            print_plan(loaded, out, fresh=fresh, reuse=reuse or (), as_json=as_json)
            return
        if out is None:
            raise ConfigError("--out is missing; name the run's folder, or --dry-run for the plan.")
        from selftaught.pipeline.execute import execute
        from selftaught.pipeline.report import show_report

        show_report(execute(loaded, out, fresh=fresh, reuse=reuse or (), num_cores=cores))
