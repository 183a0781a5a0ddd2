"""The server as an ASGI application: its routes, and errors in OpenAI's shape whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from selftaught.errors import SelftaughtError
from selftaught.serve.chat import ChatCall
from selftaught.serve.errors import ApiError, invalid, of_failure
from selftaught.serve.guard import Guard
from selftaught.serve.probes import readiness
from selftaught.serve.responses.routes import add_responses
from selftaught.serve.server import LOG, Server
from selftaught.serve.wire import ClientGone, EventStream, read_json, unless_gone
from selftaught.version import __version__

Call = TypeVar("Call")
LONG_BODY = 50_000
"""Bytes from which on a body is read into a prompt in a thread."""


def create_app(server: Server) -> FastAPI:
    """The application over an open backend; whoever opened that closes it."""
    app = FastAPI(title="selftaught", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.server = server
    _add_handlers(app)
    _add_models(app, server)
    _add_chat(app, server)
    add_responses(app, server)
    _add_probes(app, server)
    options = server.options
    if options.allowed_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(options.allowed_origins), allow_methods=["*"], allow_headers=["*"]
        )
    app.add_middleware(Guard, options=options, metrics=server.metrics)  # the outermost: added last
    return app


def failed(error: Exception) -> Response:
    """The response for an error."""
    shown = of_failure(error)
    if shown.status >= 500 and not isinstance(error, SelftaughtError | ApiError):
        LOG.error("a request failed", exc_info=error)
    return Response(json.dumps(shown.body(), ensure_ascii=False), shown.status, shown.headers, "application/json")


def _add_handlers(app: FastAPI) -> None:
    async def on_error(request: Request, error: Exception) -> Response:
        return failed(error)

    async def on_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        words = HTTPStatus(error.status_code).phrase.lower()
        message = f"{words}: {request.method} {request.url.path[:200]}"
        return failed(ApiError(error.status_code, message, code=words.replace(" ", "_"), headers=error.headers))

    async def on_invalid(request: Request, error: Exception) -> Response:
        return failed(invalid("the request's path or query cannot be read."))

    async def on_gone(request: Request, error: Exception) -> Response:
        app.state.server.metrics.gone()
        return Response(status_code=499)  # nobody reads it

    app.add_exception_handler(ApiError, on_error)
    app.add_exception_handler(SelftaughtError, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(ClientGone, on_gone)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(Exception, on_error)


def _add_models(app: FastAPI, server: Server) -> None:
    catalog = server.catalog

    @app.get("/v1/models")
    async def list_models() -> dict[str, Any]:
        return {"object": "list", "data": [catalog.listed(variant) for variant in catalog.variants.values()]}

    @app.get("/v1/models/{name:path}")
    async def one_model(name: str) -> dict[str, Any]:
        return catalog.listed(catalog[name])


def _add_chat(app: FastAPI, server: Server) -> None:
    @app.post("/v1/chat/completions", response_model=None)
    async def chat_completions(request: Request) -> Response | EventStream:
        server.admission.refuse_when_full()
        call = await made(ChatCall, server, request)
        ticket = server.admission.ticket(call.size)
        headers = call.asked.headers()
        if call.streamed:
            return EventStream(call.frames(ticket), headers, server.metrics.gone)
        try:
            answer = await unless_gone(request.receive, call.answer(ticket))
        finally:
            ticket.close()
        return JSONResponse(answer, headers=headers)


async def made(kind: Callable[[Server, dict[str, Any], str], Call], server: Server, request: Request) -> Call:
    """A request, checked and with its prompt's tokens; a long one in a thread, so that the loop does not wait for it."""
    body, length = await read_json(request, server.options.max_body_bytes, server.options.body_timeout_s)
    request_id = request.state.request_id
    if length < LONG_BODY:
        return kind(server, body, request_id)
    return await asyncio.to_thread(kind, server, body, request_id)


def _add_probes(app: FastAPI, server: Server) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready", response_model=None)
    async def ready() -> Response:
        state = await readiness(server.backend)
        return JSONResponse(state.body(), 200 if state.is_ready else 503)

    @app.get("/version")
    async def version() -> dict[str, str]:
        return {"version": __version__}

    @app.get("/metrics", response_model=None)
    async def metrics() -> Response:
        return Response(server.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")
