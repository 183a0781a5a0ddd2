"""The debug hint for code problems (START section 2.1): a template of the problem's kind and the statement's samples.

Samples come from the problem's public tests, or are parsed out of the statement when it has none: doctest lines,
``f(…) == …``, ``Input: … Output: …`` and ``Sample Input`` sections. Hidden tests are never shown.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass

from selftaught.hints.functions import Language
from selftaught.hints.library import HintLibrary
from selftaught.records import Problem

_CLASS = re.compile(r"^class\s+Solution\b", re.MULTILINE)
_STDIN_SECTION = re.compile(
    r"(?:^|\n)[ \t#*-]*(?:sample\s+|example\s+)?input[ \t]*\d*[ \t:*#-]*\n+(?:```\w*\n)?(?P<input>.+?)(?:\n```)?"
    r"\n+[ \t#*-]*(?:sample\s+|example\s+)?output[ \t]*\d*[ \t:*#-]*\n+(?:```\w*\n)?(?P<output>.+?)"
    r"(?=\n```|\n\s*\n|\n[ \t#*-]*(?:sample|example|note|input)\b|\Z)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample case. ``call`` is ``solve(3, 20)``, or None for a stdin program, whose ``input`` is its text."""

    call: str | None
    input: str
    expected: str


def is_stdin(problem: Problem) -> bool:
    """True for a program that reads standard input."""
    return not problem.fn_name and not problem.starter_code and "check_code" not in problem.metadata


def samples(problem: Problem) -> list[Sample]:
    """The statement's sample cases, public tests first."""
    public = [test for test in problem.tests or [] if test.public]
    if is_stdin(problem):
        if public:
            return [Sample(None, test.input, test.output.strip()) for test in public]
        return [
            Sample(None, match["input"].strip() + "\n", match["output"].strip())
            for match in _STDIN_SECTION.finditer(problem.problem)
        ]
    name = function_name(problem)
    prefix = "Solution()." if problem.starter_code and _CLASS.search(problem.starter_code) else ""
    found = []
    for test in public:
        values = [_literal(line) for line in test.input.splitlines() if line.strip()]
        expected = _literal(test.output)
        if expected is not None and None not in values:
            arguments = ", ".join(str(value) for value in values)
            found.append(Sample(f"{prefix}{name}({arguments})", test.input, expected))
    return found or _from_statement(problem.problem, name)


def function_name(problem: Problem) -> str:
    """The function that is asked for."""
    if problem.fn_name:
        return problem.fn_name
    names = re.findall(r"^[ \t]*def\s+(\w+)\s*\(", problem.starter_code or problem.problem, re.MULTILINE)
    return str(names[-1]) if names else "solve"


def signature(problem: Problem, cases: list[Sample]) -> str:
    """``solve(a, b)``: from the starter code, the statement, or the number of a sample's arguments."""
    name = function_name(problem)
    for text in (problem.starter_code or "", problem.problem):
        match = re.search(rf"\b{re.escape(name)}\(((?:[A-Za-z_]\w*(?:\s*:[^,()]*)?(?:,\s*)?)*)\)", text)
        if match is not None:
            return f"{name}({match[1]})"
    count = len([line for line in cases[0].input.splitlines() if line.strip()]) if cases else 1
    return f"{name}({', '.join('abcdefghijklmnopqrstuvwxyz'[: max(1, min(26, count))])})"


def render_debug(problem: Problem, library: HintLibrary, language: Language, opening: str) -> str:
    """The whole debug hint after its lead: opening, template block, samples, opening fence."""
    spec = library.debug
    cases = [case for case in samples(problem) if len(case.input) + len(case.expected) <= spec.max_sample_chars]
    cases = cases[: spec.max_samples]
    starter = (problem.starter_code or "").rstrip()
    shape = spec.stdin if is_stdin(problem) else spec.starter if starter else spec.function
    fields = [_fields(case) for case in cases]
    checks = "\n".join(_fill(shape.check, one) for one in fields)
    block = _fill(
        shape.template, {"signature": signature(problem, cases), "starter": _with_body(starter), "checks": checks}
    )
    if cases:
        between, last = spec.joined_by.zh if language == "zh" and spec.joined_by.zh else spec.joined_by.en
        listed = [_fill(shape.sample, one) for one in fields]
        recalled = last.join([between.join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
        words = _fill(spec.samples_are.get(language), {"samples": recalled})
    else:
        words = spec.no_samples.get(language)
    return f"{opening}{spec.template_is.get(language)}\n\n```python\n{block.strip()}\n```\n\n{words}\n{library.fence}"


def _fields(case: Sample) -> dict[str, str]:
    if case.call is not None:
        return {"call": case.call, "expected": case.expected, "input": case.input}
    expected = case.expected.replace("\n", " / ")
    return {"call": "main()", "expected": expected, "input": repr(case.input)}


def _fill(template: str, fields: dict[str, str]) -> str:
    """Replace ``{name}`` for the names given, leaving every other brace alone."""
    return re.sub(r"\{(\w+)\}", lambda match: fields.get(match[1], match[0]), template)


def _with_body(starter: str) -> str:
    """Starter code with ``...`` where the last function has no body, or nothing but a docstring."""
    last = starter.rstrip().rsplit("\n", 1)[-1]
    if last.rstrip().endswith(":"):
        indent = len(last) - len(last.lstrip()) + 4
    else:
        indent = _indent_after_docstring(starter)
    return f"{starter}\n{' ' * indent}..." if indent else starter


def _indent_after_docstring(starter: str) -> int:
    """Columns at which the body of the last function is to stand, if a docstring is all that it has; else 0."""
    try:
        functions = [one for one in ast.walk(ast.parse(starter)) if isinstance(one, ast.FunctionDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    last = max(functions, key=lambda one: one.lineno, default=None)
    if last is None or len(last.body) != 1 or ast.get_docstring(last, clean=False) is None:
        return 0
    return last.body[0].col_offset


def _literal(text: str) -> str | None:
    """A JSON value as Python writes it; None if it is none."""
    try:
        return repr(json.loads(text))
    except ValueError:
        return None


def _from_statement(text: str, name: str) -> list[Sample]:
    """``>>> f(1)`` with the next line, and ``f(1) == 2`` or ``f(1) → 2``."""
    call = rf"{re.escape(name)}\((?:[^()\n]|\([^()\n]*\))*\)"
    found = []
    for match in re.finditer(rf">>>\s*({call})\s*\n\s*(\S[^\n]*)", text):
        found.append((match[1], match[2]))
    for match in re.finditer(
        rf"({call})\s*(?:==|=>|->|→|returns|should be|is)\s*([^\n;,]+?)(?=[.;,]?\s|[.;,]?$)", text
    ):
        found.append((match[1], match[2]))
    cases = []
    for called, expected in dict(found).items():
        try:
            cases.append(Sample(called, called, repr(ast.literal_eval(expected.strip()))))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return cases
