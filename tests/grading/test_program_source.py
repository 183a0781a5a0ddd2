"""Which block of a response is the program."""

from __future__ import annotations

import time

import pytest

from selftaught.grading.program_source import bare_program, program_source

READS = "n = int(input())\nprint(n + 1)\n"
DOUBLE = "def double(x):\n    return 2 * x\n"
METHOD = "class Solution:\n    def double(self, x):\n        return 2 * x\n"


def block(code: str, language: str = "python", fence: str = "```") -> str:
    return f"{fence}{language}\n{code}{fence}\n"


STDIN: list[tuple[str, str, str | None]] = [
    ("one block", f"So:\n{block(READS)}Done.", READS),
    ("a draft and a final one", block("print(int(input()))\n") + "Better:\n" + block(READS), READS),
    ("a sample of output without a tag", block(READS) + "For 4:\n" + block("5\n", ""), READS),
    ("a sample of words", block(READS) + block("YES\n", "") + block("1 2 3\n", ""), READS),
    ("complexity without a tag", block(READS) + block("O(n)\n", ""), READS),
    ("a sample with a Python tag", block(READS) + block("5\n"), READS),
    ("a transcript", block(READS) + block(">>> 4 + 1\n5\n"), READS),
    ("other languages after it", block(READS) + block("python3 a.py < in\n", "bash") + block("int main(){}\n", "cpp"), READS),
    ("output after it", block(READS) + block("5\n", "output"), READS),
    ("a tool call after it", block(READS) + block("print(4 + 1)\n") + block("5\n", "output"), READS),
    ("a tool call before it", block("print(4 + 1)\n") + block("5\n", "output") + block(READS), READS),
    ("a call in a tag of its own", block(READS) + block('{"name": "run"}\n', "tool_call") + block("print(1)\n", "tool_code"), READS),
    ("use of what it defines", block(f"def solve():\n    {READS.replace(chr(10), '; ')}\nsolve()\n") + block("solve()\n"), "def"),
    ("its import", block("def solve():\n    print(int(input()))\nsolve()\n") + block("from a import solve\nsolve()\n"), "def"),
    ("a helper shown again", block("def f(n):\n    return n\nprint(f(int(input())))\n") + block("def f(n):\n    return n\n"), "print"),
    ("a harness with its own input", block(READS) + block(f"import io, sys\nsys.stdin = io.StringIO('4')\n{READS}"), READS),
    ("input wrapped for speed", block("print(input())\n") + block(f"import io, sys\nsys.stdin = io.StringIO(sys.stdin.read())\n{READS}"), "sys.stdin"),
    ("no tag", block(READS, ""), READS),
    ("an unknown tag", block(READS, "text"), READS),
    ("nothing is read", block("print(1)\n") + block("print(2)\n"), "print(2)\n"),
    ("a broken final program", block(READS) + block("n = int(input()\nprint(n)\n"), "n = int(input()\nprint(n)\n"),
    ("a sketch that does not parse", block(READS) + block("read n, then print n + 1 ...\n"), READS),
    ("cut off after a draft", block(READS) + "Better:\n```python\nn = int(inp", READS),
    ("the last fence is missing", block("print(input())\n") + f"Better:\n```python\n{READS}", READS),
    ("a fence is forgotten in between", f"```python\n{READS}```python\nprint(1)\n```\n", READS),
    ("nothing but an unfinished one", "```python\nn = int(", "n = int("),
    ("opened by the prompt", f"{READS}```\n\nThis adds one.\n", READS),
    ("opened by the prompt, with a usage", f"{READS}```\n\nInput:\n```\n4\n```\n", READS),
    ("opened by the prompt, tag in the text", f"python\n{READS}```\nDone.\n", READS),
    ("four backticks", block(f"s = '''\n```\n'''\n{READS}", fence="````"), f"s = '''\n```\n'''\n{READS}"),
    ("tildes", block(READS, fence="~~~"), READS),
    ("in a list", "1. Write:\n\n   ```python\n   if 1:\n       print(input())\n   ```\n2. Run it.\n", "if 1:\n    print(input())\n"),
    ("carriage returns", block(READS).replace("\n", "\r\n"), READS.replace("\n", "\r\n")),
    ("no program", "Read n and print it.", None),
    ("only other languages", block("int main(){}\n", "cpp") + block("5\n", "output"), None),
]  # fmt: skip

