"""Programs judged by tests: what a correct one may do, and what a clever wrong one may not."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from selftaught.grading.programs import ProgramGrader
from selftaught.records import TestCase


@pytest.fixture(scope="module")
def programs() -> Iterator[ProgramGrader]:
    with ProgramGrader(workers=2, timeout_s=4.0) as grader:
        yield grader


def str_of(base: int, exponent: int) -> str:
    """Digits of a power, past Python's limit."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        return str(base**exponent)
    finally:
        sys.set_int_max_str_digits(limit)


STDIN: list[tuple[str, str, str, str, bool]] = [
    ("iterates over sys.stdin", "import sys\nfor line in sys.stdin:\n    print(int(line) * 2)", "1\n2\n", "2\n4\n", True),
    ("sys.stdin.buffer", "import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", "1 2\n", "3", True),
    ("sys.stdout.buffer", "import sys\nsys.stdout.buffer.write(b'5\\n')", "", "5", True),
    ("os.read(0)", "import os\nprint(os.read(0, 100).decode().strip())", "hi\n", "hi", True),
    ("open(0)", "print(open(0).read().strip())", "hi\n", "hi", True),
    ("os.write(1)", "import os\nos.write(1, b'7\\n')", "", "7", True),
    ("nested global", "def main():\n    global x\n    x = 3\n    def f():\n        global x\n        x += 1\n    f()\n    print(x)\nmain()", "", "4", True),
    ("main guard", "if __name__ == '__main__':\n    print(1)", "", "1", True),
    ("future import", "from __future__ import annotations\nprint(1)", "", "1", True),
    ("star imports are there", "d = deque([gcd(4, 6)])\nprint(d.pop())", "", "2", True),
    ("sys.exit(0) after output", "import sys\nprint(4)\nsys.exit(0)", "", "4", True),
    ("sys.exit() after output", "import sys\nprint(4)\nsys.exit()", "", "4", True),
    ("exit() at the end", "print(4)\nexit()", "", "4", True),
    ("quit() at the end", "print(4)\nquit()", "", "4", True),
    ("raise SystemExit", "print(4)\nraise SystemExit", "", "4", True),
    ("exit status 1", "import sys\nprint(4)\nsys.exit(1)", "", "4", False),
    ("exit with words", "import sys\nprint(4)\nsys.exit('bad')", "", "4", False),
    ("os._exit(3)", "import os\nprint(4, flush=True)\nos._exit(3)", "", "4", False),
    ("killed by itself", "import os, signal\nprint(4, flush=True)\nos.kill(os.getpid(), signal.SIGKILL)", "", "4", False),
    ("aborted", "import os\nprint(4, flush=True)\nos.abort()", "", "4", False),
    ("segmentation fault", "import ctypes\nprint(4, flush=True)\nctypes.string_at(0)", "", "4", False),
    ("an error in another thread", "import threading\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()\nprint(4)", "", "4", True),
    ("a crash where nothing is expected", "1 / 0", "", "", False),
    ("a syntax error where nothing is expected", "this is not python", "", "\n", False),
    ("a signal where nothing is expected", "import ctypes\nctypes.string_at(0)", "", "", False),
    ("os._exit after a flush", "import os\nprint(4, flush=True)\nos._exit(0)", "", "4", True),
    ("error after the whole output", "print(4)\n1 / 0", "", "4", False),
    ("error before any output", "1 / 0\nprint(4)", "", "4", False),
    ("syntax error", "def (", "", "4", False),
    ("deep recursion", "def g(n):\n    return 0 if n == 0 else 1 + g(n - 1)\nprint(g(20000))", "", "20000", True),
    ("recursion in a thread with a large stack", "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(2**27)\ndef main():\n    print(int(input()) + 1)\nt = threading.Thread(target=main)\nt.start()\nt.join()", "4", "5", True),
    ("a megabyte of output", "print('a' * 10**6)", "", "a" * 10**6, True),
    ("output without end", "while True:\n    print('a' * 1000)", "", "a", False),
    ("endless loop", "while True:\n    pass", "", "1", False),
    ("sleeps past the limit", "import time\ntime.sleep(60)\nprint(1)", "", "1", False),
    ("eats all memory", "x = [0] * 10**10\nprint(1)", "", "1", False),
    ("5.0 is 5", "print('5.0')", "", "5", True),
    ("1e3 is 1000", "print('1e3')", "", "1000", True),
    ("no float tolerance", "print(0.1 + 0.2)", "", "0.3", False),
    ("a line mixes words and numbers", "print('x 5.0')", "", "x 5", False),
    ("case matters", "print('yes')", "", "YES", False),
    ("trailing blanks and lines", "print('1 2 ')\nprint()", "", "1 2\n", True),
    ("inner blanks of numbers", "print('1   2')", "", "1 2", True),
    ("inner blanks of words", "print('a   b')", "", "a b", False),
    ("one line too many", "print(1)\nprint(2)", "", "1", False),
    ("one line too few", "print(1)", "", "1\n2", False),
    ("lines joined", "print('1 2')", "", "1\n2", False),
    ("input() with a prompt", "x = input('n? ')\nprint(x)", "5", "5", False),
    ("carriage returns", "print(input())\nprint(input())", "a\r\nb\r\n", "a\r\nb\r\n", True),
    ("reads past the end", "print(input())\ninput()", "1\n", "1", False),
    ("a byte order mark", "\ufeffprint(1)", "", "1", True),
    ("print replaced", "import builtins, os\nbuiltins.print = lambda x: os.write(1, b'7')\nprint(1)", "", "7", True),
    ("names found when the program runs", "print(eval('gcd(4, 6)'))", "", "2", True),
    ("sNaN", "print('sNaN')", "", "sNaN", True),
    ("sNaN for a number", "print('sNaN')", "", "5", False),
    ("a very long integer", "print(7 ** 20000)", "", str_of(7, 20000), True),
    ("standard error is not judged", "import sys\nprint('x', file=sys.stderr)\nprint(3)", "", "3", True),
    ("builtins stay builtins", "print(pow(2, 3, 5), sum([1, 2]), open.__name__)", "", "3 3 open", True),
    ("nothing printed", "pass", "", "1", False),
    ("nothing expected", "pass", "", "", True),
    ("carriage returns written", "import sys\nsys.stdout.write('1\\r\\n2\\r\\n')", "", "1\n2\n", True),
    ("numbers joined by a tab", "print('1\\t2')", "", "1 2", True),
    ("words joined by a tab", "print('a\\tb')", "", "a b", False),
    ("a list is no tuple in print", "print((1, 2))", "", "[1, 2]", False),
    ("a number with a thousands mark", "print('1,000')", "", "1000", False),
    ("negative zero", "print('-0')", "", "0", True),
    ("a blank line between", "print(1)\nprint()\nprint(2)", "", "1\n2", False),
    ("stdin opened again", "import sys\nsys.stdin = open(0)\nprint(input())", "7\n", "7", True),
    ("until the end of input", "try:\n    while True:\n        print(input()[::-1])\nexcept EOFError:\n    pass", "ab\ncd\n", "ba\ndc", True),
    ("print is write", "import sys\nprint = sys.stdout.write\nprint('3\\n')", "", "3", True),
    ("endless recursion", "def f():\n    return f()\nf()", "", "1", False),
    ("time limit after the right output", "print(1, flush=True)\nwhile True:\n    pass", "", "1", False),
    ("numpy", "import numpy as np\nprint(np.arange(3).sum())", "", "3", True),
]  # fmt: skip

