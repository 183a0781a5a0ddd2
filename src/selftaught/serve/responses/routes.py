"""Routes of the Responses API and of containers. The work is done in `answer` and `selftaught.serve.containers`."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from selftaught.rollouts.tools import Interpreter
from selftaught.serve.admission import Ticket
from selftaught.serve.containers import MAX_NAME, Containers, idle_seconds
from selftaught.serve.errors import ApiError, invalid, unsupported
from selftaught.serve.responses.answer import ResponsesCall, Service
from selftaught.serve.responses.events import Event
from selftaught.serve.responses.request import check_container
from selftaught.serve.responses.store import page
from selftaught.serve.server import Server
from selftaught.serve.wire import KEEP_ALIVE, EventStream, read_json, unless_gone

DIALECT_HEADER = "x-start-dialect"
_MOST_LISTED = 100
_LONG_BODY = 50_000
"""Bytes from which on a body is read into a prompt in a thread, so that the loop does not wait for it."""

Handler = Callable[[Request], Awaitable[Response]]


def add_responses(app: FastAPI, server: Server) -> Service:
    """Put the Responses API and the containers into ``app``."""
    backend, options = server.backend, server.options

    def interpreter() -> Interpreter:
        box = backend.toolbox(backend.settings)
        if box is None:
            raise ApiError(404, "this server runs no Python, so it has no containers.", code="not_found")
        return Interpreter(box)

    containers = Containers(
        interpreter, backend.submit, max_containers=options.max_containers, idle_s=options.container_idle_s
    )
    service = Service(server, containers)
    for path, methods in _routes(service).items():
        for method, handler in methods.items():
            app.router.routes.append(_route(path, method, handler))
    app.state.responses = service
    return service


def _route(path: str, method: str, handler: Handler) -> Route:
    """A route that tells the log and the metrics its path, as FastAPI's own do."""

    async def named(request: Request) -> Response:
        request.scope["route"] = route
        return await handler(request)

    route = Route(path, named, methods=[method])
    return route


def _routes(service: Service) -> dict[str, dict[str, Handler]]:
    responses, containers = _Responses(service), _Containers(service)
    return {
        "/v1/responses": {"POST": responses.create},
        "/v1/responses/{response_id}": {"GET": responses.get, "DELETE": responses.delete},
        "/v1/responses/{response_id}/input_items": {"GET": responses.input_items},
        "/v1/responses/{response_id}/cancel": {"POST": responses.cancel},
        "/v1/containers": {"POST": containers.create, "GET": containers.list},
        "/v1/containers/{container_id}": {"GET": containers.get, "DELETE": containers.delete},
    }


class _Responses:
    """``/v1/responses``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def create(self, request: Request) -> Response:
        """Answer, in a stream or in one piece."""
        server = self._service.server
        options = server.options
        body, length = await read_json(request, options.max_body_bytes, options.body_timeout_s)
        dialect = request.headers.get(DIALECT_HEADER, options.dialect)
        given = (self._service, body, owner_of(request), dialect, request.state.request_id)
        call = ResponsesCall(*given) if length < _LONG_BODY else await asyncio.to_thread(ResponsesCall, *given)
        ticket = server.admission.ticket()
        headers = call.asked.headers()
        try:
            call.open()
            if call.streamed:
                frames = _frames(call, ticket)
                await anext(frames)  # begun, so that closing it closes the ticket, too
                return EventStream(frames, headers, server.metrics.gone)
            answer = await unless_gone(request.receive, call.answer(ticket))
        except BaseException:
            ticket.close()
            raise
        return json_response(answer, headers)

    async def get(self, request: Request) -> Response:
        """A stored response."""
        if request.query_params.get("stream") == "true":
            raise unsupported("stream", "a stored response is given in one piece; leave stream out.")
        stored = self._service.store.get(owner_of(request), request.path_params["response_id"])
        return json_response(stored.response)

    async def delete(self, request: Request) -> Response:
        """Forget a stored response."""
        response_id = request.path_params["response_id"]
        self._service.store.delete(owner_of(request), response_id)
        return json_response({"id": response_id, "object": "response", "deleted": True})

    async def input_items(self, request: Request) -> Response:
        """The input of a stored response."""
        stored = self._service.store.get(owner_of(request), request.path_params["response_id"])
        return json_response(_page(request, [dict(item) for item in stored.input]))

    async def cancel(self, request: Request) -> Response:
        """Only background responses can be cancelled, and there are none."""
        self._service.store.get(owner_of(request), request.path_params["response_id"])
        raise invalid("only background responses can be cancelled; close the connection instead.", "response_id")


class _Containers:
    """``/v1/containers``."""

    def __init__(self, service: Service) -> None:
        self._containers, self._options = service.containers, service.server.options

    async def create(self, request: Request) -> Response:
        """A new container."""
        body, _ = await read_json(request, self._options.max_body_bytes, self._options.body_timeout_s)
        name = body.get("name")
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise invalid(f"name must be a text of at most {MAX_NAME} characters.", "name")
        ignored = check_container(body)
        idle_s = idle_seconds(body.get("expires_after"))
        shown = self._containers.create(owner_of(request), name, idle_s).object()
        self._containers.watch()
        return json_response({**shown, **({"start": {"ignored": ignored}} if ignored else {})})

    async def list(self, request: Request) -> Response:
        """Those of the caller's key."""
        name = request.query_params.get("name")
        found = [each.object() for each in self._containers.listed(owner_of(request)) if name in (None, each.name)]
        return json_response(_page(request, found))

    async def get(self, request: Request) -> Response:
        """One of them."""
        return json_response(self._containers.show(owner_of(request), request.path_params["container_id"]))

    async def delete(self, request: Request) -> Response:
        """End one of them."""
        container_id = request.path_params["container_id"]
        self._containers.delete(owner_of(request), container_id)
        return json_response({"id": container_id, "object": "container.deleted", "deleted": True})


# ---------------------------------------------------------------------------------------------------------------- wire


async def _frames(call: ResponsesCall, ticket: Ticket) -> AsyncGenerator[bytes, None]:
    """Nothing, then the events of an answer as frames of a stream."""
    try:
        yield b""
    except BaseException:
        ticket.close()
        raise
    async with aclosing(call.events(ticket)) as batches:
        async for events in batches:
            yield b"".join(map(_frame, events)) or KEEP_ALIVE


def _frame(event: Event) -> bytes:
    return f"event: {event['type']}\ndata: ".encode() + dumps(event) + b"\n\n"


def owner_of(request: Request) -> str:
    """Whose request this is, as an id: of the key that was checked, else of whatever key it brings."""
    known: str = getattr(request.state, "key_id", "")
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    if known or kind.lower() != "bearer" or not key.strip():
        return known
    return hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()[:16]


def json_response(value: Any, headers: dict[str, str] | None = None) -> Response:
    """A value as the body of a response."""
    return Response(dumps(value), headers=headers, media_type="application/json")


def dumps(value: Any) -> bytes:
    """JSON as bytes; halves of character pairs, which UTF-8 cannot hold, are escaped."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _page(request: Request, items: list[dict[str, Any]]) -> dict[str, Any]:
    query = request.query_params
    limit, order = query.get("limit", "20"), query.get("order", "desc")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:9]) <= _MOST_LISTED:
        raise invalid(f"limit must be a whole number from 1 to {_MOST_LISTED}.", "limit")
    if order not in ("asc", "desc"):
        raise invalid("order must be asc or desc.", "order")
    return page(items, query.get("after"), int(limit), order)
