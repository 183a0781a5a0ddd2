"""The docs tell the truth: pages made from the program are fresh, commands parse, links and named functions exist."""

from __future__ import annotations

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"`(selftaught(?:\.\w+)*):([\w.]+)`")


def commands() -> Iterator[Any]:
    """Every line of a code block that starts with ``selftaught``, continued lines joined; ``…`` marks one as a sketch."""
    for page in PAGES:
        for language, block in FENCE.findall(page.read_text(encoding="utf-8")):
            if language not in ("", "sh", "bash", "console", "shell"):
                continue
            for line in block.replace("\\\n", " ").splitlines():
                line = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
                if line.startswith("selftaught ") and "…" not in line:
                    yield pytest.param(line, id=f"{page.name}: {line}")


def parse(line: str) -> None:
    """Parse one command line against the program's own parameters, without running it."""
    from typer.models import Context

    from selftaught.cli.app import available_verbs, load_command

    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">", ">>", "<", "&&", ";", "&")), None)]
    if words[0] in ("--help", "--version"):
        return
    assert words[0] in {verb.name for verb in available_verbs()}, f"no verb {words[0]}"
    command = load_command(words[0])
    words = words[1:]
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        assert words[0] in command.commands, f"no subcommand {words[0]}"
        command = command.commands[words[0]]
        words = words[1:]
    if "--help" in words:
        return
    context = Context(command, token_normalize_func=lambda token: token.replace("_", "-"))
    values, rest, _ = command.make_parser(context).parse_args(args=list(words))
    assert not rest, f"left over: {rest}"
    missing = [p.name for p in command.params if p.required and values.get(p.name) in (None, (), [])]
    assert not missing, f"not given: {missing}"


@pytest.mark.parametrize("line", list(commands()))
def test_commands_in_the_docs_parse(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", ["selftaught docter", "selftaught doctor --jsn", "selftaught doctor extra"])
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises(Exception, match=r"docter|jsn|extra"):
        parse(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://", "mailto:", "#")):
            continue
        path = (page.parent / target.partition("#")[0]).resolve()
        assert path.exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in re.findall(r"`make ([a-z]+)", page.read_text(encoding="utf-8")):
        assert name in targets, f"{page.name} names make {name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_functions_exist(page: Path) -> None:
    for module_name, qualified in NAMED.findall(page.read_text(encoding="utf-8")):
        value: Any = importlib.import_module(module_name)
        for name in qualified.split("."):
            fields = getattr(value, "model_fields", {})
            assert hasattr(value, name) or name in fields, f"{page.name}: no {name} in {module_name}:{qualified}"
            value = getattr(value, name, None)


def test_pages_made_from_the_program_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "docs.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.stderr}run `make docs`"


def test_every_page_is_reachable_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").rglob("*.md"):
        name = page.relative_to(ROOT / "docs").as_posix()
        assert name == "index.md" or f"({name})" in index, f"docs/index.md does not link to {name}"


def test_the_changelog_knows_this_version() -> None:
    from selftaught import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def results_script() -> Any:
    spec = importlib.util.spec_from_file_location("docs_script", ROOT / "scripts" / "docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_results_table_comes_from_the_report() -> None:
    script = results_script()
    row = {"n": 400, "k": 1, "ci95": [0.7, 0.8], "tool_call_rate": 0.9, "tokens_mean": 300.0, "extra": 1}
    report = {
        "title": "demo",
        "created_at": "2026-11-20T14:00:00Z",
        "conditions": [
            {**row, "name": "start", "benchmark": "all", "pass_at_1": 0.75},
            {**row, "name": "base", "benchmark": "all", "pass_at_1": 0.25},
        ],
        "paired": [{"a": "start", "b": "base", "benchmark": "all", "diff": 0.5, "ci95": [0.45, 0.55]}],
        "scaling": [
            {"model": "base", "round": number, "pass_at_1": 0.2 + number / 10, "tokens_mean": 10.0}
            for number in range(3)
        ],
        "stages": [{"name": "rollout", "seconds": 90.0}],
        "provenance": {"git_commit": "0123456789abcdef", "settings": {"secret": "x"}},
    }
    lines = list(script.result_lines(script.summary(report)))
    assert lines[0] == "| condition | all (n=400) | calls Python |"
    assert lines[2].startswith("| `base` | 25.0 ")
    assert lines[3].startswith("| `start` | 75.0 ")
    assert "START − base, paired: +50.0 points (+45.0 to +55.0)." in lines
    assert "Over end-of-thinking rounds 0–2, `base`: 20.0 → 30.0 → 40.0." in lines
    assert "commit 0123456789, 1.5 minutes" in lines[-1]
    assert "secret" not in str(script.summary(report))
