"""Two ways of grading that published figures were made with. Off by default: they are for comparing with such figures only.

``qwen_tolerance``: what Qwen2.5-Math's grader lets pass beside equality. ``lcb_exact``: programs run as LiveCodeBench's runner
runs them, with the correct programs that it fails and the wrong result that it passes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from selftaught.grading.maths.evaluate import evaluate
from selftaught.grading.maths.normalize import normalize
from selftaught.grading.maths.parse import parse_or_none
from selftaught.grading.maths.structure import split_top
from selftaught.grading.maths.tokens import TooLarge, Unreadable

RELATIVE_TOLERANCE = 1e-4
"""Of the reference."""
MAX_PARTS = 64


def qwen_tolerance(gold: str, given: str) -> bool:
    """Whether two answers pass Qwen2.5-Math's tolerance.

    Numbers may differ by 1e-4 of the reference, or be it times or divided by 100; what stands in brackets is compared part by part,
    whatever the brackets are.
    """
    return _tolerated(normalize(gold), normalize(given), 0)


def _tolerated(gold: str, given: str, depth: int) -> bool:
    if gold.replace(" ", "").casefold() == given.replace(" ", "").casefold():
        return True
    wanted, found = _number(gold), _number(given)
    if wanted is not None and found is not None:
        return any(abs(found - one) <= RELATIVE_TOLERANCE * abs(one) for one in (wanted, wanted / 100, wanted * 100))
    first, second = _parts(gold), _parts(given)
    if depth > 4 or len(first) != len(second) or not 1 < len(first) <= MAX_PARTS:
        return False
    return all(_tolerated(a, b, depth + 1) for a, b in zip(first, second, strict=True))


def _number(text: str) -> float | None:
    """A real number; a percentage counts as its hundredth."""
    expression = parse_or_none(text)
    if expression is None or expression.variables:
        return None
    try:
        value = evaluate(expression, {})
        return float(value) if isinstance(value, Fraction) or not value.imag else None
    except (Unreadable, TooLarge, TypeError, ValueError, OverflowError, AttributeError):
        return None


def _parts(text: str) -> list[str]:
    bare = re.fullmatch(r"(?:\\\{|[(\[])(.*)(?:\\\}|[)\]])", text, re.DOTALL)
    return split_top(bare[1] if bare else text, ",")


LCB_STDIN = """\
import ast as _ast, io as _io, sys as _sys
from unittest.mock import mock_open as _mock_open, patch as _patch
_text = {stdin!r}

class _Bytes:
    def read(self, *_):
        return _text.encode()
    def readline(self, *_):
        return _text.encode().split(b"\\n")[0] + b"\\n"

class _Stdin:
    # no __iter__: a program that loops over it fails
    def __init__(self):
        self._lines = _io.StringIO(_text)
        self.buffer = _Bytes()
    def read(self, *_):
        return _text
    def readline(self, *args):
        return self._lines.readline(*args)
    def readlines(self, *_):
        return _text.split("\\n")
    def __getattr__(self, name):
        return getattr(self._lines, name)

def _as_function(source):
    tree = _ast.parse(source)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, _ast.If) and _ast.unparse(last.test) == "__name__ == '__main__'":
        tree.body[-1:] = last.body
    imports = [one for one in tree.body if isinstance(one, (_ast.Import, _ast.ImportFrom))]
    function = _ast.parse("def _wrapped():\\n    pass").body[0]
    function.body = [one for one in tree.body if one not in imports] or function.body
    return _ast.unparse(_ast.Module(body=[*imports, function], type_ignores=[]))

_module = dict(globals(), __name__="tmp_sol")
exec(compile(_as_function({source!r}), "<program>", "exec", 0, True), _module)
_captured = _io.StringIO()
_real = _sys.stdout
with _patch("builtins.open", _mock_open(read_data=_text)), _patch("sys.stdin", _Stdin()):
    _sys.stdout = _captured
    try:
        _module["_wrapped"]()
    except SystemExit:
        pass
    finally:
        _sys.stdout = _real
_real.write(_captured.getvalue())
_real.flush()
"""

LCB_CALL = """\
import json as _json
_module = dict(globals(), __name__="tmp_sol")
exec(compile({source!r}, "<program>", "exec", 0, True), _module)

def {check}():
    owner = _module["Solution"]() if "class Solution" in {source!r} else None
    function = getattr(owner, {name!r}) if owner is not None else _module[{name!r}]
    result = function(*[_json.loads(line) for line in {lines!r}])
    if isinstance(result, tuple):
        result = list(result)
    return bool(result == _json.loads({expected!r}))
"""


def lcb_stdin_script(source: str, stdin: str) -> str:
    """A program for standard input inside LiveCodeBench's manner: a function, mocked input, collected output."""
    return LCB_STDIN.format(source=source, stdin=stdin)


def lcb_call_script(source: str, name: str, lines: Sequence[str], expected: str, check: str) -> str:
    """A function ``check`` that calls the solution and compares in the same process, as LiveCodeBench does."""
    return LCB_CALL.format(source=source, name=name, lines=list(lines), expected=expected, check=check)
