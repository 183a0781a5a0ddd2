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


# ------------------------------------------------------------------------------------------------------- mirrored tests

TESTS = ROOT / "tests"
LEAST_BEHAVIOUR = 60
"""Lines inside functions from which on a module has behaviour of its own."""

TESTED_ELSEWHERE = {
    # Verbs are tested with the part that they call.
    "cli/compare.py": "evals/test_compare.py",
    "cli/curate.py": "cli/test_handover.py",
    "cli/grade.py": "cli/test_handover.py",
    "cli/hints.py": "hints/test_library.py",
    "cli/hints_probe.py": "uplift/test_probe.py",
    "cli/ls.py": "cli/test_looking.py",
    "cli/report.py": "report/test_write.py",
    "cli/train.py": "cli/test_handover.py",
    # Dialects are tested over HTTP against a small server of their kind.
    "engines/dialects/desktop.py": "engines/test_desktop.py",
    "engines/dialects/llamacpp.py": "engines/test_llamacpp.py",
    "engines/dialects/openai_ids.py": "engines/test_http.py",
    "engines/model.py": "engines/test_local.py",
    "engines/tiny.py": "engines/test_fallback.py",
    "evals/inspect_log.py": "evals/test_evaluate.py",
    "grading/choice/": "grading/choice/test_choice.py",
    "grading/grader.py": "grading/test_crossing.py",
    "grading/math_worker.py": "grading/test_hostile.py",
    "grading/maths/": "grading/maths/test_rules.py",
    "grading/workers.py": "grading/test_hostile.py",
    "rollouts/probe_settings.py": "uplift/test_probe.py",
    "rollouts/probing.py": "uplift/test_probe.py",
    # These need a run: it is made once for all of them.
    "pipeline/figure.py": "pipeline/test_stages.py",
    "pipeline/perform.py": "pipeline/test_execute.py",
    "pipeline/report.py": "pipeline/test_weak_base.py",
    "pipeline/runfile.py": "pipeline/test_older_folders.py",
    "problems/formats.py": "problems/test_load.py",
    "problems/presets/": "problems/presets/test_presets.py",
    "problems/testcases.py": "problems/test_load.py",
    "report/charts/": "report/test_charts.py",
    "report/sections.py": "report/test_page.py",
    # One trajectory and one worker are tested through what drives them.
    "rollouts/live.py": "rollouts/test_state.py",
    "rollouts/loop.py": "rollouts/test_state.py",
    "rollouts/pool.py": "rollouts/test_runner.py",
    "sandbox/attack.py": "sandbox/test_tiers.py",
    "sandbox/handle.py": "sandbox/test_session.py",
    "sandbox/inside/": "sandbox/test_cases.py",
    "sandbox/pool.py": "sandbox/test_client.py",
    "sandbox/zygote.py": "sandbox/test_tiers.py",
    # A request is tested through a server, the verb through a process.
    "cli/serve.py": "serve/test_run.py",
    "serve/app.py": "serve/test_chat.py",
    "serve/messages.py": "serve/test_chat.py",
    "serve/requests.py": "serve/test_chat.py",
    "serve/turns.py": "serve/test_chat.py",
    "serve/wire.py": "serve/test_guard.py",
    "tokens/gguf/": "tokens/test_gguf.py",
    "toy/corpus/": "toy/test_corpus.py",
    "toy/families/": "toy/test_families.py",
    "uplift/cells.py": "uplift/test_learn.py",
    "uplift/logistic.py": "uplift/test_learn.py",
    "uplift/words.py": "cli/test_hints_learned.py",
    "training/trainer.py": "training/test_sft.py",
}
"""Module, or package with a slash behind it, without a test at the mirrored path → the file that tests it instead."""


def behaviour_lines(path: Path) -> int:
    """Lines of code inside functions: docstrings, comments, blank lines and declarations do not count."""
    text = path.read_text(encoding="utf-8").splitlines()
    numbers: set[int] = set()
    for function in functions(path):
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        for statement in body:
            numbers |= set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    return sum(bool(line) and not line.startswith("#") for line in (text[number - 1].strip() for number in numbers))


def test_modules_with_behaviour_have_a_test_at_the_mirrored_path() -> None:
    missing = []
    for path in MODULES:
        name = path.relative_to(SOURCE)
        if path.name.startswith("__") or behaviour_lines(path) < LEAST_BEHAVIOUR:
            continue
        if (TESTS / name.parent / f"test_{path.name}").is_file():
            continue
        if {name.as_posix(), f"{name.parent.as_posix()}/"}.isdisjoint(TESTED_ELSEWHERE):
            missing.append(name.as_posix())
    assert not missing, f"write tests/…/test_NAME.py, or name the file that tests it in TESTED_ELSEWHERE: {missing}"


def test_the_table_of_tests_names_what_is_there() -> None:
    gone = [
        name
        for pair in TESTED_ELSEWHERE.items()
        for name, root in zip(pair, (SOURCE, TESTS), strict=True)
        if not (root / name).exists()
    ]
    assert not gone, f"TESTED_ELSEWHERE names what is not there: {gone}"
