"""``selftaught mcp``: the sandbox as an MCP server, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import typer

from selftaught.keys import COMMON_KEY, clients_keys

if TYPE_CHECKING:
    from selftaught.integrations.mcp_http import HttpSettings
    from selftaught.sandbox import SandboxSettings


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("mcp")
    def mcp(
        port: int | None = typer.Option(
            None, min=0, max=65535, help="Serve over HTTP on this port (0: any free one) instead of stdin and stdout."
        ),
        host: str = typer.Option("127.0.0.1", help="Address to listen on; another than this machine's needs a key."),
        api_key: list[str] = typer.Option(
            [], "--api-key",
            help=f"Key that HTTP clients must send; several are several users. Default: {COMMON_KEY}.",
        ),
        allowed_host: list[str] = typer.Option(
            [], metavar="NAME", help="Further host name under which HTTP clients reach this server, such as a proxy's."
        ),
        allowed_origin: list[str] = typer.Option(
            [], metavar="ORIGIN", help="Web page that may call this server, such as https://chat.example.com."
        ),
        unsafe_no_key: bool = typer.Option(False, help="Listen on another host without a key."),
        max_sessions: int = typer.Option(32, min=1, max=10_000, help="Interpreters kept at the same time."),
        idle_s: float = typer.Option(1800.0, "--idle", min=1, help="Seconds without a call after which one is closed."),
        timeout_s: float = typer.Option(30.0, "--timeout", min=0.01, help="Seconds of wall time for a call."),
        memory_mib: int = typer.Option(1024, "--memory", min=16, max=1 << 22, help="MiB that an interpreter may allocate."),
        output_kib: int = typer.Option(64, "--output", min=1, max=4096, help="KiB of output shown of a call."),
        images: int = typer.Option(
            4, min=0, max=64, help="Figures of matplotlib's that a call gives back as images, where matplotlib is installed."
        ),
        workers: int = typer.Option(2, min=1, max=1024, help="Calls that run at the same time; others wait."),
        lowest_tier: int = typer.Option(2, "--tier", min=1, max=2, help="Weakest isolation to accept."),
        unsafe: bool = typer.Option(False, help="Run with no isolation where there is none to be had."),
    ) -> None:  # fmt: skip
        """Offer the sandbox to MCP clients: server `python`, tool `python(code)`, variables kept from call to call.

        Without --port it speaks over stdin and stdout, as a client starts it. With --port it serves streamable HTTP
        at /mcp and SSE at /sse, where vLLM's --tool-server looks. It runs until Ctrl-C or SIGTERM.

        Examples: selftaught mcp · selftaught mcp --port 8765 · vllm serve openai/gpt-oss-20b --tool-server 127.0.0.1:8765
        """
        import logging
        from importlib.util import find_spec

        from selftaught.errors import ConfigError
        from selftaught.integrations.mcp_http import HttpSettings
        from selftaught.sandbox import SandboxSettings, Tier

        for given, option in (
            (host != "127.0.0.1", "--host"),
            (allowed_host, "--allowed-host"),
            (allowed_origin, "--allowed-origin"),
        ):
            if port is None and given:
                raise ConfigError(f"{option} is for HTTP; add --port.")
        logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its errors quote what the client sent
        sandbox = SandboxSettings(
            workers=workers,
            timeout_s=timeout_s,
            memory_bytes=memory_mib << 20,
            output_bytes=output_kib << 10,
            max_sessions=max_sessions,
            max_images=images if find_spec("matplotlib") is not None else 0,
            lowest_tier=Tier(lowest_tier),
            unsafe=unsafe,
        )
        http = None
        if port is not None:
            http = HttpSettings(
                host=host,
                port=port,
                api_keys=clients_keys(api_key),
                allowed_hosts=tuple(allowed_host),
                allowed_origins=tuple(allowed_origin),
                unsafe=unsafe_no_key,
                idle_s=idle_s,
            )
            http.check()
        asyncio.run(_serve(sandbox, http, max_sessions, idle_s))


async def _serve(settings: SandboxSettings, http: HttpSettings | None, max_sessions: int, idle_s: float) -> None:
    from selftaught.integrations.mcp_http import listen, serve_http
    from selftaught.integrations.mcp_stdio import serve_stdio
    from selftaught.integrations.mcp_tool import PythonTools
    from selftaught.sandbox import Sandbox
    from selftaught.sandbox.keeper import SessionKeeper

    sandbox = Sandbox(settings)
    async with SessionKeeper(sandbox, max_sessions, idle_s) as keeper:
        tools = PythonTools(keeper, settings.timeout_s, settings.preload)
        listening = None if http is None else listen(http)
        starting = asyncio.create_task(sandbox.start())

        async def close() -> None:
            """In this order: a call that waits would start the sandbox anew."""
            tools.stopping = True
            await keeper.close()
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await sandbox.close()

        try:
            if http is None or listening is None:
                # A client waits only so long for the first answer, and the first questions need no sandbox.
                starting.add_done_callback(_say_failure)
                await serve_stdio(tools, close)
                return
            await starting
            name = f"[{http.host}]" if ":" in http.host else http.host
            print(f"http://{name}:{listening.getsockname()[1]}/mcp", flush=True)
            print(
                f"Streamable HTTP at /mcp, SSE at /sse; {'with a key' if http.api_keys else 'no key'}; isolation tier "
                f"{int(sandbox.tier)}; {sandbox.memory_wall}. Ctrl-C ends it.",
                file=sys.stderr,
                flush=True,
            )
            await serve_http(tools, http, lambda: keeper.num_running, listening)
        finally:
            await close()


def _say_failure(starting: asyncio.Task[None]) -> None:
    """The log of the client shows our stderr; each call is answered with the same reason."""
    if not starting.cancelled() and (error := starting.exception()) is not None:
        print(f"selftaught: error: {error}", file=sys.stderr, flush=True)
