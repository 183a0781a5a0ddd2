"""Runs abuse cases against a sandbox and says which failed. A script, so that it can run as another user or under a filter.

``python battery.py --tier 1 [--as-sessions] [--control] FILE…`` prints one JSON object: ``ran``, ``tier``, ``failed`` (id → why).
A case file has one JSON object a line: ``code`` (or ``code_gen``, an expression that makes it), ``first`` (an earlier call, or an
earlier cell when ``mode`` is ``session``), ``expect`` (blocked, error, timeout, ok), ``alt``, ``expect_re``, ``must_not_re``.
``--control`` runs the cases with no isolation: there the detectors must fire, or they prove nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftaught.sandbox import ExecResult, Sandbox, SandboxSettings, Tier

PORT = 47123
SECRET = "canary-env-7f3a"
FILE_SECRET = "canary-file-91bc"
_PATIENCE_S = 60.0
FAILURES = {"error", "memory", "crash", "output", "refused"}


@dataclass
class Surroundings:
    """What a case could reach if it got out: listeners, a file, a secret in our environment."""

    directory: Path
    port: int = 0
    hits: list[str] = field(default_factory=list)


@contextlib.contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Put the canaries up, take them down."""
    directory = Path(tempfile.mkdtemp(prefix="canary-"))
    directory.chmod(0o755)
    world = Surroundings(directory)
    (directory / "canary.txt").write_text(FILE_SECRET)
    os.environ["SBX_SECRET"] = SECRET
    listeners = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        world.port = free.getsockname()[1]  # one of our own: batteries may run side by side

    def listen(kind: int, family: int, address: Any, name: str) -> None:
        server = socket.socket(family, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(address)
        except OSError:
            return  # another battery on this machine holds it: its listener serves as well
        if kind == socket.SOCK_STREAM:
            server.listen()
        listeners.append(server)
        threading.Thread(target=watch, args=(server, kind, name), daemon=True).start()

    def watch(server: socket.socket, kind: int, name: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                if kind == socket.SOCK_STREAM:
                    server.accept()[0].close()
                else:
                    server.recv(100)
                world.hits.append(name)

    listen(socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", world.port), "tcp")
    listen(socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", world.port), "udp")
    listen(socket.SOCK_STREAM, socket.AF_UNIX, str(directory / "canary.sock"), "unix")
    listen(socket.SOCK_STREAM, socket.AF_UNIX, f"\0sbx_canary{world.port}", "abstract")
    try:
        yield world
    finally:
        for server in listeners:
            server.close()
        shutil.rmtree(directory, ignore_errors=True)


def load(path: Path) -> list[dict[str, Any]]:
    """The cases of one file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def code_of(case: dict[str, Any], world: Surroundings) -> tuple[str | None, str]:
    """The earlier code, if any, and the code itself."""
    code = case["code"] if "code" in case else eval(case["code_gen"])
    first = case.get("first")
    return (_fill_in(first, world) if first else None), _fill_in(code, world)


def _fill_in(code: str, world: Surroundings) -> str:
    code = code.replace("@DIR@", str(world.directory)).replace(str(PORT), str(world.port))
    return code.replace("sbx_canary", f"sbx_canary{world.port}")


def complaint(case: dict[str, Any], result: ExecResult) -> str:
    """Why ``result`` is wrong for ``case``; empty when it is right."""
    wanted = [case["expect"], *case.get("alt", [])]
    status = str(result.status)
    met = (
        ("blocked" in wanted and status != "timeout")
        or ("error" in wanted and status in FAILURES)
        or status in wanted
    )  # fmt: skip
    said = f"{status}: {result.output[:300]!r}"
    # a case that computes may take longer on a busy machine; one that must be stopped, or that only sends, may not
    hurried = "timeout" in wanted or case["category"] == "channel"
    if hurried and result.wall_s > case.get("max_wall_s", _PATIENCE_S + 1):
        return f"lasted {result.wall_s:.1f} s, {said}"
    if not met:
        return f"expected {wanted}, got {said}"
    if "must_not_re" in case:
        if re.search(case["must_not_re"], result.output):
            return f"matches {case['must_not_re']!r}: {said}"
    elif "ESCAPED" in result.output:
        return f"escaped: {said}"
    if SECRET in result.output or FILE_SECRET in result.output:
        return f"a secret came out: {said}"
    if "expect_re" in case and not re.search(case["expect_re"], result.output):
        return f"does not match {case['expect_re']!r}: {said}"
    return ""


async def run_case(sandbox: Sandbox, case: dict[str, Any], world: Surroundings, as_session: bool) -> str:
    """Run one case; return the complaint."""
    first, code = code_of(case, world)
    # a busy machine must not turn an error into a timeout, nor the suite into an hour
    timeout_s = sandbox.settings.timeout_s if "timeout" in (case["expect"], *case.get("alt", [])) else _PATIENCE_S
    if case.get("mode") == "session":
        async with sandbox.session() as session:
            if first is not None:
                await session.run(first)
            result = await session.run(code, timeout_s)
    elif as_session:
        if first is not None:
            async with sandbox.session() as session:
                await session.run(first)
        async with sandbox.session() as session:
            result = await session.run(code, timeout_s)
    else:
        if first is not None:
            await sandbox.run(first)
        result = await sandbox.run(code, timeout_s)
    return complaint(case, result)


async def run_all(files: list[Path], settings: SandboxSettings, as_session: bool, only: str) -> dict[str, Any]:
    """Run all cases of ``files``, a few at a time."""
    failed: dict[str, str] = {}
    cases = [case for path in files for case in load(path) if not only or re.search(only, case["id"])]
    cases = [case for case in cases if not case.get("policy")]
    if settings.tier != Tier.FULL:
        cases = [case for case in cases if not case.get("tier1") and case.get("note") != "tier1"]
    with surroundings() as world:
        async with Sandbox(settings) as sandbox:
            gate = asyncio.Semaphore(settings.workers)

            async def one(case: dict[str, Any]) -> None:
                async with gate:
                    if why := await run_case(sandbox, case, world, as_session):
                        failed[case["id"]] = why

            await asyncio.gather(*(one(case) for case in cases))
            tier = int(sandbox.tier)
            uid = sandbox.info["uid"]
        await asyncio.sleep(2.0 if settings.unsafe else 0.1)  # the listeners note their hits in threads of their own
        for name in world.hits:
            failed[f"listener-{name}"] = "something connected"
        for name in ("/sbx_escape", "/usr/sbx_escape", "/etc/sbx_escape", "/dev/shm/sbx_escape"):
            if os.path.exists(name):  # noqa: ASYNC240
                failed[f"file-{name}"] = "written on the host"
                os.unlink(name)
    return {"ran": len(cases), "tier": tier, "uid": uid, "failed": failed}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--tier", type=int, default=1)
    parser.add_argument("--as-sessions", action="store_true")
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--timeout", type=float, default=5.0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    tier = Tier.UNSAFE if options.control else Tier(options.tier)
    settings = SandboxSettings(workers=options.workers, tier=tier, unsafe=options.control, timeout_s=options.timeout)
    report = asyncio.run(run_all(options.files, settings, options.as_sessions, options.only))
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
