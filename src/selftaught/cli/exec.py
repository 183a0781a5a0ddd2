"""``selftaught exec``: code in the sandbox, from a file, from stdin, or a batch of sessions."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from selftaught.sandbox import ExecResult, Sandbox, SandboxSettings
    from selftaught.sandbox.batch import BatchLine

_WINDOW = 8  # lines of a batch in flight per worker: bounded, and enough that no worker waits for an earlier line


def register(app: typer.Typer) -> None:
    """Add ``exec`` to ``app``."""

    @app.command("exec", rich_help_panel="The parts on their own")
    def exec_(
        file: str = typer.Argument("-", help="A Python file, or - for stdin."),
        code: str | None = typer.Option(None, "-c", "--code", metavar="CODE", help="Run this text instead of a file."),
        as_json: bool = typer.Option(False, "--json", help="One JSON object: status, output, wall_s, truncated, tier."),
        batch: Path | None = typer.Option(None, help='JSON Lines, a session a line: {"id", "cells", "timeout_s"?}.'),
        workers: int = typer.Option(2, min=1, max=1024, help="Sessions of a batch that run at the same time."),
        timeout_s: float = typer.Option(5.0, "--timeout", min=0.01, help="Seconds of wall time for a call or a cell."),
        memory_mib: int = typer.Option(1024, "--memory", min=16, max=1 << 22, help="MiB that a call may allocate."),
        lowest_tier: int = typer.Option(2, "--tier", min=1, max=2, help="Weakest isolation to accept."),
        unsafe: bool = typer.Option(False, help="Run with no isolation where there is none to be had."),
    ) -> None:
        """Run Python in the sandbox and print what it printed.

        Exit 0 when the code ended well, 1 when it did not, 3 when there is no isolation. A batch exits 0: its
        statuses are data.

        Examples: selftaught exec -c 'print(2**100)' · selftaught exec a.py · echo '2**100' | selftaught exec --json · selftaught exec --batch cells.jsonl
        """
        from selftaught.errors import ConfigError
        from selftaught.sandbox import SandboxSettings, Tier

        settings = SandboxSettings(
            workers=workers,
            timeout_s=timeout_s,
            memory_bytes=memory_mib << 20,
            lowest_tier=Tier(lowest_tier),
            unsafe=unsafe,
        )
        if code is not None and (file != "-" or batch is not None):
            raise ConfigError("exec takes one thing: a file, -c CODE or --batch FILE.")
        if batch is not None:
            asyncio.run(_run_batch(batch, settings))
            return
        result = asyncio.run(_run_one(code if code is not None else _read(file), settings))
        if as_json:
            print(result.model_dump_json(include={"status", "output", "wall_s", "truncated", "tier"}))
        else:
            sys.stdout.write(result.output)
            if result.status != "ok":
                print(f"selftaught: {result.status} after {result.wall_s:.2f} s", file=sys.stderr)
        if result.status != "ok":
            raise typer.Exit(3 if result.status == "refused" else 1)


def _read(file: str) -> str:
    from selftaught.errors import DataError

    if file == "-" and sys.stdin.isatty():
        print("Python from the terminal; Ctrl-D ends it and runs it.", file=sys.stderr)
    if not file:
        raise DataError("the file's name is ''; expected a Python file or - for stdin.")
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}; expected a Python file or - for stdin.") from None
    return data.decode("utf-8", "replace")


async def _run_one(code: str, settings: SandboxSettings) -> ExecResult:
    from selftaught.sandbox import Sandbox
    from selftaught.sandbox.batch import needed

    wanted = settings.model_copy(
        update={"workers": 1, "spares": 1, "preload": needed(settings.preload, [code]), "light": False}
    )
    async with Sandbox(wanted) as sandbox:
        return await sandbox.run(code)


async def _run_batch(path: Path, settings: SandboxSettings) -> None:
    """Start lines in order, as many at a time as there are workers; print results in order."""
    from selftaught.sandbox import Sandbox
    from selftaught.sandbox.batch import needed, read_batch

    lines = read_batch(path)
    wanted = needed(settings.preload, [cell for line in lines for cell in line.cells])
    async with Sandbox(settings.model_copy(update={"preload": wanted, "light": False})) as sandbox:
        gate = asyncio.Semaphore(settings.workers)
        window = _WINDOW * settings.workers
        pending: deque[asyncio.Task[str]] = deque()
        for line in lines:
            pending.append(asyncio.create_task(_run_line(sandbox, line, gate)))
            while pending and (len(pending) >= window or pending[0].done()):
                print(await pending.popleft(), flush=True)
        while pending:
            print(await pending.popleft(), flush=True)


async def _run_line(sandbox: Sandbox, line: BatchLine, gate: asyncio.Semaphore) -> str:
    async with gate, sandbox.session() as session:
        results = [await session.run(cell, timeout_s=line.timeout_s) for cell in line.cells]
        tier = max((result.tier for result in results), default=sandbox.tier)
    cells = [result.model_dump(mode="json", include={"status", "output", "wall_s", "truncated"}) for result in results]
    return json.dumps({"id": line.id, "tier": int(tier), "cells": cells}, ensure_ascii=False)
