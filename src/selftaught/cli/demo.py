"""``selftaught demo``: the whole START loop on the embedded reasoner, from nothing to a table and a report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="demo")
    def demo(
        out: Annotated[Path, typer.Option(help="Run folder; the same folder resumes.")] = Path("runs/demo"),
        fresh: Annotated[
            bool, typer.Option("--fresh", help="Delete what this run has written there and start over.")
        ] = False,
        recipe: Annotated[str, typer.Option(help="Another recipe for the embedded reasoner.")] = "demo",
        set_: Annotated[
            list[str] | None, typer.Option("--set", help="Override a recipe key: seed=1, evaluate.scaling_rounds=0.")
        ] = None,
        cores: Annotated[int | None, typer.Option(min=1, help="CPU cores to use; all by default.")] = None,
    ) -> None:
        """Run START's figure on the embedded reasoner: about ten minutes on two CPU cores.

        Again, it shows the table at once; stopped at any point, it goes on where it was.
        """
        from selftaught.pipeline.execute import execute
        from selftaught.pipeline.load import load_recipe
        from selftaught.pipeline.report import show_report
        from selftaught.runs.folders import RunFolder

        loaded = load_recipe(recipe, set_)
        if not fresh and not RunFolder(out).record.exists():
            print(
                f"START on the embedded reasoner, into {out}. Stop it at any time; the same command goes on.",
                file=sys.stderr,
            )
        result = execute(loaded, out, fresh=fresh, num_cores=cores, verb="demo")
        show_report(result)