CALLS: list[tuple[str, str, str]] = [
    ("use of it last", block(DOUBLE) + block("print(double(4))  # 8\n"), DOUBLE),
    ("use of its class last", block(METHOD) + block("sol = Solution()\nprint(sol.double(4))\n"), METHOD),
    ("tests that import it", block(DOUBLE) + block("from solution import double\nassert double(2) == 4\n"), DOUBLE),
    ("a later definition", block(DOUBLE) + block(DOUBLE.replace("2 * x", "x + x")), DOUBLE.replace("2 * x", "x + x")),
    ("a helper last", block(DOUBLE) + block("def helper():\n    pass\n"), DOUBLE),
    ("a main program last", block(DOUBLE) + block("print(int(input()) * 2)\n"), DOUBLE),
    ("a broken definition last", block(DOUBLE) + block("def double(x):\n    return (2 * x\n"), "def double(x):\n    return (2 * x\n"),
    ("a sketch last", block(DOUBLE) + block("for each x: double it\n"), DOUBLE),
    ("a name for a partial", block("import functools\ndouble = functools.partial(lambda k, x: k * x, 2)\n") + block("print(double(1))\n"), "import functools"),
    ("an import is a definition", block("from operator import neg as double\n") + block("print(double(1))\n"), "from operator"),
    ("inside a condition", block("if True:\n    def double(x):\n        return 2 * x\n") + block("double(1)\n"), "if True"),
    ("inherited", block("class A:\n    def double(self, x):\n        return 2 * x\nclass Solution(A):\n    pass\n") + block("Solution().double(1)\n"), "class A"),
    ("without a tag", block("double(4)\n") + block(DOUBLE, ""), DOUBLE),
    ("without a tag, then a sample", block(DOUBLE, "") + block("[8]\n", ""), DOUBLE),
    ("nobody defines it", block("print(1)\n") + block("print(2)\n"), "print(2)\n"),
    ("an alias in a usage", block(METHOD) + block("double = Solution().double\nprint(double(4))\n"), METHOD),
]  # fmt: skip


@pytest.mark.parametrize(("text", "start"), [case[1:] for case in STDIN], ids=[case[0] for case in STDIN])
def test_programs_for_standard_input(text: str, start: str | None) -> None:
    found = program_source(text)
    assert (found is None) if start is None else (found is not None and start in found and found != text)


@pytest.mark.parametrize(("text", "start"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_functions(text: str, start: str) -> None:
    found = program_source(text, "double")
    assert found is not None and found.startswith(start) and "print(double" not in found


@pytest.mark.parametrize(
    ("response", "program"),
    [
        ("Here:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```python\nprint(1)\n```\nbetter:\n```py\nprint(2)\n```\n```output\n2\n```", "print(2)\n"),
        ("print('```python')", "print('```python')"),
        ("print(3)", "print(3)"),
        ('s = """\n```python\nx\n```\n"""', 's = """\n```python\nx\n```\n"""'),
        ("<think>\n```python\nprint(input())\n```\n</think>\n```python\nprint(2)\n```", "print(2)\n"),
        ("\ufeffSo:\n```python\nprint(2)\n```", "print(2)\n"),
        ("no program in\n```json\n{}\n```", "no program in\n```json\n{}\n```"),
    ],
)
def test_a_program_may_come_inside_a_response(response: str, program: str) -> None:
    assert bare_program(response) == program


@pytest.mark.parametrize(
    "code",
    ["(" * 150_000, "-" * 150_000 + "1", "a" + ".b" * 70_000, "a" + "+b" * 70_000, "not " * 40_000 + "1", "[" * 150_000,
     "lambda:" * 20_000, "f'{" * 40_000, "x = 1\n" * 100_000, "\x00", "\ud800"],
    ids=range(11),
)  # fmt: skip
def test_hostile_code_is_only_looked_at(code: str) -> None:
    started = time.process_time()
    assert program_source(block(code + "\n")) is not None
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    "text", ["```\n" * 15_000, block("print(1)\n") * 3_000, "```python\n" * 15_000, "```\nx\n" * 15_000]
)
def test_time_is_linear_in_the_number_of_blocks(text: str) -> None:
    started = time.process_time()
    program_source(text)
    program_source(text, "f")
    assert time.process_time() - started < 3
