"""A whole evaluation with a tiny untrained model: resume, conditions beside each other, curves, evaluation recipes, exports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import ConfigError, MissingPartError
from selftaught.evals.evaluate import EvalRequest, default_condition, default_out, evaluate, export_inspect, tabulate
from selftaught.evals.plan import load_plan, plan_names
from selftaught.evals.records import ReportData
from selftaught.hints import load_library, split_name
from selftaught.problems import parse_benchmark
from selftaught.progress import Progress
from selftaught.records import ProblemKind, Trajectory
from selftaught.rollouts import RolloutSettings
from selftaught.store import read_jsonl

SETTINGS = RolloutSettings(condition="tiny", max_tokens=24, tools=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def sums(tmp_path: Path) -> Path:
    rows = [{"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(4)]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _request(model: Path, sums: Path, out: Path, **changes: Any) -> EvalRequest:
    fields: dict[str, Any] = {"settings": SETTINGS, **changes}
    return EvalRequest(str(model), [parse_benchmark(str(sums))], out, **fields)


def test_a_second_call_only_adds_what_is_missing(model: Path, sums: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    out = tmp_path / "run"
    first = evaluate(_request(model, sums, out), seen.append)
    assert [(row.name, row.benchmark, row.n, row.k) for row in first.conditions] == [("tiny", "sums", 4, 1)]
    assert any("graded 4 new of 4" in now.line() for now in seen)
    again = evaluate(_request(model, sums, out), seen.append)
    assert "graded 0 new of 4" in seen[-1].line()
    assert again.conditions == first.conditions
    other = SETTINGS.changed(condition="other", samples=2, temperature=1.0)
    both = evaluate(_request(model, sums, out, settings=other, reference="tiny"))
    assert {(row.name, row.k) for row in both.conditions} == {("tiny", 1), ("other", 2)}
    assert [(row.a, row.b) for row in both.paired] == [("other", "tiny")]
    assert json.loads((out / "report.json").read_text())["title"] == both.title
    assert both.provenance.data["sums"].startswith("4 problems") and both.provenance.models["tiny"] == str(model)


def test_other_problems_are_not_mixed_into_a_run(model: Path, sums: Path, tmp_path: Path) -> None:
    evaluate(_request(model, sums, tmp_path / "run"))
    sums.write_text(sums.read_text().replace("What is 2", "Say 2"))
    with pytest.raises(ConfigError, match="another text"):
        evaluate(_request(model, sums, tmp_path / "run"))
    with pytest.raises(ConfigError, match="twice"):
        evaluate(EvalRequest(str(model), [parse_benchmark(str(sums))] * 2, tmp_path / "x", SETTINGS))
    with pytest.raises(ConfigError, match="empty"):
        evaluate(EvalRequest(str(model), [], tmp_path / "x", SETTINGS))


def test_curves_at_equal_budgets(model: Path, sums: Path, tmp_path: Path) -> None:
    settings = SETTINGS.changed(samples=4, temperature=1.0, max_tokens=40)
    data = evaluate(_request(model, sums, tmp_path / "run", settings=settings, scaling_rounds=2))
    assert [row.round for row in data.scaling if row.method == "majority"] == [1, 2, 4]
    tokens = [row.tokens_mean for row in data.scaling if row.method == "majority"]
    assert tokens[1] == pytest.approx(2 * tokens[0]) and tokens[2] == pytest.approx(4 * tokens[0])
    for suffix in ("rounds", "forcing"):
        found = list(read_jsonl(tmp_path / "run" / "sums" / f"tiny.{suffix}" / "trajectories.jsonl", Trajectory))
        assert found and all(trajectory.round is not None for trajectory in found)
        assert suffix == "rounds" or not any(trajectory.tool_calls() for trajectory in found)
    assert {row.method for row in data.scaling} >= {"majority", "hints", "budget_forcing"}
    assert {row.name for row in data.conditions} == {"tiny"}, "a curve is no condition of its own"


def test_a_secret_benchmark_marks_its_folder(model: Path, sums: Path, tmp_path: Path) -> None:
    rows = [{**json.loads(line), "secret": True} for line in sums.read_text().splitlines()]
    sums.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = evaluate(_request(model, sums, tmp_path / "run"))
    assert (tmp_path / "run" / "sums" / "DO-NOT-PUBLISH").exists()
    assert data.samples == []


def test_names(tmp_path: Path) -> None:
    assert default_condition("org/Name", RolloutSettings()) == "Name"
    assert default_condition("toy", RolloutSettings(hints="auto")) == "toy+hint"
    assert default_condition("toy", RolloutSettings(tools=False)) == "toy-no-tools"
    assert default_out("org/Name", [parse_benchmark("aime24:16")]) == Path("runs/eval-Name-aime24")
    assert tabulate(tmp_path).conditions == []


# --------------------------------------------------------------------------------------------------- evaluation recipes


@pytest.mark.parametrize("name", plan_names())
def test_every_shipped_evaluation_recipe_loads(name: str) -> None:
    plan, folder = load_plan(name)
    assert plan.name == name and plan.description
    here = plan.model_copy(update={"conditions": {key: {k: v for k, v in options.items() if k != "model"} for key, options in plan.conditions.items()}})  # fmt: skip
    planned, missing = here.resolve("toy", RolloutSettings(), folder)
    assert [settings.condition for _, settings in planned] == list(plan.conditions) and not missing
    for _, settings in planned:
        path, policy = split_name(settings.hints.policy)
        library = load_library(path)
        for kind in ProblemKind:
            library.policy(policy, kind)


def test_all_ablations_are_there() -> None:
    plan, folder = load_plan("ablations")
    planned = {settings.condition: settings for _, settings in plan.resolve("toy", RolloutSettings(), folder)[0]}
    assert plan.ablation_of == "base+hint" and planned["base"].hints.policy == "none"
    assert {f"calls-{n}" for n in range(7)} <= planned.keys() and planned["calls-3"].tools.max_tool_calls == 3
    assert not planned["tool-off"].tools.enabled
    library = load_library(split_name(planned["end-hint-only"].hints.policy)[0])
    math = ProblemKind.MATH
    assert [rule.name for rule in library.policy("end_only", math).rules] == ["end"]
    assert [rule.name for rule in library.policy("mid_only", math).rules] == ["after_word"]
    functions = [name.removeprefix("only-") for name in planned if name.startswith("only-")]
    assert set(functions) == set(load_library().policy("math", math).rules[0].hints)
    for name in functions:
        assert {hint for rule in library.policy(f"only_{name}", math).rules for hint in rule.hints} == {name}


def test_a_recipe_gives_a_row_with_a_paired_difference_each(model: Path, sums: Path, tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(
        "name: mine\nablation_of: all\nconditions:\n  all: {}\n  short: {max_tokens: 8}\n  gone: {model: runs/nowhere/model}\n"
    )
    plan, folder = load_plan(str(own))
    planned, missing = plan.resolve(str(model), SETTINGS, folder)
    assert missing == ["gone (runs/nowhere/model)"]
    request = _request(model, sums, tmp_path / "run", conditions=planned, ablation_reference=plan.ablation_of)
    data = evaluate(request)
    assert [(row.a, row.b, row.n) for row in data.ablations] == [("short", "all", 4)]
    own.write_text("name: mine\nablation_of: other\nconditions:\n  all: {}\n")
    with pytest.raises(ConfigError, match="'other'"):
        load_plan(str(own))[0].resolve(str(model), SETTINGS, folder)
    own.write_text("name: mine\nconditions:\n  all: {max_tokenz: 3}\n")
    with pytest.raises(ConfigError, match="max_tokenz"):
        load_plan(str(own))[0].resolve(str(model), SETTINGS, folder)
    with pytest.raises(ConfigError, match="Did you mean ablations"):
        load_plan("ablation")


# -------------------------------------------------------------------------------------------------------------- exports


def test_inspect_log(model: Path, sums: Path, tmp_path: Path) -> None:
    evaluate(_request(model, sums, tmp_path / "run"))
    try:
        written = export_inspect(tmp_path / "run")
    except MissingPartError as error:
        pytest.skip(str(error))
    from inspect_ai.log import read_eval_log

    log: Any = read_eval_log(str(written[0]))
    assert [sample.id for sample in log.samples] == ["p0", "p1", "p2", "p3"]
    assert "What is 2 + 1?" in str(log.samples[2].input)


def test_inspect_log_withholds_secret_questions(model: Path, sums: Path, tmp_path: Path) -> None:
    rows = [{**json.loads(line), "secret": True} for line in sums.read_text().splitlines()]
    sums.write_text("".join(json.dumps(row) + "\n" for row in rows))
    evaluate(_request(model, sums, tmp_path / "run"))
    try:
        written = export_inspect(tmp_path / "run")
    except MissingPartError as error:
        pytest.skip(str(error))
    from inspect_ai.log import read_eval_log

    log: Any = read_eval_log(str(written[0]))
    assert all("What is" not in sample.model_dump_json() for sample in log.samples)


# --------------------------------------------------------------------------------------------------------- command line


def test_eval_and_ls_on_the_command_line(run_cli: Any, model: Path, sums: Path, tmp_path: Path) -> None:
    command = ["eval", "--model", model, "--benchmarks", f"{sums}:2", "--out", tmp_path / "run", "--max-tokens", "16", "--workers", "0"]  # fmt: skip
    result = run_cli(*command, "--no-tools", "--condition", "tiny", "--json")
    assert result.exit_code == 0, result.stderr
    data = ReportData.model_validate_json(result.stdout)
    assert [(row.name, row.n, row.k) for row in data.conditions] == [("tiny", 4, 2)]
    assert "selftaught report" in result.stderr
    shown = run_cli(*command, "--no-tools", "--condition", "tiny")
    assert "tiny" in shown.stdout and "sums" in shown.stdout
    wrong = run_cli("eval", "--model", model, "--benchmarks", "math5000")
    assert wrong.exit_code == 2 and "math500" in wrong.stderr
    assert run_cli("eval", "--model", model, "--benchmarks", str(sums), "--recipe", "ablation").exit_code == 2

    for what in ("benchmarks", "hints", "engines", "recipes"):
        rows = json.loads(run_cli("ls", what, "--json").stdout)
        assert rows and all(isinstance(value, str) for row in rows for value in row.values())
        assert list(rows[0].values())[0] in run_cli("ls", what).stdout
    known = {row["name"]: row for row in json.loads(run_cli("ls", "benchmarks", "--json").stdout)}
    wanted = "math500 amc23 aime24 aime25 gpqa_diamond livecodebench mmlu_stem gsm8k humaneval".split()
    assert set(wanted) <= known.keys() and all(known[name]["licence"] and known[name]["size"] for name in wanted)
    assert "eval --recipe ablations" in run_cli("ls", "recipes").stdout
    assert run_cli("ls", "planets").exit_code == 2
