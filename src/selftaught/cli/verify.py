"""``selftaught verify RUN``: prove that the token ledger of a run holds."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="verify")
    def verify(
        run: Annotated[Path, typer.Argument(help="A run folder (all rollouts in it), or one trajectories file.")],
        model: Annotated[
            str | None, typer.Option(help="Model whose tokenizer made the ids; by default the run's own.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")] = False,
    ) -> None:
        """Decode, re-encode and re-check every trajectory; exit 1 at the first mismatch.

        Example: selftaught verify runs/demo
        """
        from selftaught.errors import IncompleteError
        from selftaught.rollouts.verify_folder import verify_folder

        found = verify_folder(run, model)
        if as_json:
            print(json.dumps(dataclasses.asdict(found)))
        if not found:
            raise IncompleteError(f"the ledger does not hold: {found.mismatch}")
        if not as_json:
            print(f"the ledger holds: {found.checked} trajectories in {found.files} files")
            sys.stdout.flush()
