"""Options of every verb that takes problems: which columns are what, and which rows are left out."""

from __future__ import annotations

from typing import Annotated

import typer

MapOption = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="KEY=COLUMN,…",
        help="Columns of the problem file: problem=question,answer=final_answer. Dotted paths reach into them: reward_model.ground_truth.",
    ),
]
"""``--map``, as `selftaught.problems.mapping` reads it."""

DropOption = Annotated[
    list[str] | None,
    typer.Option(
        "--drop",
        metavar="RULE",
        help="Rows to leave out: 'answer in proof,notfound,' or 'level < 3'. May be given several times; each is counted.",
    ),
]
"""``--drop``, as `selftaught.problems.drop` reads it."""
