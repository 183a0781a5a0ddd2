"""``selftaught verify RUN``: prove that the token ledger of a run holds."""

from __future__ import annotations

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
        from selftaught.rollouts.verify import verify_run
        from selftaught.runs.found import find_rollouts
        from selftaught.tokens.codec import Codec
        from selftaught.tokens.folder import tokenizer_folder

        codec = Codec(tokenizer_folder(model)) if model else None
        files = [run] if run.is_file() else [found.folder.trajectories for found in find_rollouts(run)]
        num_checked, first = 0, None
        for file in files:
            for mismatch in verify_run(file, codec):
                num_checked += 1
                if mismatch is not None:
                    first = mismatch
                    break
            if first is not None:
                break
        if as_json:
            print(
                json.dumps(
                    {
                        "holds": first is None,
                        "checked": num_checked,
                        "files": len(files),
                        "mismatch": str(first) if first else None,
                    }
                )
            )
        if first is not None:
            raise IncompleteError(f"the ledger does not hold: {first}")
        if not as_json:
            print(f"the ledger holds: {num_checked} trajectories in {len(files)} files")
            sys.stdout.flush()
