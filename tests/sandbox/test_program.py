"""Live programs whose functions are called: values cross, state stays, an end is an end."""

from __future__ import annotations

import pytest

from selftaught.records import ExecStatus
from selftaught.sandbox import FunctionCall, Sandbox

COUNTER = "n = 0\ndef add(k):\n    global n\n    n += k\n    print('[99]')\n    return n\ndef fail(): return 1 / 0\ndef spin():\n    while True: pass\ndef leave():\n    import os; os._exit(0)\n"


def call(name: str, *arguments: str) -> FunctionCall:
    return FunctionCall(name=name, arguments=list(arguments))


async def test_calls_one_after_another(sandbox: Sandbox) -> None:
    async with sandbox.program(COUNTER) as program:
        first = await program.call(call("add", "2"))
        assert (first.returned(), first.stdout, first.status) == (2, "[99]\n", ExecStatus.OK)
        assert (await program.call(call("add", "3"))).returned() == 5
        failed = await program.call(call("fail"))
        assert (failed.returned_json, failed.status, failed.exit_code) == (None, ExecStatus.ERROR, 1)
        assert "ZeroDivisionError" in failed.stderr_tail
        assert (await program.call(call("add", "1"))).returned() == 6


async def test_the_source_runs_once_and_first(sandbox: Sandbox) -> None:
    async with sandbox.program("print('once', input())\ndef f(): return 1") as program:
        started = await program.start(stdin=b"hi\n")
        assert (started.stdout, started.status) == ("once hi\n", ExecStatus.OK)
        result = await program.call(call("f"))
        assert (result.returned(), result.stdout) == (1, "")
        assert (await program.start()).status is ExecStatus.REFUSED


@pytest.mark.parametrize("name, status", [("spin", ExecStatus.TIMEOUT), ("leave", ExecStatus.ERROR)])
async def test_a_program_that_ended_stays_ended(sandbox: Sandbox, name: str, status: ExecStatus) -> None:
    async with sandbox.program(COUNTER) as program:
        await program.call(call("add", "1"))
        ended = await program.call(call(name), timeout_s=0.5)
        assert (ended.status, ended.returned_json) == (status, None)
        again = await program.call(call("add", "1"))
        assert (again.status, again.returned_json) == (ExecStatus.REFUSED, None)


async def test_a_result_is_the_programs_own_word_and_no_more(sandbox: Sandbox) -> None:
    """It can forge what it returns, which is its right, but neither a later call's nonce nor what it is compared with."""
    forge = (
        "import sys, socket\ndef f(x):\n    s = socket.socket(1, 5, 0, fileno=3)\n    s.send(bytes(16) + b'j5'); s.send(bytes(16) + b'o')\n"
        "    s.detach()\n    raise ValueError"
    )
    async with sandbox.program(forge) as program:
        result = await program.call(call("f", "1"))
        assert (result.returned_json, result.status) == (None, ExecStatus.ERROR)
