"""Who is let in: the bearer key, the named host, the length of a body; and a line in the log for each request.

An ASGI layer round the whole application, so that no route can be forgotten. The log has method, route, status and
seconds, and never a word of a prompt.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from selftaught.serve.errors import ApiError
from selftaught.serve.metrics import Metrics
from selftaught.serve.options import ServeOptions
from selftaught.serve.wire import Receive, Send

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOG = logging.getLogger("selftaught.serve.access")
OPEN_PATHS = frozenset({"/health"})
"""Answered without a key: a probe has none."""
NOBODY = ""
"""Key id of a request to a server without keys."""
_ID = re.compile(r"[\w.:/+=-]{1,128}")


class Guard:
    """The layer."""

    def __init__(self, app: App, options: ServeOptions, metrics: Metrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics
        self._keys = [hashlib.sha256(key.encode()).digest() for key in options.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or pass what is none on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = _headers(scope)
        request_id = headers.get("x-request-id", "")
        if not _ID.fullmatch(request_id):
            request_id = f"req-{uuid.uuid4().hex[:16]}"
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0

        async def answered(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            scope["state"]["key_id"] = self._check(scope, headers)
            await self._app(scope, receive, answered)
        except ApiError as error:
            await _refuse(error, answered)
        finally:
            took = time.perf_counter() - started
            route = getattr(scope.get("route"), "path", None) or "other"
            self._metrics.request(route, status, took)
            LOG.info("%s %s %s %.3fs %s", scope["method"], route, status or "gone", took, request_id)

    def _check(self, scope: Scope, headers: dict[str, str]) -> str:
        """Who asks, as an id that is not the key. `ApiError` when they are not let in."""
        options = self._options
        if options.local_only and not options.api_keys and not _is_local(headers.get("host", "")):
            raise ApiError(403, "this server answers only requests to this machine by its own name.", code="forbidden")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > options.max_body_bytes:
            raise ApiError(
                413, f"the body has {length[:20]} bytes; at most {options.max_body_bytes} are taken.",
                code="request_too_large", headers={"Connection": "close"},
            )  # fmt: skip
        if not self._keys:
            return NOBODY
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        # Every key is compared, so that the time tells nothing of which is near.
        known = sum(hmac.compare_digest(digest, key) for key in self._keys) > 0 and scheme.lower() == "bearer"
        if known:
            return digest.hex()[:16]
        if scope["path"] in OPEN_PATHS or (scope["method"] == "OPTIONS" and options.allowed_origins):
            return NOBODY
        raise ApiError(
            401, "the API key is missing or wrong; send it as 'Authorization: Bearer KEY'.",
            code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"},
        )  # fmt: skip


def _headers(scope: Scope) -> dict[str, str]:
    raw: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def _is_local(host: str) -> bool:
    """Whether a Host header names this machine. A page of the web that lets its own name point here sends that name."""
    name = host.rsplit(":", 1)[0] if host.count(":") == 1 or host.startswith("[") else host
    name = name.strip("[]").lower().rstrip(".")
    if name in ("", "localhost", "testserver", "host.docker.internal") or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


async def _refuse(error: ApiError, send: Send) -> None:
    body = json.dumps(error.body(), ensure_ascii=False).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
