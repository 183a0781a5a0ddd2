"""``selftaught ls``: the benchmarks, hint libraries, engines and recipes that there are."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import typer

_LONG = ("note", "about", "source", "path")
"""Columns of prose and paths."""

WHAT = ("benchmarks", "hints", "engines", "recipes")


def register(app: typer.Typer) -> None:
    """Add the verb."""

    @app.command("ls")
    def ls(
        what: str = typer.Argument("benchmarks", help=" | ".join(WHAT)),
        json_: bool = typer.Option(False, "--json", help="Print JSON."),
    ) -> None:
        """What there is: benchmarks, hints, engines, recipes.

        Example: selftaught ls benchmarks --json
        """
        import json

        from selftaught.errors import ConfigError

        listings = {"benchmarks": _benchmarks, "hints": _hints, "engines": _engines, "recipes": _recipes}
        if what not in listings:
            raise ConfigError(f"ls {what!r} is not known; expected one of {', '.join(WHAT)}.")
        rows = listings[what]()
        if json_:
            print(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        if not rows:
            return
        for line in lines_of(rows, _width()):
            print(line)


def lines_of(rows: list[dict[str, str]], width: int | None) -> Iterator[str]:
    """A table with a line a row. Where ``width`` columns are too few, the long cells of a row stand indented below it."""
    columns = list(rows[0])
    widths = {column: max(len(column), *(len(row[column]) for row in rows)) for column in columns}
    head = {column: column for column in columns}
    if width is None or sum(widths.values()) + 2 * (len(columns) - 1) <= width:
        for row in [head, *rows]:
            yield "  ".join(row[column].ljust(widths[column]) for column in columns).rstrip()
        return
    short = list(columns)
    while len(short) > 1 and (sum(widths[c] for c in short) + 2 * (len(short) - 1) > width or short[-1] in _LONG):
        short.pop()
    long = columns[len(short) :]
    yield "  ".join(column.ljust(widths[column]) for column in short).rstrip()
    yield f"    {', '.join(long)}"
    for row in rows:
        yield "  ".join(row[column].ljust(widths[column]) for column in short).rstrip()
        for column in long:
            yield from textwrap.wrap(
                row[column], max(20, width), initial_indent="    ", subsequent_indent="    ", break_on_hyphens=False
            )


def _width() -> int | None:
    """Columns of the terminal, or what ``COLUMNS`` says; None for a pipe, whose reader wants a line a row."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return None
    return shutil.get_terminal_size().columns


def _benchmarks() -> list[dict[str, str]]:
    from selftaught.problems.registry import BENCHMARKS, local_file

    rows = [{"name": "toy-test", "kind": "mixed", "size": "", "licence": "Apache-2.0", "source": "generated",
             "note": "held-out problems of the embedded reasoner; also toy-dev"}]  # fmt: skip
    for benchmark in BENCHMARKS.values():
        local = local_file(benchmark.name)
        revision = benchmark.hub_revision
        source = str(local) if local else f"{benchmark.hub_repo}@{revision[:12]}"
        rows.append({"name": benchmark.name, "kind": benchmark.kind.value, "size": str(benchmark.size), "licence": benchmark.licence,
                     "source": source, "note": benchmark.note})  # fmt: skip
    return rows


def _hints() -> list[dict[str, str]]:
    from selftaught.hints import load_library

    library = load_library()
    rows = [{"name": name, "what": "policy", "about": policy.purpose} for name, policy in library.policies.items()]
    return rows + [
        {"name": name, "what": "function", "about": function.purpose} for name, function in library.functions.items()
    ]


def _engines() -> list[dict[str, str]]:
    from importlib.util import find_spec

    has_torch = find_spec("torch") is not None and find_spec("transformers") is not None
    return [
        {"name": "toy", "available": "yes" if has_torch else "no", "note": "the embedded reasoner (--model toy)"},
        {
            "name": "local",
            "available": "yes" if has_torch else "no",
            "note": "a model folder or hub id, in this process (torch)",
        },
        {
            "name": "http",
            "available": "yes",
            "note": "vLLM, SGLang or another completions server (--model http://…/v1 --model-name NAME)",
        },
    ]


def _recipes() -> list[dict[str, str]]:
    import selftaught

    folders = [
        Path("recipes"),
        Path(selftaught.__file__).resolve().parents[2] / "recipes",
        Path(selftaught.__file__).parent / "recipes",
    ]
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")) if folder.is_dir() else []:
            found.setdefault(path.relative_to(folder).as_posix(), path)
    from selftaught.evals.plan import PLANS, plan_names

    found.update({f"eval --recipe {name}": PLANS / f"{name}.yaml" for name in plan_names()})
    return [{"name": name, "path": str(path), "about": _first_comment(path)} for name, path in found.items()]


def _first_comment(path: Path) -> str:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            return line.lstrip("# ").strip()
        if line.strip():
            break
    return ""
