"""The HTTP side that all routes share: a request's JSON body, an event stream with keep-alives, and a client that leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from selftaught.serve.errors import ApiError, invalid, of_failure
from selftaught.serve.messages import whole

if TYPE_CHECKING:
    from fastapi import Request

Result = TypeVar("Result")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"
_HALVES = re.compile(rb"\\u[dD]|\xed")
"""What a half of a character pair looks like in a body: escaped, or as bytes that are no UTF-8."""
_JSON_TYPE = re.compile(r"application/([\w.+-]+\+)?json\s*(;.*)?", re.IGNORECASE)


class ClientGone(Exception):
    """The client hung up: nobody reads the answer."""


async def read_json(request: Request, max_bytes: int, timeout_s: float) -> tuple[dict[str, Any], int]:
    """The body as a JSON object, and its length. ``ApiError`` 400, 408, 413 or 415 for anything else."""
    kind = request.headers.get("content-type", "")
    if not _JSON_TYPE.fullmatch(kind.strip()):
        # Also keeps foreign web pages out: a browser asks before it sends this type to another origin.
        raise ApiError(415, f"Content-Type is {kind[:80]!r}; expected application/json.", code="unsupported_media_type")
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise ApiError(415, "the body is compressed; send it as it is.", code="unsupported_media_type")
    body = await _read(request, max_bytes, timeout_s)
    try:
        value = json.loads(body, parse_constant=_no_constant)
        if _HALVES.search(body) is not None:
            value = _whole(value)
    except RecursionError:
        raise invalid("the body is nested too deeply.", code="invalid_json") from None
    except ValueError as error:
        where = str(error) if isinstance(error, json.JSONDecodeError) else "not UTF-8, or a number out of range"
        raise invalid(f"the body is not valid JSON: {where[:200]}.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise invalid(f"the body is a JSON {type(value).__name__}; expected an object.", code="invalid_json")
    return value, len(body)


async def _read(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.stream():
                body += chunk
                if len(body) > max_bytes:
                    raise ApiError(
                        413, f"the body is longer than {max_bytes} bytes.", code="request_too_large",
                        headers={"Connection": "close"},
                    )  # fmt: skip
    except TimeoutError:
        raise ApiError(
            408, f"the body did not come within {timeout_s:g} s.", code="timeout", headers={"Connection": "close"}
        ) from None
    except ClientDisconnect:
        raise ClientGone from None
    return bytes(body)


def _whole(value: Any) -> Any:
    """``value`` without halves of character pairs: JSON can hold them and UTF-8 cannot, so no answer could name them."""
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def frame(value: str) -> bytes:
    """One event of a stream, from its JSON."""
    return f"data: {value}\n\n".encode("utf-8", "replace")


def error_frames(error: Exception) -> bytes:
    """What ends a stream that failed: the error, as OpenAI's SDK raises it, and the end mark."""
    return frame(json.dumps(of_failure(error).body(), ensure_ascii=False)) + DONE


async def until_gone(receive: Receive) -> None:
    """Returns when the client has hung up. The body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result:
    """Do ``work``; cancel it and raise `ClientGone` when the client hangs up first."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(until_gone(receive))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        gone.cancel()
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


class EventStream(Response):
    """An ASGI response of server-sent events. A client that leaves ends ``frames`` at once."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        headers: dict[str, str] | None = None,
        on_gone: Callable[[], None] | None = None,
    ) -> None:
        self._frames, self._on_gone = frames, on_gone
        super().__init__(None, 200, {"cache-control": "no-cache", "x-accel-buffering": "no", **(headers or {})})
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self.raw_headers.append((b"content-type", b"text/event-stream; charset=utf-8"))

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Send the frames."""
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(until_gone(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
            elif self._on_gone is not None:
                self._on_gone()
        finally:
            gone.cancel()
            sending.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._frames.aclose()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for piece in self._frames:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
