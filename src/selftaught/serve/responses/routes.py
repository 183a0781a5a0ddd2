"""Routes of the Responses API and of containers. The work is done in `answer` and `selftaught.serve.containers`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from selftaught.rollouts.tools import Interpreter
from selftaught.serve.backend import Backend
from selftaught.serve.containers import MAX_NAME, Containers, idle_seconds
from selftaught.serve.errors import ApiError, invalid, unsupported
from selftaught.serve.models import Catalog
from selftaught.serve.responses.answer import Answer, Service, accept
from selftaught.serve.responses.request import check_container, parse
from selftaught.serve.responses.store import page

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

_DIALECT_HEADER = "x-start-dialect"
_MOST_LISTED = 100

Handler = Callable[["Request"], Awaitable["Response"]]


def install(app: FastAPI, backend: Backend, catalog: Catalog, *, dialect: str = "", **limits: Any) -> Service:
    """Put the Responses API and the containers into ``app``; ``limits`` are those of `Containers`.

    Whoever calls it closes ``service.containers`` in the end, in the server's loop.
    """

    def interpreter() -> Interpreter:
        box = backend.toolbox(backend.settings)
        if box is None:
            raise ApiError(404, "this server runs no Python, so it has no containers.", code="not_found")
        return Interpreter(box)

    service = Service(backend, catalog, Containers(interpreter, backend.submit, **limits), dialect=dialect)
    add_routes(app, service)
    return service


def add_routes(app: FastAPI, service: Service) -> None:
    """Put all routes into ``app``."""
    from starlette.routing import Route

    for path, methods in _routes(service).items():
        for method, handler in methods.items():
            app.router.routes.append(Route(path, handler, methods=[method]))


def _routes(service: Service) -> dict[str, dict[str, Handler]]:
    responses, containers = _Responses(service), _Containers(service.containers)
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
        from starlette.responses import StreamingResponse

        body = await read_json(request)
        ask = parse(body, request.headers.get(_DIALECT_HEADER, self._service.dialect))
        answer = accept(self._service, ask, owner_of(request))
        if ask.stream:
            headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
            return StreamingResponse(_frames(answer), media_type="text/event-stream", headers=headers)
        return json_response(await answer.whole())

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

    def __init__(self, containers: Containers) -> None:
        self._containers = containers

    async def create(self, request: Request) -> Response:
        """A new container."""
        body = await read_json(request)
        if not isinstance(body, Mapping):
            raise invalid("the body must be a JSON object.")
        name = body.get("name")
        if not isinstance(name, str) or len(name) > MAX_NAME:
            raise invalid(f"name must be a text of at most {MAX_NAME} characters.", "name")
        ignored = check_container(body, "")
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


async def _frames(answer: Answer) -> AsyncIterator[bytes]:
    """The events of an answer as frames of a stream."""
    async for events in answer.events():
        yield b"".join(f"event: {event['type']}\ndata: ".encode() + dumps(event) + b"\n\n" for event in events)


def owner_of(request: Request) -> str:
    """Whose request this is: the API key that it brings, whether this server checks keys or not."""
    kind, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


async def read_json(request: Request) -> Any:
    """The body as JSON. ApiError 400."""
    try:
        return json.loads(await request.body(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {str(error)[:200]}", code="invalid_json") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def json_response(value: Any) -> Response:
    """A value as the body of a response."""
    from starlette.responses import Response

    return Response(dumps(value), media_type="application/json")


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
