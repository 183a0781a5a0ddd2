"""Options that several verbs share: how a served model is reached."""

from __future__ import annotations

from typing import Annotated

import typer

ModelName = Annotated[str | None, typer.Option(help="Name of the model on a server.")]
Tokenizer = Annotated[
    str | None, typer.Option(help="Tokenizer of a served model, if the server's own folder is not here.")
]
AllowText = Annotated[
    bool,
    typer.Option(
        "--allow-text", help="Take a server that gives text without token ids; not for training unless curated so."
    ),
]
