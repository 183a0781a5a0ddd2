"""The MCP server over HTTP: streamable HTTP at ``/mcp`` and SSE at ``/sse``, behind one gate.

The gate stands before every route: a ``Host`` that is not ours or an ``Origin`` of somebody's page is refused, so that
a web page cannot reach the server through the user's browser (DNS rebinding), and a key is asked for where one is set.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from pydantic import BaseModel, ConfigDict, Field
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from selftaught.errors import ConfigError

from .mcp_tool import CALLER, MCP_SESSION_HEADER, Caller, PythonTools

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_MAX_BODY_BYTES = 4 << 20
_MAX_CONNECTIONS = 1000
_GRACE_S = 2
"""How long connections may take to end, after the calls have."""
_FLUSH_S = 0.2
"""For what was written last to be sent: the answer of the last call, the end of an event stream."""


class HttpSettings(BaseModel):
    """Where the server listens and whom it lets in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8765, ge=0, le=65535)
    """0 takes any free one."""
    api_keys: tuple[str, ...] = ()
    """Any of them opens; each has interpreters of its own. None: no key is asked for."""
    allowed_hosts: tuple[str, ...] = ()
    """Further names, with or without a port, under which clients reach this server."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages (``https://host``) that may call it."""
    unsafe: bool = False
    """Listen beyond this machine without a key."""
    max_mcp_sessions: int = Field(default=1000, ge=1)
    idle_s: float = Field(default=1800.0, gt=0)
    """After this time without a request a session of streamable HTTP is closed."""
    drain_s: float = Field(default=30.0, ge=0)
    """How long calls in flight may take to end when the server stops."""

    def check(self) -> None:
        """Raise ConfigError when this would let anybody run code here."""
        if any(not key.strip() for key in self.api_keys):
            raise ConfigError("the API key is empty; give one of at least a few characters.")
        if not self.is_local and not self.api_keys and not self.unsafe:
            raise ConfigError(
                f"--host {self.host} opens the server to other machines; set a key (--api-key or SELFTAUGHT_API_KEY), "
                "or say --unsafe-no-key."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def security(self) -> TransportSecuritySettings:
        """Which ``Host`` and ``Origin`` pass. With a key on all addresses, the names of the machine are not known: then any host
        passes, and the key protects."""
        own = () if self.host in ("", "0.0.0.0", "::") else (f"[{self.host}]" if ":" in self.host else self.host,)
        names = [*_LOOPBACK, *own, *self.allowed_hosts]
        origins = [f"http://{name}" for name in (*_LOOPBACK, *own)] + list(self.allowed_origins)
        return TransportSecuritySettings(
            allowed_hosts=[*names, *(f"{name}:*" for name in names)],
            allowed_origins=[*origins, *(f"{origin}:*" for origin in origins)],
        )

    @property
    def any_host_passes(self) -> bool:
        """See ``security``."""
        return self.host in ("", "0.0.0.0", "::") and bool(self.api_keys) and not self.allowed_hosts


class Gate:
    """ASGI middleware: Host, Origin, key. Leaves the ``Caller`` in the scope."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(settings.security())
        self._any_host = settings.any_host_passes
        self._owners = [hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest() for key in settings.api_keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on or answer it with 401, 403 or 421."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._any_host:  # the Origin is looked at all the same
            headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
            request = Request({**scope, "headers": [*headers, (b"host", b"localhost")]})
        refusal = await self._security.validate_request(request)
        if refusal is None and (owner := self._owner(request)) is None:
            refusal = PlainTextResponse(
                "A key is needed: Authorization: Bearer KEY\n", 401, {"WWW-Authenticate": "Bearer"}
            )
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app({**scope, CALLER: Caller(owner or "")}, receive, send)

    def _owner(self, request: Request) -> str | None:
        """A name for the key that was sent; "" where none is asked for, None for a wrong one. Takes as long for any key."""
        if not self._owners:
            return ""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(key.strip().encode("utf-8", "surrogatepass")).digest()
        found = [owner for owner in self._owners if hmac.compare_digest(owner, digest)]
        return found[0].hex()[:16] if found and scheme.lower() == "bearer" else None


class Routes:
    """``/mcp``, ``/sse``, ``/messages/``, ``/health`` as one ASGI application, ``app``, and an end to its event streams."""

    def __init__(self, tools: PythonTools, settings: HttpSettings) -> None:
        self._tools = tools
        self._manager = StreamableHTTPSessionManager(
            tools.server,
            max_request_body_size=_MAX_BODY_BYTES,
            session_idle_timeout=settings.idle_s,
            max_sessions=settings.max_mcp_sessions,
        )
        transport = SseServerTransport("/messages/", max_request_body_size=_MAX_BODY_BYTES)
        self._sse = _Sse(transport, tools)
        self._ending = asyncio.Event()
        self.app = Starlette(
            routes=[
                Route("/mcp", _Streamable(self._manager, tools), methods=["GET", "POST", "DELETE"]),
                Route("/sse", self._sse, methods=["GET"]),
                Mount("/messages/", _Messages(transport)),
                Route("/health", self._health),
            ],
            middleware=[Middleware(Gate, settings=settings)],
            lifespan=self._lifespan,
        )

    async def end_streams(self) -> None:
        """Close all sessions, so that their event streams end as they should and not in the middle."""
        self._ending.set()
        self._sse.end()
        await asyncio.sleep(_FLUSH_S)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        started = asyncio.Event()

        async def manage() -> None:
            async with self._manager.run():
                started.set()
                await self._ending.wait()

        task = asyncio.create_task(manage())
        await started.wait()
        try:
            yield
        finally:
            self._ending.set()
            await task

    async def _health(self, _: Request) -> Response:
        stopping = self._tools.stopping
        return PlainTextResponse("stopping\n" if stopping else "ok\n", 503 if stopping else 200)


class _Streamable:
    """Streamable HTTP; a session that the client deletes takes its interpreter with it."""

    def __init__(self, manager: StreamableHTTPSessionManager, tools: PythonTools) -> None:
        self._manager, self._tools = manager, tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        await self._manager.handle_request(scope, receive, watched)
        if scope["method"] == "DELETE" and 200 <= status < 300:
            name = Request(scope).headers.get(MCP_SESSION_HEADER, "")
            await self._tools.end_http_session(scope[CALLER], name)


class _Sse:
    """The event stream of one client; its session ends with the connection."""

    def __init__(self, transport: SseServerTransport, tools: PythonTools) -> None:
        self._transport, self._server = transport, tools.server
        self._open: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._transport.connect_sse(scope, receive, send) as (incoming, outgoing):
            with anyio.CancelScope() as session:
                self._open.add(session)
                try:
                    await self._server.run(incoming, outgoing, self._server.create_initialization_options())
                finally:
                    self._open.discard(session)
            await outgoing.aclose()

    def end(self) -> None:
        """End all sessions."""
        for session in list(self._open):
            session.cancel()


class _Messages:
    """What the clients of event streams send; each message is marked as one of a connection's own."""

    def __init__(self, transport: SseServerTransport) -> None:
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = Caller(scope[CALLER].owner, owns_connection=True)
        await self._transport.handle_post_message({**scope, CALLER: caller}, receive, send)


class HttpServer(uvicorn.Server):
    """uvicorn that lets calls in flight end: the first SIGTERM or SIGINT refuses new ones, the second ends those, too."""

    def __init__(
        self, config: uvicorn.Config, routes: Routes, tools: PythonTools, num_running: Callable[[], int], drain_s: float
    ) -> None:
        super().__init__(config)
        self._routes, self._tools = routes, tools
        self._num_running, self._drain_s = num_running, drain_s
        self._draining: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the two signals for as long as the server runs, in place of uvicorn's own handlers, which raise them again."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        try:
            for number in numbers:
                loop.add_signal_handler(number, self.stop)
        except (ValueError, RuntimeError):  # not in the main thread: whoever runs it there calls `stop`
            yield
            return
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """Begin to stop; a second time: do not wait for calls. Call it in the server's event loop."""
        if self._draining is not None:
            self._drain_s = 0.0
            return
        self._tools.stopping = True
        self._draining = asyncio.create_task(self._drain())

    async def _drain(self) -> None:
        clock = asyncio.get_running_loop().time
        started = clock()
        while self._num_running() and clock() - started < self._drain_s:  # noqa: ASYNC110  (rare, and short)
            await asyncio.sleep(0.02)
        await asyncio.sleep(_FLUSH_S)
        await self._routes.end_streams()
        self.should_exit = True


def listen(settings: HttpSettings) -> socket.socket:
    """A socket that listens. Raises ConfigError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((settings.host, settings.port))
    except OSError as error:
        found.close()
        raise ConfigError(
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}); choose another --port or --host."
        ) from None
    return found


async def serve_http(
    tools: PythonTools,
    settings: HttpSettings,
    num_running: Callable[[], int],
    listening: socket.socket,
    ready: Callable[[HttpServer], None] = lambda server: None,
) -> None:
    """Serve until a signal or ``HttpServer.stop``; ``ready`` is called with the server when its socket listens."""
    routes = Routes(tools, settings)
    config = uvicorn.Config(
        routes.app,
        log_level="warning",
        access_log=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_S,
        server_header=False,
        ws="none",
    )
    server = HttpServer(config, routes, tools, num_running, settings.drain_s)
    ready(server)
    await server.serve(sockets=[listening])
