"""The order of the layers: imports only go down, also those inside functions and under TYPE_CHECKING.

``records errors store runs provenance | tokens sandbox engines hints problems toy | rollouts grading | curation | training |
evals | uplift | report | serve integrations | pipeline | api | cli``. Below that, what a machine without a model must be able to do: curate and train from records.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "selftaught"
ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / PACKAGE

LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "errors",
        "complaints",
        "records",
        "store",
        "overrides",
        "provenance",
        "runs",
        "manner",
        "processor",
        "heap",
        "keys",
        "parent",
        "progress",
        "version",
    ),
    ("tokens", "sandbox", "engines", "hints", "problems", "toy"),
    ("rollouts", "grading"),
    ("curation",),
    ("training",),
    ("evals",),
    ("uplift",),
    ("report",),
    ("serve", "integrations"),
    ("pipeline",),
    ("api",),
    ("cli", "__main__"),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}

RECORDS_ONLY = ("curation", "training")
"""Parts that read records and never a model: the data can be rebuilt without one."""

HEAVY = (
    "torch",
    "transformers",
    "trl",
    "datasets",
    "ray",
    "sympy",
    "scipy",
    "math_verify",
    "numpy",
    "networkx",
    "fastapi",
    "uvicorn",
    "prometheus_client",
    "mcp",
    "starlette",
)
"""Never imported by a help page."""

DISTRIBUTIONS = {
    "yaml": "pyyaml",
    "math_verify": "math-verify",
    "latex2sympy2_extended": "math-verify",
    "opentelemetry": "opentelemetry-sdk",
}
"""Import name → distribution, where they differ."""

PROVIDED = {"mcp_types": "mcp", "psutil": None, "huggingface_hub": "local", "IPython": None}
"""Modules that come with another declared one (transformers brings huggingface_hub, mcp brings mcp_types), or are there where they are used (in a notebook)."""


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path) -> list[str]:
    """``src/selftaught/rollouts/loop.py`` → ``["selftaught", "rollouts", "loop"]``."""
    parts = list(path.relative_to(SOURCE.parent).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


@cache
def imports(path: Path) -> tuple[tuple[int, str], ...]:
    """(line, absolute dotted name) of every import statement in ``path``, wherever it stands."""

    def found() -> Iterator[tuple[int, str]]:
        here = dotted(path)
        package = here if path.name == "__init__.py" else here[:-1]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                name = ".".join([*base, *([node.module] if node.module else [])])
                # `from selftaught import engines` names a part, too.
                if name == PACKAGE:
                    yield from ((node.lineno, f"{PACKAGE}.{alias.name}") for alias in node.names)
                else:
                    yield node.lineno, name
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
                literals = [a.value for a in node.args[:1] if isinstance(a, ast.Constant) and isinstance(a.value, str)]
                yield from ((node.lineno, literal) for literal in literals)

    return tuple(found())


def part_of(name: str) -> str | None:
    """The part that a dotted name belongs to, or None for other packages and for ``selftaught`` itself."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == PACKAGE and len(pieces) > 1 and pieces[1] in LEVEL else None


def edges() -> Iterator[tuple[str, str, str]]:
    """(importing part, imported part, place) over the whole package, without imports inside a part."""
    for path in modules():
        here = dotted(path)
        if len(here) < 2:
            continue
        for line, name in imports(path):
            part = part_of(name)
            if part is not None and part != here[1]:
                yield here[1], part, f"{path.relative_to(ROOT)}:{line}"


def test_every_part_has_a_layer() -> None:
    parts = {dotted(path)[1] for path in modules() if len(dotted(path)) > 1}
    assert parts <= set(LEVEL), f"give these a layer in {Path(__file__).name}: {sorted(parts - set(LEVEL))}"


def test_imports_only_go_down() -> None:
    upward = [f"{place}: {a} imports {b}" for a, b, place in edges() if LEVEL[b] > LEVEL[a]]
    assert not upward, "\n".join(upward)


def test_parts_of_one_layer_do_not_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for a, b, _ in edges():
        graph.setdefault(a, set()).add(b)
    for start in graph:
        assert start not in reachable(graph, start), f"{start} imports itself in a circle"


def file_edges() -> dict[str, set[str]]:
    """Module → the modules that it imports, inside functions and under TYPE_CHECKING too."""
    names = {".".join(dotted(path)): path for path in modules()}
    graph: dict[str, set[str]] = {}
    for name, path in names.items():
        package = dotted(path) if path.name == "__init__.py" else dotted(path)[:-1]
        found = graph.setdefault(name, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else []
                source = ".".join([*base, *([node.module] if node.module else [])])
                for alias in node.names:  # `from package import module` imports the module
                    whole = f"{source}.{alias.name}"
                    found.add(whole if whole in names else source)
        graph[name] = {other for other in found if other in names and other != name}
    return graph


def test_no_circle_between_files() -> None:
    graph = file_edges()
    reach = {name: reachable(graph, name) for name in graph}
    circles = {
        frozenset(other for other in reach[name] if name in reach[other]) for name in graph if name in reach[name]
    }
    assert not circles, f"these files import each other: {[sorted(circle) for circle in circles]}"


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        for following in graph.get(todo.pop(), ()):
            if following not in seen:
                seen.add(following)
                todo.append(following)
    return seen


@pytest.mark.parametrize("part", RECORDS_ONLY)
def test_curation_and_training_never_reach_an_engine(part: str) -> None:
    graph: dict[str, set[str]] = {}
    for a, b, _ in edges():
        graph.setdefault(a, set()).add(b)
    assert not reachable(graph, part) & {"engines", "rollouts", "toy"}


def test_imported_packages_are_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
    declared = {requirement.split(";")[0].strip() for requirement in requirements}
    names = {cut_at_version(requirement).lower().replace("_", "-") for requirement in declared}
    missing = []
    for path in modules():
        for line, name in imports(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in (PACKAGE, "") or top in PROVIDED:
                continue
            if path.parent.name == top:  # run as a folder of its own, as the sandbox's inner side is
                continue
            if DISTRIBUTIONS.get(top, top.replace("_", "-")).lower() not in names:
                missing.append(f"{path.relative_to(ROOT)}:{line}: {top}")
    assert not missing, "declare these in pyproject.toml:\n" + "\n".join(missing)


def cut_at_version(requirement: str) -> str:
    for mark in "[<>=!~ ":
        requirement = requirement.split(mark)[0]
    return requirement


def test_every_pinned_requirement_is_in_the_constraints() -> None:
    pinned = {
        line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]:
        name = cut_at_version(requirement).lower().replace("_", "-")
        assert name == PACKAGE or name in pinned, f"{name} is not in constraints.txt"


def loaded_by(*arguments: str) -> set[str]:
    """Top-level packages that ``selftaught ARGUMENTS`` has imported when it ends."""
    script = (
        "import json, sys\n"
        "from selftaught.cli.app import main\n"
        "code = main(sys.argv[1:])\n"
        "assert code == 0, code\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_list_of_verbs_needs_nothing_heavy() -> None:
    assert not loaded_by("--help") & {*HEAVY, "pydantic"}


def verbs() -> list[str]:
    from selftaught.cli.app import available_verbs

    return [verb.name for verb in available_verbs()]


@pytest.mark.parametrize("verb", verbs())
def test_the_help_of_a_verb_needs_nothing_heavy(verb: str) -> None:
    assert not loaded_by(verb, "--help") & set(HEAVY)
