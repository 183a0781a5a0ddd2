"""The house rules that a machine can check: sizes of files and functions, docstrings, annotations, mirrored tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "selftaught"
MODULES = sorted(path for path in SOURCE.rglob("*.py") if "__pycache__" not in path.parts)
MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 80

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file, nested ones too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def public(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    """(name, node) of public classes, functions and methods; private classes are left out with what is in them."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, *Function.__args__)) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_module_holds_the_rules(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_FILE_LINES, "too long: split it where its subject ends"
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "no docstring: say what the module holds and where it stands in the flow"
    long = [
        f"{f.name} ({f.end_lineno - f.lineno + 1} lines)"
        for f in functions(path)
        if f.end_lineno - f.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long, f"longer than a screen: {', '.join(long)}"
    silent = [name for name, node in public(tree) if not ast.get_docstring(node)]
    assert not silent, f"no docstring: {', '.join(silent)}"
    bare = [f"{function.name}({gaps})" for function in functions(path) if (gaps := ", ".join(unannotated(function)))]
    assert not bare, f"not annotated: {', '.join(bare)}"


def unannotated(function: Function) -> Iterator[str]:
    """Names of parameters without a type, and ``return``; ``self`` and ``cls`` need none."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra is not None]
    yield from (a.arg for a in every if a.annotation is None and a.arg not in ("self", "cls"))
    if function.returns is None:
        yield "return"
