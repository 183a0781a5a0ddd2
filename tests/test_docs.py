"""The docs tell the truth: pages made from the program are fresh, commands and code parse, links and named functions exist.

The blocks of the README and of the first page are also run, in their order, on the embedded model, unless the line before
a block says ``<!-- not run: why -->``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import re
import shlex
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DOCS = ROOT / "docs"
WALKED = [DOCS / "getting-started.md", ROOT / "README.md"]
"""Pages whose blocks are run."""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^(?:<!-- not run: (.+?) -->\n+)?```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(selftaught [^`]+)`")
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
COMMIT = re.compile(r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{7,12}\b")
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


def inline_commands() -> Iterator[Any]:
    """The same within sentences; arguments may be left out there."""
    for page in PAGES:
        for line in INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
            if "…" not in line and page.name not in ("cli.md", "log.md", "CHANGELOG.md"):
                yield pytest.param(" ".join(line.split()), id=f"{page.name}: {' '.join(line.split())}")


def parse(line: str, whole: bool = True) -> None:
    """Parse one command line against the program's own parameters, without running it; not ``whole``: it may lack some."""
    from typer.models import Context

    from selftaught.cli.app import available_verbs, load_command

    words = shlex.split(line, comments=True)[1:]
    words = words[: next((i for i, word in enumerate(words) if word in ("|", ">", ">>", "<", "&&", ";", "&")), None)]
    if words[0] in ("--help", "--version", "--install-completion"):
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
    assert not missing or not whole, f"not given: {missing}"


@pytest.mark.parametrize("line", list(commands()))
def test_commands_in_the_docs_parse(line: str) -> None:
    parse(line)


@pytest.mark.parametrize("line", list(inline_commands()))
def test_commands_within_sentences_parse(line: str) -> None:
    parse(line, whole=False)


@pytest.mark.parametrize("line", ["selftaught docter", "selftaught doctor --jsn", "selftaught doctor extra"])
def test_a_wrong_command_would_be_found(line: str) -> None:
    with pytest.raises(Exception, match=r"docter|jsn|extra"):
        parse(line)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    not_run: str
    language: str
    text: str


def blocks(pages: list[Path], *languages: str) -> list[Block]:
    """The fenced blocks of these languages, in their order."""
    found = []
    for page in pages:
        for not_run, language, text in BLOCK.findall(page.read_text(encoding="utf-8")):
            if language in languages:
                found.append(Block(page, not_run, language, text))
    return found


@pytest.mark.parametrize("block", blocks(PAGES, "python"), ids=lambda block: block.page.name)
def test_python_blocks_parse_and_import_what_there_is(block: Block) -> None:
    tree = compile(block.text, block.page.name, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("selftaught"):
            try:
                module = importlib.import_module(node.module or "")
            except ModuleNotFoundError as error:
                if (error.name or "selftaught").startswith("selftaught"):
                    raise
                pytest.skip(f"{error.name} is not installed")
            for name in node.names:
                assert hasattr(module, name.name), f"{block.page.name}: no {name.name} in {node.module}"


@pytest.mark.parametrize("block", blocks(PAGES, "yaml", "json"), ids=lambda block: block.page.name)
def test_yaml_and_json_blocks_parse(block: Block) -> None:
    if block.language == "yaml":
        assert yaml.safe_load(block.text) is not None
    else:
        assert all(json.loads(line) for line in block.text.splitlines())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_is_run_or_says_why_not(page: Path) -> None:
    """Those of the first pages are run by the walk below, those of python.md by ``tests/api/test_page.py``."""
    if page in WALKED or page.name == "python.md":
        return
    silent = [
        block.text.splitlines()[0] for block in blocks([page], "sh", "bash", "console", "python") if not block.not_run
    ]
    assert not silent, f"{page.name}: write <!-- not run: why --> above the block of {silent[0]!r}"


@pytest.mark.slow
def test_a_walk_through_the_first_pages(run_cli: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a newcomer types, word for word. Where the demo's model should lie, the base lies: training it takes minutes."""
    from selftaught.tokens.folder import resolve_model

    monkeypatch.chdir(tmp_path)
    place = tmp_path / "runs" / "demo" / "round2"
    place.mkdir(parents=True)
    (place / "start").symlink_to(resolve_model("toy"))
    first = WALKED[0]
    (tmp_path / "problems.jsonl").write_text(blocks([first], "json")[0].text)
    (tmp_path / "my-hints.yaml").write_text(blocks([first], "yaml")[0].text)
    done: list[list[str]] = []
    for block in blocks(WALKED, "python"):
        if not block.not_run:
            exec(compile(block.text, block.page.name, "exec"), {})
    for block in blocks(WALKED, "sh"):
        for line in [] if block.not_run else block.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if not words or words in done or words[:2] == ["source", ".venv/bin/activate"]:
                continue
            assert words[0] == "selftaught", f"{block.page.name}: say why this is not run: {line}"
            result = run_cli(*words[1:])
            assert result.exit_code == 0, f"{block.page.name}: {line}\n{result.stderr}"
            done.append(words)
    assert len(done) > 8


# ------------------------------------------------------------------------------------------- links, navigation, wording


def anchors(page: Path) -> set[str]:
    """Names that lead to a heading both on the site (Python-Markdown) and in a repository's view of the file (GitHub)."""
    names: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        text = re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading)
        ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
        site = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", ascii_only).strip().lower())
        github = re.sub(r"[^\w\s-]", "", text.lower()).strip().replace(" ", "-")
        names |= {site} & {github}
    return names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name} links to {target}"
        assert DOCS in path.parents or page.parent != DOCS, f"{page.name}: {target} lies outside of the site"
        assert not anchor or anchor in anchors(path), f"{page.name} links to {target}; there is {sorted(anchors(path))}"


