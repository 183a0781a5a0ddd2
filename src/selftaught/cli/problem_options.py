"""Options of every verb that takes problems: which columns are what, and which rows are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from selftaught.problems import ProblemQuery

ProblemsArgument = Annotated[
    str, typer.Argument(help="A problem file, a folder, a hub id (owner/name) or a benchmark's name.")
]
"""``PROBLEMS`` of a verb that rolls them out."""

ModelOption = Annotated[str, typer.Option(help="Folder, hub id, `toy`, or http://…/v1 (several, comma-separated).")]
"""``--model`` of a verb that rolls problems out."""

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


def refuse_failed(num_failed: int) -> None:
    """IncompleteError when trajectories ended in an error: the same command does them again."""
    from selftaught.errors import IncompleteError

    if num_failed:
        raise IncompleteError(
            f"{num_failed} trajectories ended in an engine or sandbox error; the same command does them again."
        )


def query_of(
    source: object | None, mapping: str | None, drop: list[str] | None, option: str = "--problems"
) -> ProblemQuery | None:
    """The problems that an option names, or None when it is not given. ConfigError for ``--map`` or ``--drop`` without it."""
    from selftaught.errors import ConfigError
    from selftaught.problems import ProblemQuery

    if source is None:
        if mapping or drop:
            raise ConfigError(f"--map and --drop say how a problem file is read; name it with {option}.")
        return None
    return ProblemQuery.of(str(source), mapping=mapping, drop=drop)
