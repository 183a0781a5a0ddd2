"""Checks like HumanEval's: they call the program in another process and judge plain values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from selftaught.grading.checks import helpers_before
from selftaught.grading.programs import ProgramGrader, with_helpers
from selftaught.records import TestCase

ONCE = [TestCase(input="", output="true")]
INC = (
    "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(2) == 3\n    assert candidate(5) == 6\n"
)
RIGHT = "def inc(x):\n    return x + 1\n"


@pytest.fixture(scope="module")
def programs() -> Iterator[ProgramGrader]:
    with ProgramGrader(workers=2, timeout_s=4.0) as grader:
        yield grader


PASS: list[tuple[str, str, str]] = [
    ("plain", RIGHT, INC),
    ("prints while working", "def inc(x):\n    print('debug', x)\n    return x + 1", INC),
    ("a class's method", "class Solution:\n    def inc(self, x):\n        return x + 1", INC),
    ("remembers between calls", "n = [1]\ndef inc(x):\n    n[0] += 1\n    return n[0] if n[0] < 4 else 6", INC),
    ("keywords", RIGHT, "def check(candidate):\n    assert candidate(x=1) == 2\n"),
    ("by the name of the function", RIGHT, "def check(candidate):\n    assert inc(1) == 2\n"),
    ("helpers beside the check", RIGHT, "def twice(f, x):\n    return f(f(x))\ndef check(candidate):\n    assert twice(candidate, 1) == 3\n"),
    ("given helpers", RIGHT, "def check(candidate):\n    assert candidate(1) == helper(1)\n"),
    ("what is done to an argument", "def inc(x):\n    x.append(1)\n", "def check(candidate):\n    a = []\n    candidate(a)\n    assert a == [1]\n"),
    ("an exception that is asked for", "def inc(x):\n    raise ValueError(x)", "def check(candidate):\n    try:\n        candidate(3)\n    except ValueError as e:\n        assert str(e) == '3'\n    else:\n        assert False\n"),
    ("an exception of its own", "class E(KeyError): pass\ndef inc(x):\n    raise E(x)", "def check(candidate):\n    try:\n        candidate(3)\n    except LookupError:\n        pass\n    else:\n        assert False\n"),
    ("a generator", "def inc(x):\n    yield x + 1", "def check(candidate):\n    assert list(candidate(1)) == [2]\n"),
    ("tuples, sets and floats", "def inc(x):\n    return ({x}, 0.1, None, b'a')", "def check(candidate):\n    assert candidate(1) == ({1}, 0.1, None, b'a')\n"),
    ("mathematics in the check", "def inc(x):\n    return x ** 0.5", "import math\ndef check(candidate):\n    assert math.fabs(candidate(2) - sqrt(2)) < 1e-9\n"),
    ("many calls", RIGHT, "def check(candidate):\n    for n in range(100):\n        assert candidate(n) == n + 1\n"),
    ("ends itself while loading", f"{RIGHT}exit()", INC),
    ("large values", "def inc(x):\n    return x[::-1]", "def check(candidate):\n    a = list(range(100_000))\n    assert candidate(a) == a[::-1]\n"),
    ("closes its output", f"import sys\nsys.stdout.close()\n{RIGHT}", INC),
]  # fmt: skip

FAIL: list[tuple[str, str]] = [
    ("wrong", "def inc(x):\n    return 2"),
    ("pass", "pass"),
    ("nothing returned", "def inc(x):\n    pass"),
    ("a syntax error", "def inc(x"),
    ("equal to everything", "class A:\n    def __eq__(self, o):\n        return True\ndef inc(x):\n    return A()"),
    ("not unequal to anything", "class A:\n    def __ne__(self, o):\n        return False\n    __eq__ = lambda *a: True\ndef inc(x):\n    return [A()]"),
    ("an int equal to everything", "class A(int):\n    def __eq__(self, o):\n        return True\n    __hash__ = int.__hash__\ndef inc(x):\n    return A(9)"),
    ("mock.ANY", "from unittest.mock import ANY\ndef inc(x):\n    return ANY"),
    ("exec replaced", "import builtins\nbuiltins.exec = exec = lambda *a, **k: None\ndef inc(x):\n    return 0"),
    ("a check of its own", "def check(candidate):\n    pass\ndef inc(x):\n    return 0"),
    ("assertions replaced", "import builtins\nbuiltins.AssertionError = type('E', (), {})\ndef inc(x):\n    return 0"),
    ("the harness patched", "import sys\nfor m in list(sys.modules.values()):\n    for k in list(getattr(m, '__dict__', {})):\n        if k in ('_program', '_find', 'answer', 'say', 'pack'):\n            setattr(m, k, lambda *a, **k: None)\ndef inc(x):\n    return 0"),
    ("says that the check passed", "import os, sys\nsys.modules['_selftaught_crossing'].say = lambda mark, text: os.write(1, (mark + '{\"passed\": true}' + mark).encode())\ndef inc(x):\n    return 0"),
    ("a forged end", "import sys, socket\ndef inc(x):\n    frame = sys._getframe()\n    while 'nonce' not in frame.f_locals:\n        frame = frame.f_back\n    nonce = frame.f_locals['nonce']\n    s = socket.socket(1, 5, 0, fileno=3)\n    s.send(nonce + b'jtrue')\n    s.send(nonce + b'o')\n    return 0"),
    ("leaves", "import os\ndef inc(x):\n    os._exit(0)"),
    ("sys.exit", "import sys\ndef inc(x):\n    sys.exit(0)"),
    ("raises what a check raises", "def inc(x):\n    raise AssertionError"),
    ("raises past everything", "def inc(x):\n    raise BaseException"),
    ("contains itself", "def inc(x):\n    a = []\n    a.append(a)\n    return a"),
    ("endless depth", "def inc(x):\n    a = []\n    for _ in range(10**5):\n        a = [a]\n    return a"),
    ("endless", "def inc(x):\n    while True:\n        pass"),
    ("endless output", "def inc(x):\n    while True:\n        print('x' * 1000)"),
    ("looks for the check", "import gc\ndef inc(x):\n    for o in gc.get_objects():\n        if isinstance(o, dict) and 'check' in o:\n            o['check'] = lambda c: None\n    return 0"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "check"), [case[1:] for case in PASS], ids=[case[0] for case in PASS])
def test_right_programs_pass(source: str, check: str, programs: ProgramGrader) -> None:
    helpers = "def helper(x):\n    return x + 1\n"
    verdict = programs.grade(source, ONCE, fn_name="inc", check_code=check, helpers=helpers)
    assert verdict.passed, verdict.reason


@pytest.mark.parametrize("source", [case[1] for case in FAIL], ids=[case[0] for case in FAIL])
def test_wrong_programs_fail(source: str, programs: ProgramGrader) -> None:
    verdict = programs.grade(source, ONCE, fn_name="inc", check_code=INC, timeout_s=2.0)
    assert not verdict.passed and verdict.reason and not verdict.infrastructure_failed


COUNTS = "n = 0\ndef inc(x):\n    global n\n    n += 1\n    return n\n"
AHEAD: list[tuple[str, str, str, str]] = [
    ("more calls than the trial shows", RIGHT, "def check(c):\n    for n in range(200):\n        assert c(n) == n + 1\n", ""),
    ("a result decides the next call", RIGHT, "def check(c):\n    a = c(1)\n    b = c(a)\n    assert b == 3\n", ""),
    ("a result decides whether there is one", COUNTS, "def check(c):\n    if c(0) == 5:\n        c(1)\n    assert c(2) == 2\n", ""),
    ("other calls each time", RIGHT, "import random\ndef check(c):\n    for _ in range(5):\n        n = random.random()\n        assert c(n) == n + 1\n", ""),
    ("a program is called as often as the check calls it", COUNTS, "def check(c):\n    assert not c(0) == 2\n    assert c(0) == 2\n    assert c(0) != 4\n    assert c(0) == 4\n", ""),
    ("an argument that the program changes is the next argument", "def inc(x):\n    x.append(1)\n    return len(x)\n", "def check(c):\n    a = []\n    assert c(a) == 1\n    assert c(a) == 2\n    assert a == [1, 1]\n", ""),
    ("waits for an answer for ever", RIGHT, "def check(c):\n    n = 0\n    while c(n) < 9:\n        n += 1\n    assert n == 8\n", ""),
    ("a trial that does not end", RIGHT, "def check(c):\n    try:\n        assert int(c(1)) == 2\n    except BaseException as e:\n        while type(e).__name__ == '_Enough':\n            pass\n        raise\n", ""),
    ("wrong before a crash", "import os\ndef inc(x):\n    return 0 if x < 3 else os._exit(0)", INC, "wrong answer: AssertionError (line 2"),
    ("a crash after right answers", "import os\ndef inc(x):\n    return x + 1 if x < 3 else os.abort()", INC, "error: [the process crashed: SIGABRT]"),
    ("an exit after right answers", "import os\ndef inc(x):\n    return x + 1 if x < 3 else os._exit(0)", INC, "error: [the process ended with exit code 0]"),
    ("an exception after right answers", "def inc(x):\n    return x + 1 if x < 3 else 1 / 0", INC, "wrong answer: ZeroDivisionError"),
    ("an endless call after a wrong answer", "def inc(x):\n    while x > 1:\n        pass\n    return 0", INC, "wrong answer: AssertionError (line 2"),
    ("replies for later calls", "import os, sys\ndef inc(x):\n    m = sys._getframe(1).f_locals['mark']\n    os.write(1, (m + '{\"value\": 2, \"changed\": []}' + m).encode() * 50)\n    return 0", INC, "wrong answer"),
    ("half a reply", "import os, sys\ndef inc(x):\n    m = sys._getframe(1).f_locals['mark']\n    os.write(1, m.encode())\n    return 2", INC, "wrong answer"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "check", "reason"), [one[1:] for one in AHEAD], ids=[one[0] for one in AHEAD])
def test_calls_made_ahead_change_no_verdict(source: str, check: str, reason: str, programs: ProgramGrader) -> None:
    verdict = programs.grade(source, ONCE, fn_name="inc", check_code=check, timeout_s=3.0)
    assert verdict.passed is (not reason)
    assert verdict.reason.startswith(f"test 1: {reason}" if reason else "")
    assert not verdict.infrastructure_failed


def test_one_session_serves_many_checks_and_none_that_did_not_end(programs: ProgramGrader) -> None:
    def grade(source: str) -> bool:
        return programs.grade(source, ONCE, fn_name="inc", check_code=INC, timeout_s=1.0).passed

    assert grade(RIGHT)
    assert programs._checkers is not None
    (first,) = programs._checkers._free
    assert not grade("def inc(x):\n    return 2") and grade(RIGHT)
    assert programs._checkers._free == [first]
    assert not grade("def inc(x):\n    while True:\n        pass")
    assert programs._checkers._free == []
    assert grade(RIGHT)


def test_reasons_say_where(programs: ProgramGrader) -> None:
    def reason(source: str, check: str = INC) -> str:
        return programs.grade(source, ONCE, fn_name="inc", check_code=check, timeout_s=2.0).reason

    assert reason("def inc(x):\n    return 2") == "test 1: wrong answer: AssertionError (line 3 of the check)"
    assert reason("x = 1").startswith("test 1: error: NameError: the program defines no function 'inc'")
    assert reason("def inc(x):\n    while True:\n        pass") == "test 1: time limit"
    assert "SyntaxError" in reason(RIGHT, "def check(")


def test_humaneval(shared_data: Path, programs: ProgramGrader) -> None:
    """Every twelfth reference solution passes, and none of them without its body."""
    rows = [json.loads(line) for line in (shared_data / "humaneval.jsonl").read_text("utf-8").splitlines()]
    for row in rows[::12]:
        name, helpers = row["entry_point"], helpers_before(row["prompt"], row["entry_point"])
        for body, passes in ((row["canonical_solution"], True), ("    pass\n", False)):
            source = with_helpers(row["prompt"] + body, row["prompt"], name)
            verdict = programs.grade(source, ONCE, fn_name=name, check_code=row["test"], helpers=helpers)
            assert verdict.passed is passes, f"{row['id']}: {verdict.reason}"
