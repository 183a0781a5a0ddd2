"""Code in the sandbox that calls functions of ours: the host's side of ``calls_inside``.

What comes back from the sandbox is untrusted: a call counts only with the name of a function that was given, and its
arguments are data. The functions themselves run here, so they guard what they touch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from selftaught.records import ExecStatus
from selftaught.sandbox import FunctionCall, Program

SOURCE = Path(__file__).with_name("calls_inside.py").read_text(encoding="utf-8")
"""Of the program that ``Sandbox.program`` is to run."""

_SPOILED = "the code spoiled its interpreter: what it returned cannot be read."

HostFunction = Callable[..., Awaitable[Any]]


class CodeError(RuntimeError):
    """The code raised, or a limit ended it."""


@dataclass(frozen=True)
class Outcome:
    """How code ended."""

    value: Any
    """What it returned, or its last expression."""
    logs: str
    """What it printed."""
    is_final: bool = False
    """It called the function that ends it."""


class _Call(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int
    name: str
    args: list[Any]
    kwargs: dict[str, Any]


class _Answer(BaseModel):
    """One step's; see ``calls_inside.step``."""

    model_config = ConfigDict(extra="forbid")

    calls: list[_Call] = Field(default_factory=list, max_length=1000)
    value: Any = None
    text: str | None = None
    final: bool = False
    error: str | None = None
    number: int = 0


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Codec:
    """How values cross: JSON, or more. ``source`` defines ``encode`` and ``decode`` inside, to match those here."""

    source: str = ""
    encode: Callable[[Any], Any] = _same
    decode: Callable[[Any], Any] = _same


class CallingInterpreter:
    """Runs code in ``program``, which must have been made from ``SOURCE``; names persist from run to run.

    ``awaited``: the code is asynchronous, and so are the functions in it. ``timeout_s`` is what a run may use itself;
    the time of our functions does not count. ``max_calls`` of a run.
    """

    def __init__(
        self,
        program: Program,
        timeout_s: float,
        awaited: bool = False,
        codec: Codec | None = None,
        max_calls: int = 1000,
    ) -> None:
        self._program, self._timeout_s, self._awaited = program, timeout_s, awaited
        self._codec = codec or Codec()
        self._max_calls = max_calls
        self.logs = ""
        """What the code of the last run had printed, also when that failed."""

    async def run(
        self,
        code: str,
        functions: Mapping[str, HostFunction],
        variables: Mapping[str, Any] | None = None,
        final: str | None = None,
    ) -> Outcome:
        """Run ``code`` with ``functions`` and ``variables`` among its names; ``final`` is the function that ends it.

        Raises CodeError when the code fails, and what a function of ours raised when the code did not catch that.
        """
        request: dict[str, Any] = {
            "awaited": self._awaited,
            "codec": self._codec.source,
            "functions": sorted(functions),
            "final": final,
            "variables": {name: self._codec.encode(value) for name, value in (variables or {}).items()},
            "code": code,
        }
        raised: dict[int, BaseException] = {}
        used_s, num_calls, self.logs = 0.0, 0, ""
        while True:
            answer, wall_s = await self._step(request, self._timeout_s - used_s)
            used_s += wall_s
            num_calls += len(answer.calls)
            if num_calls > self._max_calls:
                raise CodeError(f"the code made more than {self._max_calls} calls.")
            if not answer.calls:
                break
            results = await asyncio.gather(*(self._call(functions, call, raised) for call in answer.calls))
            request = {"results": results}
        if answer.error is not None:
            if answer.number in raised:
                raise raised[answer.number]
            raise CodeError(answer.error)
        return Outcome(self._value(answer), self.logs, answer.final)

    def _value(self, answer: _Answer) -> Any:
        if answer.text is not None:
            return answer.text
        try:
            return self._codec.decode(answer.value)
        except Exception:  # the decoder is another's, and what it reads is the sandbox's
            raise CodeError(_SPOILED) from None

    async def _step(self, request: dict[str, Any], timeout_s: float) -> tuple[_Answer, float]:
        call = FunctionCall(name="step", arguments=[json.dumps(request)])
        result = await self._program.call(call, max(timeout_s, 0.01))
        self.logs += result.stdout
        if result.status is not ExecStatus.OK or result.returned_json is None:
            raise CodeError(result.stderr_tail.strip() or "the code ended its interpreter")
        try:
            return _Answer.model_validate_json(result.returned_json), result.wall_s
        except ValidationError:
            raise CodeError(_SPOILED) from None

    async def _call(
        self, functions: Mapping[str, HostFunction], call: _Call, raised: dict[int, BaseException]
    ) -> dict[str, Any]:
        """The result of one call, or the error that the code is to see."""
        try:
            if call.name not in functions:
                raise NameError(f"there is no function {call.name[:100]!r}")
            args = [self._codec.decode(value) for value in call.args]
            kwargs = {name: self._codec.decode(value) for name, value in call.kwargs.items()}
            value = self._codec.encode(await functions[call.name](*args, **kwargs))
            json.dumps(value)
            return {"number": call.number, "value": value}
        except Exception as error:
            raised[call.number] = error
            return {"number": call.number, "error": f"{type(error).__name__}: {error}"}
