"""``selftaught push FOLDER --repo OWNER/NAME``: a model, a data set or a run's records to the Hugging Face hub."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="push")
    def push(
        folder: Annotated[Path, typer.Argument(help="A model's folder, a data set's (see curate), or a run's.")],
        repo: Annotated[
            str, typer.Option(metavar="OWNER/NAME", help="Repository on the hub; made when it is missing.")
        ],
        upload: Annotated[
            bool, typer.Option("--upload", help="Upload. Without it, the list of files is printed and nothing is sent.")
        ] = False,
        public: Annotated[
            bool, typer.Option("--public", help="Make a new repository public; else it is private.")
        ] = False,
        message: Annotated[str | None, typer.Option(help="Message of the commit.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print the plan as one JSON document.")] = False,
    ) -> None:
        """Put a model, a data set or the records of a run, each with its card, on the Hugging Face hub.

        Without --upload it only says what would go there. Of a run, texts whose owners ask that they are not published are left out.
        Example: selftaught push runs/demo/round2/start --repo me/start-toy
        """
        from selftaught.report.push import planned
        from selftaught.report.push import upload as send

        with planned(folder, repo, private=not public, message=message or "") as plan:
            if upload:
                plan = send(plan)
        if as_json:
            print(plan.model_dump_json(indent=2))
            return
        for file in plan.files:
            print(f"{file.size:>15,}  {file.name}")
        shown = "private" if plan.private else "public"
        print(f"{len(plan.files)} files, {plan.size:,} bytes: {plan.kind} → {plan.repo} ({plan.repo_type}, {shown})")
        if plan.num_withheld:
            print(f"The text of {plan.num_withheld} problems is withheld.", file=sys.stderr)
        if plan.url is None:
            print("Nothing was sent; --upload sends it.", file=sys.stderr)
        else:
            print(plan.url)
