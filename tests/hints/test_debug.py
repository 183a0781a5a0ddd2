from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.hints import load_library
from selftaught.hints.debug import render_debug, samples, signature
from selftaught.records import Problem, ProblemKind, TestCase


def code(text: str = "Do it.", **fields: object) -> Problem:
    return Problem(id="c", problem=text, kind=ProblemKind.CODE, **fields)  # type: ignore[arg-type]


def test_function_template() -> None:
    tests = [
        TestCase(input="3\n20", output="6", public=True),
        TestCase(input="2\n9", output="4", public=True),
        TestCase(input="7\n8", output="999"),
    ]
    text = render_debug(code("Write solve(a, b).", fn_name="solve", tests=tests), load_library(), "en", "Opening.")
    assert text == (
        "Opening. The template is\n\n```python\ndef solve(a, b):\n    ...\n\nprint(solve(3, 20) == 6)\nprint(solve(2, 9) == 4)\n```\n\n"
        "The sample cases are solve(3, 20) == 6 and solve(2, 9) == 4.\n\n```python\n"
    )


def test_starter_template_and_json_values() -> None:
    starter = "class Solution:\n    def twoSum(self, nums: List[int], ok: bool) -> List[int]:\n        "
    tests = [
        TestCase(input="[1, 2]\ntrue", output="null", public=True),
        TestCase(input="[]\nfalse", output="[0]", public=True),
    ]
    text = render_debug(code(starter_code=starter, tests=tests), load_library(), "en", "O.")
    assert "print(Solution().twoSum([1, 2], True) == None)\nprint(Solution().twoSum([], False) == [0])" in text
    assert "-> List[int]:\n        ...\n" in text
    compile(text.split("```python\n")[1].split("```")[0].replace("List[int]", "list"), "t", "exec")


def test_stdin_template() -> None:
    text = render_debug(
        code(tests=[TestCase(input="3\n1 2 3\n", output="6\n", public=True)]), load_library(), "zh", "先测。"
    )
    assert "sys.stdin = io.StringIO('3\\n1 2 3\\n'); main()  # 6" in text and "样例是" in text
    compile(text.split("```python\n")[1].split("```")[0], "t", "exec")


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        (">>> f([1, 2])\n3\n>>> f([])\n0\n", ["f([1, 2])", "f([])"]),
        ("def f(x): …  assert f(2) == 4; f(3) == 9.", ["f(2)", "f(3)"]),
        ("f(2) returns 4. f(x) is the square", ["f(2)"]),
        ("nothing here", []),
    ],
)
def test_samples_from_the_statement(text: str, calls: list[str]) -> None:
    assert [case.call for case in samples(code(text, fn_name="f"))] == calls


def test_stdin_samples_from_the_statement() -> None:
    text = "Sum up.\n\nSample Input 1:\n3\n1 2 3\n\nSample Output 1:\n6\n\nInput\n```\n1\n5\n```\nOutput\n```\n5\n```\n"
    assert [(case.input, case.expected) for case in samples(code(text))] == [("3\n1 2 3\n", "6"), ("1\n5\n", "5")]


def test_signatures() -> None:
    assert signature(code("Write solve(n, limit) that…", fn_name="solve"), []) == "solve(n, limit)"
    case = samples(code(fn_name="go", tests=[TestCase(input="1\n2\n3", output="6", public=True)]))
    assert signature(code(fn_name="go"), case) == "go(a, b, c)"
    assert signature(code("solve(3, 20) == 6", fn_name="solve"), []) == "solve(a)"


def test_without_samples_and_with_huge_ones() -> None:
    library = load_library()
    assert "no sample case" in render_debug(code(fn_name="f"), library, "en", "O.")
    huge = TestCase(input=json.dumps("x" * 5000), output="1", public=True)
    text = render_debug(code(fn_name="f", tests=[huge]), library, "en", "O.")
    assert len(text) < 400


def test_real_problems(shared_data: Path) -> None:
    library = load_library()
    num = 0
    for name in ("livecodebench_sample.jsonl", "humaneval.jsonl", "code_contests_sample.jsonl"):
        from selftaught.problems import load_problems

        for problem in load_problems(str(shared_data / name)):
            text = render_debug(problem, library, "en", "Opening.")
            assert text.endswith("\n```python\n") and text.count("```python\n") >= 2
            num += len(samples(problem)) > 0
    assert num > 100


@pytest.mark.parametrize(
    ("starter", "end"),
    [
        ("def f(x):", "def f(x):\n    ..."),
        ('def f(x):\n    """Doubles.\n    >>> f(1)\n    2\n    """', '    """\n    ...'),
        ("class Solution:\n    def f(self, x):", "\n        ..."),
        ("class Solution:\n    def f(self, x):\n        'Doubles.'", "'Doubles.'\n        ..."),
        ("def f(x):\n    return 2", "return 2"),
        ("def g(x):\n    'Doc.'\n\ndef f(x):\n    return g(x)", "return g(x)"),
        ("not python (", "not python ("),
    ],
)
def test_the_template_has_a_place_for_the_body(starter: str, end: str) -> None:
    text = render_debug(code(starter_code=starter, fn_name="f"), load_library(), "en", "O.")
    template = text.split("```python\n")[1].split("```")[0]
    assert end in template and (end.endswith("...") or "..." not in template)
