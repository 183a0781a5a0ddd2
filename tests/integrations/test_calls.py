"""Code in the sandbox that calls functions here: order, errors on both sides, limits, hostile answers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from selftaught.integrations.calls import SOURCE, CallingInterpreter, CodeError
from selftaught.sandbox import Sandbox


async def add(a: int, b: int = 1) -> int:
    return a + b


async def fail() -> None:
    raise LookupError("nothing there")


FUNCTIONS = {"add": add, "fail": fail}


async def run(sandbox: Sandbox, *cells: str, timeout_s: float = 20.0, awaited: bool = False, **more: Any) -> Any:
    """The outcome of the last cell."""
    async with sandbox.program(SOURCE) as program:
        interpreter = CallingInterpreter(program, timeout_s, awaited, max_calls=20)
        for cell in cells:
            outcome = await interpreter.run(cell, FUNCTIONS, **more)
        return outcome


async def test_names_persist_and_calls_work_anywhere_in_the_code(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "def f(n):\n    return sum(add(i, b=i) for i in range(n))", "print('hi')\nf(4)")
    assert (outcome.value, outcome.logs, outcome.is_final) == (12, "hi\n", False)


async def test_threads_of_the_code_may_call(sandbox: Sandbox) -> None:
    code = "from concurrent.futures import ThreadPoolExecutor as P\nwith P(4) as p: r = list(p.map(add, range(8)))\nr"
    assert (await run(sandbox, code)).value == list(range(1, 9))


async def test_calls_that_are_gathered_run_at_the_same_time(sandbox: Sandbox) -> None:
    together: list[int] = []
    most = 0

    async def slow(n: int) -> int:
        nonlocal most
        together.append(n)
        most = max(most, len(together))
        await asyncio.sleep(0.05)
        together.remove(n)
        return n

    async with sandbox.program(SOURCE) as program:
        interpreter = CallingInterpreter(program, 20.0, awaited=True)
        code = "import asyncio\nreturn await asyncio.gather(*[slow(i) for i in range(4)])"
        assert (await interpreter.run(code, {"slow": slow})).value == [0, 1, 2, 3]
    assert most == 4


async def test_an_error_of_a_function_can_be_caught_or_comes_back_as_it_was(sandbox: Sandbox) -> None:
    caught = "try:\n    fail()\nexcept Exception as error:\n    r = str(error)\nr"
    assert (await run(sandbox, caught)).value == "LookupError: nothing there"
    with pytest.raises(LookupError, match="nothing there"):
        await run(sandbox, "fail()")
    with pytest.raises(LookupError, match="nothing there"):
        await run(sandbox, "await fail()", awaited=True)


@pytest.mark.parametrize("awaited", [False, True])
@pytest.mark.parametrize(
    "code, reason",
    [
        ("1 / 0", r'(?s)File "<code>", line 1.*ZeroDivisionError: division by zero'),
        ("x = (", "SyntaxError"),
        ("add(object())", "a object cannot be sent out of the sandbox"),
        ("add(1, 2, 3)", "takes from 1 to 2 positional arguments"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(0)", "the code ended its interpreter"),
        ("while True: pass", "still running after 1 s"),
    ],
)
async def test_what_goes_wrong_in_the_code(sandbox: Sandbox, code: str, reason: str, awaited: bool) -> None:
    code = code.replace("add(", "await add(") if awaited else code
    with pytest.raises((CodeError, TypeError), match=reason):
        await run(sandbox, code, timeout_s=1.0, awaited=awaited)


async def test_time_and_calls_of_a_run_are_bounded(sandbox: Sandbox) -> None:
    with pytest.raises(CodeError, match="more than 20 calls"):
        await run(sandbox, "for i in range(30): add(i)")
    with pytest.raises(CodeError, match="still running"):
        await run(sandbox, "import time\nfor i in range(15): time.sleep(0.1); add(i)", timeout_s=0.7)


@pytest.mark.parametrize(
    "code, reason",
    [
        ("import __main__ as m\nm.step = lambda request: {'calls': 'all of them'}", "spoiled"),
        ("import __main__ as m\nm.step = lambda request: {'calls': [{'number': 1, 'name': 'exec'}]}", "spoiled"),
        ("import __main__ as m\nm._run.ask('exec', ('1',), {})", "spoiled|no function 'exec'|KeyError"),
    ],
)
async def test_a_hostile_answer_reaches_no_other_function(sandbox: Sandbox, code: str, reason: str) -> None:
    with pytest.raises((CodeError, NameError), match=reason):
        await run(sandbox, code, "add(1)")


async def test_a_value_that_is_not_json_comes_as_text(sandbox: Sandbox) -> None:
    assert (await run(sandbox, "{1}")).value == "{1}"
    assert (await run(sandbox, "n * 2", variables={"n": 21})).value == 42


async def test_the_final_function_ends_the_code(sandbox: Sandbox) -> None:
    outcome = await run(sandbox, "try:\n    add(1)\nexcept Exception: pass\nprint('never')", final="add")
    assert (outcome.value, outcome.is_final, outcome.logs) == (2, True, "")