CALLS: list[tuple[str, str, str, str, str, bool]] = [
    ("plain function", "def f(a, b):\n    return a + b", "f", "1\n2", "3", True),
    ("method of Solution", "class Solution:\n    def add(self, a: int, b: int) -> int:\n        return a + b", "add", "1\n2", "3", True),
    ("typing names", "class Solution:\n    def s(self, a: List[int]) -> Optional[int]:\n        return sum(a)", "s", "[1,2]", "3", True),
    ("leaves early with os._exit", "import os\ndef f(x):\n    os._exit(0)", "f", "1", "2", False),
    ("prints the answer and leaves", "import os\ndef f(x):\n    print(2, flush=True)\n    os._exit(0)", "f", "1", "2", False),
    ("equal to everything", "class A:\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return 1\ndef f(x):\n    return A()", "f", "1", "2", False),
    ("an int equal to everything", "class A(int):\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return 1\ndef f(x):\n    return A(7)", "f", "1", "2", False),
    ("a str equal to everything", "class A(str):\n    def __eq__(self, other):\n        return True\n    def __hash__(self):\n        return 1\ndef f(x):\n    return A('n')", "f", "1", '"y"', False),
    ("exit() while loading", "def f(x):\n    return x\nexit()", "f", "1", "1", True),
    ("sys.exit in the call", "import sys\ndef f(x):\n    sys.exit(0)", "f", "1", "1", False),
    ("prints while working", "def f(x):\n    print('debug')\n    return x", "f", "1", "1", True),
    ("tuple is list", "def f():\n    return (1, 2)", "f", "", "[1, 2]", True),
    ("true", "def f():\n    return True", "f", "", "true", True),
    ("none is null", "def f():\n    pass", "f", "", "null", True),
    ("set is no JSON value", "def f():\n    return {1}", "f", "", "[1]", False),
    ("float is int", "def f():\n    return 2.0", "f", "", "2", True),
    ("no float tolerance", "def f():\n    return 0.1 + 0.2", "f", "", "0.3", False),
    ("string is no number", "def f():\n    return '2'", "f", "", "2", False),
    ("order matters", "def f():\n    return [2, 1]", "f", "", "[1, 2]", False),
    ("nested lists", "def f(a):\n    return [[x] for x in a]", "f", "[1,2]", "[[1], [2]]", True),
    ("unicode", "def f(s):\n    return s[::-1]", "f", '"äb"', '"bä"', True),
    ("no such function", "def g():\n    return 1", "f", "", "1", False),
    ("raises", "def f():\n    raise ValueError", "f", "", "1", False),
    ("print instead of return", "def f(a):\n    print(a)", "f", "2", "2", False),
    ("main guard is not run", "def f(a):\n    return a\nif __name__ == '__main__':\n    print(f(int(input())))", "f", "1", "1", True),
    ("dataclass", "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\ndef f(a):\n    return P(a).x", "f", "1", "1", True),
    ("static method", "class Solution:\n    @staticmethod\n    def f(a):\n        return a * 2", "f", "2", "4", True),
    ("state of the object", "class Solution:\n    def __init__(self):\n        self.k = 3\n    def f(self, a):\n        return a * self.k", "f", "2", "6", True),
    ("sorts in place and returns nothing", "def f(a):\n    a.sort()", "f", "[2, 1]", "[1, 2]", False),
    ("generator", "def f(a):\n    return (i for i in range(a))", "f", "2", "[0, 1]", False),
    ("dictionary in another order", "def f():\n    return {'b': 1, 'a': 2}", "f", "", '{"a": 2, "b": 1}', True),
    ("wrong number of arguments", "def f(a, b):\n    return a", "f", "2", "2", False),
    ("checks itself while loading", "def f(a):\n    return a\nprint(f(3))\nassert f(1) == 1", "f", "1", "1", True),
    ("endless", "def f():\n    while True:\n        pass", "f", "", "1", False),
    ("a long integer", "def f(n):\n    return 3 ** n", "f", "10000", str_of(3, 10000), True),
    ("a negative long integer", "def f(n):\n    return -3 ** n", "f", "10000", "-" + str_of(3, 10000), True),
    ("a very long integer", "def f(n):\n    return 10 ** n", "f", "150000", "1" + "0" * 150000, True),
    ("long integers in a list", "def f(n):\n    return [[3 ** n], n]", "f", "9000", f"[[{str_of(3, 9000)}], 9000]", True),
    ("a long argument", "def f(n):\n    return n + 1", "f", "9" * 9000, "1" + "0" * 9000, True),
    ("a long integer that differs in the last digit", "def f(n):\n    return 3 ** n + 1", "f", "10000", str_of(3, 10000), False),
    ("the digits as a string", "def f(n):\n    return '1' + '0' * n", "f", "9000", "1" + "0" * 9000, False),
    ("a long float", "def f():\n    return 1e300", "f", "", "1" + "0" * 300, False),
    ("a name of the prelude", "x = 1", "gcd", "4\n6", "2", False),
    ("another one, in a class", "class Solution:\n    pass", "median", "[1, 2, 9]", "2", False),
    ("a built-in name", "pass", "sorted", "[2, 1]", "[1, 2]", False),
    ("a module of the prelude", "pass", "copy", "[1]", "[1]", False),
    ("the harness's own", "pass", "exec", '"1"', "null", False),
    ("imported by the program", "from math import gcd", "gcd", "4\n6", "2", True),
    ("a wrapper of its own", "from math import gcd as g\ndef gcd(a, b):\n    return g(a, b)", "gcd", "4\n6", "2", True),
    ("exit status 1 while loading", "def f(a):\n    return a\nimport sys\nsys.exit(1)", "f", "1", "1", False),
    ("far too much", "def f():\n    return [0] * 10**6", "f", "", "[0]", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("source", "stdin", "expected", "passes"), [case[1:] for case in STDIN], ids=[case[0] for case in STDIN]
)
def test_programs_for_standard_input(
    source: str, stdin: str, expected: str, passes: bool, programs: ProgramGrader
) -> None:
    verdict = programs.grade(source, [TestCase(input=stdin, output=expected)], timeout_s=3.0)
    assert verdict.passed is passes, verdict.reason
    assert bool(verdict.reason) is not passes


@pytest.mark.parametrize(
    ("source", "name", "arguments", "expected", "passes"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS]
)
def test_functions(
    source: str, name: str, arguments: str, expected: str, passes: bool, programs: ProgramGrader
) -> None:
    verdict = programs.grade(source, [TestCase(input=arguments, output=expected)], fn_name=name, timeout_s=3.0)
    assert verdict.passed is passes, verdict.reason


def test_all_tests_must_pass_and_the_rest_is_not_run(programs: ProgramGrader) -> None:
    tests = [TestCase(input=str(n), output=str(n)) for n in range(6)]
    assert programs.grade("print(input())", tests).passed
    verdict = programs.grade("x = input()\nprint(x if x != '1' else 0)", tests)
    assert not verdict.passed
    assert verdict.reason.startswith("test 2: wrong answer")
    assert len(verdict.tests) == 6
    assert verdict.tests[-1].reason == "not run"


def test_each_test_starts_anew(programs: ProgramGrader) -> None:
    counts = "c = 0\ndef f(a):\n    global c\n    c += 1\n    return c"
    assert programs.grade(counts, [TestCase(input="1", output="1")] * 3, fn_name="f").passed
    leaves = "import os\nn = 2 if os.path.exists('x') else 1\nopen('x', 'w').write('1')\nprint(n)"
    assert programs.grade(leaves, [TestCase(input="", output="1")] * 3).passed


def test_no_tests_pass_nothing(programs: ProgramGrader) -> None:
    assert not programs.grade("print(1)", []).passed
