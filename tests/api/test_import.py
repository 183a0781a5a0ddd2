"""``import selftaught as st``: light, and every name is there."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import selftaught as st

SOURCE = Path(st.__file__)

HEAVY = (
    "torch",
    "transformers",
    "pydantic",
    "pydantic_core",
    "numpy",
    "scipy",
    "sympy",
    "yaml",
    "typer",
    "rich",
    "jinja2",
    "asyncio",
)


def modules_after(script: str) -> set[str]:
    """Top-level modules that a fresh interpreter has imported after ``script``."""
    script += "; import json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_the_import_brings_nothing_heavy() -> None:
    found = modules_after("import selftaught as st; dir(st); st.__all__")
    assert not found & set(HEAVY), found & set(HEAVY)


def test_a_name_brings_what_it_needs_and_no_model() -> None:
    assert not modules_after("import selftaught as st; st.Sandbox; st.Problem; st.ConfigError") & {
        "torch",
        "transformers",
    }


def test_every_name_is_there_and_documented() -> None:
    for name in st.__all__:
        value = getattr(st, name)
        assert name == "__version__" or inspect.getdoc(value), name
        assert name in dir(st)


def test_checkers_see_the_same_names() -> None:
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    declared = {
        alias.asname or alias.name: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared.keys() == set(st.__all__) - {"__version__"}
    for name, module in declared.items():
        value = getattr(st, name)
        real = getattr(value, "__wrapped__", value) if name == "report" else value
        assert real is getattr(sys.modules[str(module)], name), name


def test_a_wrong_name_is_an_attribute_error() -> None:
    assert not hasattr(st, "evalute")


def test_report_is_the_verb_and_still_the_package() -> None:
    import selftaught.report as package

    assert isinstance(package, ModuleType) and callable(package) and package is st.report
    assert inspect.signature(package).parameters.keys() == {"runs", "out", "gated_text", "publish"}
