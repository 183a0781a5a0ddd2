from __future__ import annotations

import asyncio
from typing import Any

from selftaught.records import ExecStatus, ToolInfo
from selftaught.rollouts.tools import RESTARTED, ToolBox, ToolCache, is_repeatable

from .playing import PlainPython, settings


def run_cells(cells: list[str], box: ToolBox) -> list[ToolInfo]:
    async def run() -> list[ToolInfo]:
        interpreter = box.interpreter()
        results = [await interpreter.run(cell) for cell in cells]
        await interpreter.close()
        return results

    return asyncio.run(run())


def box_of(python: PlainPython, **changes: Any) -> ToolBox:
    return ToolBox(python, settings(**changes))


def test_the_same_code_is_run_once() -> None:
    python = PlainPython()
    box = box_of(python)
    cells = ["x = 2\nprint(x)\n", "print(x + 1)\n"]
    first = run_cells(cells, box)
    again = run_cells(cells, box)
    assert [one.output for one in first] == [one.output for one in again] == ["2\n", "3\n"]
    assert [one.cached for one in first] == [False, False] and [one.cached for one in again] == [True, True]
    # The first cell was run once for its result and once more in the session of the second.
    assert len(python.ran) == 3 and python.num_sessions == 1 and box.num_calls == 4 and box.num_run == 2


def test_a_third_cell_replays_only_what_its_session_lacks() -> None:
    python = PlainPython()
    box = box_of(python)
    run_cells(["x = 2\n", "x += 1\n"], box)
    python.ran.clear()
    results = run_cells(["x = 2\n", "x += 1\n", "print(x)\n", "print(x * 2)\n"], box)
    assert results[2].output == "3\n" and results[3].output == "6\n"
    assert python.ran == ["x = 2\n", "x += 1\n", "print(x)\n", "print(x * 2)\n"]


def test_what_may_differ_is_run_each_time_in_its_own_session() -> None:
    python = PlainPython()
    box = box_of(python)
    code = "import random\nx = random.random()\n"
    run_cells([code], box)
    results = run_cells([code, "print(0 < x < 1)\n"], box)
    assert results[1].output == "True\n" and not any(one.cached for one in results)
    assert len(python.ran) == 3
    assert not is_repeatable(code) and is_repeatable("from math import comb\nprint(comb(5, 2))")


def test_a_module_that_comes_late_is_met_by_a_child_that_has_it() -> None:
    python = PlainPython()
    cells = ["x = 2\n", "x += 1\n", "sympy = x\nprint(sympy)\n", "print(sympy + x)\n"]
    results = run_cells(cells, box_of(python))
    assert [one.output for one in results] == ["", "", "3\n", "6\n"]
    assert python.num_sessions == 2 and python.num_open == 0
    # One run alone, two in the first session, three in the second; then only what is new.
    assert python.ran == [*cells[:1], *cells[:2], *cells[:3], cells[3]]


def test_what_may_differ_keeps_its_session_whatever_is_named_later() -> None:
    python = PlainPython()
    results = run_cells(["import random\nx = random.random()\n", "sympy = x\nprint(sympy == x)\n"], box_of(python))
    assert results[1].output == "True\n" and python.num_sessions == 1 and len(python.ran) == 2


def test_lost_state_is_said() -> None:
    box = box_of(PlainPython())
    results = run_cells(["x = 1\n", "TIMEOUT", "print('x' in globals())\n", "print(1)\n"], box)
    assert [one.status for one in results] == [ExecStatus.OK, ExecStatus.TIMEOUT, ExecStatus.OK, ExecStatus.OK]
    assert results[2].output == RESTARTED + "False\n" and results[3].output == "1\n"


def test_a_replay_that_differs_loses_the_state_honestly() -> None:
    class Fickle(PlainPython):
        def _run(self, code: str, scope: dict[str, Any]) -> Any:
            result = super()._run(code, scope)
            result.output += str(len(self.ran)) if code == "print('n')\n" else ""
            return result

    results = run_cells(["print('n')\n", "print(2)\n"], box_of(Fickle()))
    assert results[1].output == RESTARTED + "2\n" or results[1].output == "2\n"
    box = box_of(Fickle())
    run_cells(["print('n')\n"], box)
    second = run_cells(["print('n')\n", "print(2)\n"], box)
    assert second[0].cached
    assert second[1].output.startswith(RESTARTED)


def test_no_state_when_switched_off() -> None:
    python = PlainPython()
    results = run_cells(["x = 1\n", "print(x)\n"], box_of(python, keep_state=False))
    assert results[1].status is ExecStatus.ERROR and python.num_sessions == 0


def test_the_cache_is_bounded() -> None:
    python = PlainPython()
    box = ToolBox(python, settings(), ToolCache(max_entries=2))
    for number in (1, 2, 3, 1):
        run_cells([f"print({number})\n"], box)
    assert len(python.ran) == 4
    run_cells(["print(1)\n"], box)
    assert len(python.ran) == 4 and box.cache.num_hits == 1
