"""A rollout's folder: resumed after an older version, kept from another text, free until its first trajectory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from selftaught.engines.tiny import make_tiny_model
from selftaught.errors import ConfigError, EngineError
from selftaught.problems import load_problems
from selftaught.records import Problem, ProblemKind
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.runs.folders import RolloutFolder

PROBLEMS = [
    Problem(id=f"p{n}", problem=f"What is {n} + 1?", kind=ProblemKind.MATH, answer=str(n + 1)) for n in range(3)
]
OTHER = [PROBLEMS[0].model_copy(update={"problem": "What is 9 * 2?", "answer": "18"}), *PROBLEMS[1:]]
SETTINGS = RolloutSettings.model_validate({"max_tokens": 12, "tools": False, "condition": "rollout"})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_model(tmp_path_factory.mktemp("tiny")))


def as_older(folder: RolloutFolder) -> None:
    """Turn the folder into what the first version left: flat settings in the record, and no problems."""
    record = json.loads(folder.record.read_text())
    flat = {f"settings.{key}": value for key, value in record["settings"].items()}
    flat |= {"model_digest": record["model_digest"], "hints_digest": record["inputs"]["hint library"]}
    keys = ("kind", "digest", "created_at", "model", "num_problems", "problems_digest", "spread")
    folder.record.write_text(json.dumps({key: record[key] for key in keys} | {"configuration": flat}))
    folder.problems.unlink()


def test_a_folder_of_the_first_version_goes_on(model: str, tmp_path: Path) -> None:
    folder = RolloutFolder(tmp_path / "run")
    run_rollout(PROBLEMS, model, folder.path, SETTINGS)
    as_older(folder)
    with pytest.raises(ConfigError, match="another text for problem 'p0'"):
        run_rollout(OTHER, model, folder.path, SETTINGS)
    more = [*PROBLEMS, Problem(id="p9", problem="What is 9 + 1?", kind=ProblemKind.MATH, answer="10")]
    again = run_rollout(more, model, folder.path, SETTINGS)
    assert (again.num_resumed, again.num_new) == (3, 1)
    assert [p.id for p in load_problems(folder.problems)] == ["p0", "p1", "p2", "p9"]


def test_what_came_to_nothing_binds_nobody(model: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        run_rollout(PROBLEMS, "/no/model", tmp_path / "run", SETTINGS)
    folder = RolloutFolder(tmp_path / "run")
    run_rollout([], model, folder.path, SETTINGS)
    folder.problems.write_text("".join(problem.to_json() + "\n" for problem in PROBLEMS))
    other = RolloutSettings.model_validate({"max_tokens": 13, "tools": False, "condition": "rollout"})
    assert run_rollout(OTHER, model, folder.path, other).num_new == 3
    assert load_problems(folder.problems)[0].answer == "18"
    with pytest.raises(ConfigError, match="another text"):
        run_rollout(PROBLEMS, model, folder.path, other)
    with pytest.raises(ConfigError, match="--max-tokens is 13; here it is 12"):
        run_rollout(OTHER, model, folder.path, SETTINGS)
