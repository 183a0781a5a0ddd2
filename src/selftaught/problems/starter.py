"""What a starter code says: the function that is asked for."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence

from selftaught.records import TestCase


def defined_function(code: str | None) -> ast.FunctionDef | None:
    """The only function (or method of a class) that a starter code defines; None if there are several, or none.

    A head without a body (``def solve(n):``), as starter codes often are, counts.
    """
    for text in (code or "", f"{(code or '').rstrip()}\n    pass\n", f"{(code or '').rstrip()}\n        pass\n"):
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        return found[0] if len(found) == 1 else None
    return None


def called_function(code: str | None, tests: Sequence[TestCase]) -> str | None:
    """The function that ``tests`` call, where the file names none: the starter code's only one, if every test's input
    is as many JSON values, a line each, as it has parameters. None means programs that read their standard input.
    """
    function = defined_function(code)
    if function is None or not tests:
        return None
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    num_required = len(names) - ("self" in names[:1]) - len(function.args.defaults)
    num_most = len(names) - ("self" in names[:1])
    counts = [_num_values(test.input) for test in tests]
    return function.name if all(count is not None and num_required <= count <= num_most for count in counts) else None


def _num_values(text: str) -> int | None:
    """Lines of JSON in ``text``; None when a line is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        for line in lines:
            json.loads(line)
    except ValueError:
        return None
    return len(lines)
