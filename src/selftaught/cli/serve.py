"""``selftaught serve --model M``: an OpenAI-compatible server that thinks with Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from selftaught.cli.options import Given, flag, with_settings
from selftaught.keys import COMMON_KEY, MODEL_KEY, clients_keys

if TYPE_CHECKING:
    from selftaught.rollouts.settings import RolloutSettings
    from selftaught.serve.backend import Backend
    from selftaught.serve.server import Server

MANY = ("samples", "first_sample", "record_rounds", "workers")
"""Settings of a run over many problems."""
OWN = "the model's own, else {}"
KEY_HELP = (
    f"Key that clients must send; may be given several times. Default: {COMMON_KEY}, which then goes to no model server; "
    f"{MODEL_KEY} does."
)


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command(name="serve")
    @with_settings(
        without=MANY, defaults={"temperature": OWN.format("0"), "top_p": OWN.format("1"), "sandbox_workers": "4"}
    )
    def serve(
        given: Given,
        model: Annotated[str, typer.Option(help="Folder, GGUF file, hub id, `toy`, or http://…/v1.")],
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
        port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8000,
        served_model_name: Annotated[
            str | None, typer.Option(help="Name that clients see. Default: the last part of the model's.")
        ] = None,
        api_key: Annotated[
            list[str] | None,
            typer.Option(help=KEY_HELP),
        ] = None,
        unsafe_no_key: Annotated[
            bool, typer.Option("--unsafe-no-key", help="Let other machines in without a key.")
        ] = False,
        record: Annotated[
            Path | None, typer.Option(help="Run folder: every answer is recorded in it as a trajectory.")
        ] = None,
        max_containers: Annotated[
            int, typer.Option(min=1, max=1024, help="Interpreters that are kept from request to request.")
        ] = 64,
        container_minutes: Annotated[
            float, typer.Option(min=0.01, max=1440, help="Minutes that one is kept without being used.")
        ] = 20.0,
        dialect: Annotated[
            str, typer.Option(help="open-webui: calls in /v1/responses as Open WebUI draws them. Default: OpenAI's.")
        ] = "",
        max_queue: Annotated[
            int, typer.Option(min=0, help="Answers that wait when --max-rows are being made; further ones get 429.")
        ] = 256,
        max_body_mb: Annotated[int, typer.Option(min=1, max=1024, help="MiB that a request may have.")] = 16,
        allowed_origin: Annotated[
            list[str] | None,
            typer.Option(help="Origin whose web pages may call, such as https://chat.example; default: none."),
        ] = None,
        verbose: Annotated[bool, typer.Option("--verbose", help="Also show what the web server says.")] = False,
    ) -> None:
        """Serve a model: /v1/chat/completions with hints, code and outputs in the reasoning, and /v1/responses with the
        calls as items of their own. Ctrl-C ends it.

        Examples: selftaught serve --model toy · selftaught serve --model runs/mine/model --record runs/served
        """
        from selftaught.rollouts.checks import check_settings
        from selftaught.rollouts.opening import manner_before
        from selftaught.serve.defaults import for_serve, generation_config_of
        from selftaught.serve.options import ServeOptions, checked_dialect
        from selftaught.serve.run import Ask, check_exposure, log_to_stderr
        from selftaught.serve.run import serve as run_server

        before = for_serve(given, manner_before(model, given.get("tokenizer")), name=flag, model=model)
        check_settings(before, model)

        def after(backend: Backend) -> RolloutSettings:
            own = generation_config_of(backend.engine.codec.folder)
            return for_serve(given, backend.manner, own, name=flag, model=model)

        options = ServeOptions(
            api_keys=clients_keys(api_key),
            max_body_bytes=max_body_mb << 20,
            max_running=before.spread.max_rows,
            max_queue=max_queue,
            max_containers=max_containers,
            container_idle_s=container_minutes * 60,
            dialect=checked_dialect(dialect),
            allowed_origins=tuple(allowed_origin or ()),
            record=record,
        )
        options = check_exposure(host, options, unsafe_no_key)
        log_to_stderr(verbose)
        run_server(Ask(model, before, after, served_model_name), options, host, port, _tell)


def _tell(address: str, server: Server) -> None:
    names = ", ".join(server.catalog.variants)
    print(address, flush=True)
    print(f"models: {names}. Ctrl-C ends it.", file=sys.stderr, flush=True)
