"""Runs the server: opens the model and the sandbox, serves until a signal, finishes what is in flight, closes all."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from selftaught.errors import ConfigError, MissingPartError
from selftaught.rollouts.checks import check_settings
from selftaught.rollouts.settings import RolloutSettings
from selftaught.serve.backend import Backend
from selftaught.serve.models import catalog_of, served_name
from selftaught.serve.options import ServeOptions

if TYPE_CHECKING:
    from selftaught.serve.server import Server

_KEEP_ALIVE_S = 75
"""Seconds that an idle connection is kept. Clients let go of theirs after 5, and a connection that both sides close at
the same time is an error for the client."""
_GRACE_S = 600
"""Seconds that requests in flight have to finish after the first signal; a second signal ends them."""


@dataclass(frozen=True)
class Ask:
    """How settings follow from what was named, once the model's own are known: its generation_config and manner."""

    model: str
    before: RolloutSettings
    """Enough to open the model."""
    after: Callable[[Backend], RolloutSettings]
    served_name: str | None = None


def check_exposure(host: str, options: ServeOptions, unsafe: bool) -> ServeOptions:
    """``options`` for listening on ``host``. ConfigError when others could reach it without a key."""
    local = _is_loopback(host)
    if not local and not options.api_keys and not unsafe:
        raise ConfigError(
            f"--host {host} can be reached from other machines, and whoever reaches it runs code in the sandbox; "
            "set SELFTAUGHT_API_KEY or give --api-key, or say --unsafe-no-key."
        )
    return replace(options, local_only=local)


def serve(ask: Ask, options: ServeOptions, host: str, port: int, ready: Callable[[str, Server], None]) -> None:
    """Serve until SIGINT or SIGTERM. ``ready`` is told the address when requests are taken.

    Raises MissingPartError without the extra, ConfigError for an address that cannot be had, and what opening a model or
    a sandbox raises.
    """
    try:
        import uvicorn

        from selftaught.serve.app import create_app
    except ModuleNotFoundError as error:
        raise MissingPartError(
            f"serve needs {error.name}, which is not installed; pip install 'selftaught[serve]'."
        ) from None
    listening = _listen(host, port)
    with listening, _handlers_kept(), _opened(ask, options) as server:
        config = uvicorn.Config(
            create_app(server),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=_KEEP_ALIVE_S,
            lifespan="off",
            ws="none",
        )
        address = _address(host, listening)

        class Serving(uvicorn.Server):
            """Says when it is ready, and ends by a signal without raising it again: a stop on request is a success."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets=sockets)
                ready(address, server)

            @contextlib.contextmanager
            def capture_signals(self) -> Iterator[None]:
                with _on_signals(self.handle_exit):
                    yield

        Serving(config).run(sockets=[listening])


@contextlib.contextmanager
def _opened(ask: Ask, options: ServeOptions) -> Iterator[Server]:
    from selftaught.serve.recording import Recorder
    from selftaught.serve.server import Server
    from selftaught.serve.tracing import Tracer

    tracer = Tracer.from_environment()
    backend = Backend(ask.model, ask.before)
    backend.start()
    recorder = None
    try:
        settings = ask.after(backend)
        check_settings(settings, ask.model)
        name = served_name(ask.model, ask.served_name, backend.engine.name)
        catalog = catalog_of(name, settings, backend.manner, backend.engine.max_context)
        if options.record is not None:
            recorder = Recorder(options.record, ask.model)
            recorder.open_for(catalog)
        yield Server(backend, catalog, options, recorder, tracer=tracer)
    finally:
        backend.close()
        if recorder is not None:
            recorder.close()
        tracer.close()


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens. ConfigError when the address is taken or is none of this machine's."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{host}:{port} cannot be listened on ({why}); name another --host or --port.") from None
    return listening


def _address(host: str, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/v1"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_STOPS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def _on_signals(handle: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """``handle`` hears signals; afterwards nobody does, until all is closed.

    An interrupt while the model is closed would end this thread and leave the engine's in the middle of a product: the
    interpreter aborts then.
    """
    for number in _STOPS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in _STOPS:
            signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Who heard signals before hears them again afterwards."""
    previous = {number: signal.getsignal(number) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def log_to_stderr(verbose: bool) -> None:
    """One line a request on stderr; with ``verbose`` also what the libraries say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    for name in ("selftaught.serve", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.INFO if name.startswith("selftaught") or verbose else logging.WARNING)
