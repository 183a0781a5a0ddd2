"""Names stand in one table: everything works when all of them are others, and no other module spells one."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selftaught.engines.tiny import make_tiny_model
from selftaught.runs import names
from selftaught.runs.condition import Condition, LoopModel, loop_names

SOURCE = Path(names.__file__).resolve().parents[1]
HUGGING_FACE = {"model.safetensors"}
"""Names of other programs' layouts, which they need not take from us."""
BENCHMARK_FILES = {"problems/benchmarks.py": {"test.jsonl"}}
"""Names of files on the hub."""


@pytest.fixture
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file, stage and condition has another name."""
    for table in (names.FILES, names.STAGES, names.CONDITIONS):
        for field in dataclasses.fields(table):
            old = str(getattr(table, field.name))
            stem, dot, ending = old.rpartition(".")
            is_ending = field.name in ("hint_curve", "forcing_curve", "curve", "hints", "no_tools")
            new = f"{old}-new" if is_ending or not dot else f"{stem}-new.{ending}"
            monkeypatch.setattr(table, field.name, f"{old}new " if field.name == "curve" and " " in old else new)


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def files_below(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("renamed")
def test_single_rollouts_with_other_names(run_cli: Any, sums: Path, tmp_path: Path) -> None:
    model = make_tiny_model(tmp_path / "model")
    for name, hints in (("plain", "none"), ("hinted", "math")):
        options = ["--max-tokens", "24", "--workers", "0", "--hints", hints]
        result = run_cli("rollout", sums, "--model", model, "--out", tmp_path / name, *options)
        assert result.exit_code == 0, result.stderr
        assert run_cli("grade", tmp_path / name).exit_code == 0
    plain = tmp_path / "plain"
    for words in (["verify", plain], ["report", plain], ["compare", plain, tmp_path / "hinted"], ["curate", plain]):
        result = run_cli(*words)
        assert result.exit_code == 0, result.stderr
    assert "trajectories-new.jsonl" in files_below(plain) and "run-new.json" in files_below(plain)
    assert not files_below(plain) & {"trajectories.jsonl", "run.json", "grades.jsonl", "funnel.json", "report.json"}
    options = ["--max-tokens", "24", "--workers", "0", "--no-tools", "--scaling", "1", "--condition", "tiny"]
    result = run_cli("eval", "--model", model, "--benchmarks", sums, "--out", tmp_path / "eval", *options)
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "eval" / "sums" / "tiny.rounds-new").is_dir()
    for words in (["grade"], ["verify"], ["report"], ["curate"]):
        result = run_cli(words[0], tmp_path / "eval")
        assert result.exit_code == 0, result.stderr


@pytest.mark.usefixtures("renamed")
def test_a_recipe_with_other_names(run_cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both rounds, the control and the evaluation on a few problems: real stages, each in a process."""
    import yaml

    from selftaught.pipeline.child import PRELOAD
    from selftaught.pipeline.execute import execute
    from selftaught.pipeline.load import find_recipe, parse_recipe
    from selftaught.pipeline.report import show_report
    from selftaught.runs import RunFolder

    content = yaml.safe_load(find_recipe("demo").read_text())
    settings = {"epochs": 1, "global_batch_size": 2, "micro_batch_size": 2, "max_length": 1024}
    for part in ("seed_round", "start_round", "control"):
        content[part]["train"] = settings
        content[part]["curate"] |= {"require_tool": False, "tool_share": 1.0, "filters": {"answer_before_call": False}}
    for part in ("pool", "test"):
        content[part] = {"source": content[part]["source"], "counts": {"easy": 3}}
    content["defaults"]["max_tokens"] = 100
    for part in ("seed_round", "start_round", "control"):  # without a sandbox it is quicker
        content[part]["rollout"] = {"tools": False}
    base, start = Condition(LoopModel.BASE), Condition(LoopModel.START)
    content["evaluate"] = {"scaling_rounds": 1, "conditions": {base.name: {}, start.name: {"hints": "none"}}}
    content["estimates"] = {}
    recipe = parse_recipe(content, "renamed")
    for module in PRELOAD:  # once for all stages
        importlib.import_module(module)
    run = tmp_path / "run"
    result = execute(recipe, run, start_method="fork", num_cores=1, quiet=True)
    assert not result.empty, result.empty
    show_report(result)
    folder = RunFolder(run)
    assert folder.report_page.is_file() and (run / "eval-new" / start.name).is_dir()
    assert set(loop_names()) & {"base-new", "base-new+hint-new", "start-new-no-tools-new"}
    assert execute(recipe, run, start_method="fork", quiet=True).was_done
    for words in (["verify"], ["grade"], ["report"], ["curate"]):
        done = run_cli(words[0], run)
        assert done.exit_code == 0, done.stderr
    done = run_cli("compare", run, run, "--condition-a", base.name, "--condition-b", start.name)
    assert done.exit_code == 0 and "start-new" in done.stdout, done.stderr


def test_no_other_module_spells_a_name_of_a_file() -> None:
    spelled = {str(getattr(names.FILES, field.name)) for field in dataclasses.fields(names.FILES)}
    spelled = {name for name in spelled if "." in name} - HUGGING_FACE
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE).as_posix()
        if place == "runs/names.py":
            continue
        allowed = BENCHMARK_FILES.get(place, set())
        found += [f"{place}: {text!r}" for text in texts(path) if text.rpartition("/")[2] in spelled - allowed]
    assert not found, "take these from selftaught.runs.names:\n" + "\n".join(found)


def texts(path: Path) -> Iterator[str]:
    """String constants of a module that are not its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