def test_every_page_stands_in_the_navigation_once() -> None:
    def names(part: Any) -> Iterator[str]:
        if isinstance(part, str):
            yield part
        else:
            for inner in part.values() if isinstance(part, dict) else part:
                yield from names(inner)

    shown = list(names(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"]))
    assert sorted(shown) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commit_ids_stand_in_measurements_and_log_only(page: Path) -> None:
    if page.name in ("measurements.md", "log.md"):
        return
    made = r"<!-- ((?:real )?results): begin -->.*?<!-- \1: end -->"
    text = re.sub(made, "", page.read_text("utf-8"), flags=re.DOTALL)
    assert not COMMIT.findall(text), f"{page.name}: {COMMIT.findall(text)}; put the measurement into measurements.md"


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


def test_every_page_is_listed_in_the_index_once() -> None:
    index = (DOCS / "index.md").read_text(encoding="utf-8").partition("| page |")[2]
    for page in DOCS.rglob("*.md"):
        name = page.relative_to(DOCS).as_posix()
        assert name == "index.md" or index.count(f"({name})") == 1, (
            f"docs/index.md lists {name} {index.count(name)} times"
        )


def test_every_key_of_a_recipe_has_a_meaning() -> None:
    rows = [line.split(" | ") for line in (DOCS / "recipes.md").read_text("utf-8").splitlines() if "| `" in line]
    keys = [row for row in rows if len(row) == 4]
    silent = [row[0].strip("| ") for row in keys if not row[3].strip("| ")]
    assert len(keys) > 100
    assert not silent, f"write a docstring below these fields: {', '.join(silent)}"


def test_the_page_on_design_has_the_layers_that_are_tested() -> None:
    layers = load_script(ROOT / "tests" / "test_layers.py").LAYERS
    rows = re.findall(r"^\| \d+ \| (.+) \|$", (DOCS / "design.md").read_text("utf-8"), re.MULTILINE)
    shown = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    assert shown == [set(layer) - {"__main__"} for layer in layers]


def test_the_changelog_knows_this_version() -> None:
    from selftaught import __version__

    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def load_script(path: Path) -> Any:
    """A file that belongs to no package, as a module."""
    spec = importlib.util.spec_from_file_location(f"loaded_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_results_table_comes_from_the_report() -> None:
    script = load_script(ROOT / "scripts" / "docs.py")
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
        "wall_s": 60.0,
        "provenance": {"git_commit": "0123456789abcdef", "hardware": {"cores": "2"}, "settings": {"secret": "x"}},
    }
    lines = list(script.result_lines(script.summary(report)))
    assert lines[0] == "| condition | all (n=400) | calls Python |"
    assert lines[2].startswith("| `base` | 25.0 ")
    assert lines[3].startswith("| `start` | 75.0 ")
    assert "- START − base on the same problems: +50.0 points (+45.0 to +55.0)." in lines
    assert "- `base` with 0 to 2 rounds of hints at the end of thinking: 20.0 → 30.0 → 40.0." in lines
    assert "commit 0123456789, 2 cores, 1.0 minutes of wall time, 1.5 minutes summed over stages" in lines[-1]
    assert "secret" not in str(script.summary(report))


def test_a_command_is_shown_without_the_places_of_one_machine() -> None:
    """What decides the result stays."""
    script = load_script(ROOT / "scripts" / "docs.py")
    command = "selftaught run r.yaml --set base_model=/a/b --reuse /c --set evaluate.scaling_rounds=0 --out /d --fresh"
    assert script.without_places(command) == "selftaught run r.yaml --set evaluate.scaling_rounds=0 --fresh"
    assert script.without_places("selftaught run /a/recipes/r.yaml --out /d") == "selftaught run recipes/r.yaml"
    assert script.without_places("selftaught run r.yaml --set 'evaluate.conditions={base: {}}'").endswith("{base: {}}'")
