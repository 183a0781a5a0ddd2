"""``/ready``: whether the model answers and the sandbox runs code, tried anew each time."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from selftaught.errors import SelftaughtError
from selftaught.records import ExecStatus
from selftaught.serve.backend import Backend

PATIENCE_S = 10.0
"""A part that takes longer is not ready."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What each part said; empty when it is well."""

    engine: str
    sandbox: str
    took_s: float

    @property
    def is_ready(self) -> bool:
        """Whether an answer can be made."""
        return not self.engine and not self.sandbox

    def body(self) -> dict[str, object]:
        """As the route answers."""
        status = "ready" if self.is_ready else "not ready"
        parts = {"engine": self.engine or "ok", "sandbox": self.sandbox or "ok"}
        return {"status": status, **parts, "seconds": round(self.took_s, 4)}


async def readiness(backend: Backend) -> Readiness:
    """Ask both parts."""
    started = time.perf_counter()
    engine, sandbox = await asyncio.gather(backend.call(_engine(backend)), backend.call(_sandbox(backend)))
    return Readiness(engine, sandbox, time.perf_counter() - started)


async def _engine(backend: Backend) -> str:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await backend.engine.check()
    except TimeoutError:
        return f"no answer within {PATIENCE_S:g} s"
    except SelftaughtError as error:
        return str(error)
    return ""


async def _sandbox(backend: Backend) -> str:
    if backend.sandbox is None:
        return ""
    try:
        async with asyncio.timeout(PATIENCE_S):
            result = await backend.sandbox.run("1+1")
    except TimeoutError:
        return f"1+1 did not end within {PATIENCE_S:g} s"
    except SelftaughtError as error:
        return str(error)
    is_right = result.status is ExecStatus.OK and result.output.strip() == "2"
    return "" if is_right else f"1+1 gave {result.status.value}: {result.output.strip()[:200]}"
