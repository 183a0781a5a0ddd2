"""infer, rollout and verify from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selftaught.records import SpanSource, Trajectory


def test_infer_prints_one_trajectory(run_cli: Any, model_folder: Path) -> None:
    asked = ["infer", "What is 6 * 7?", "--model", model_folder, "--max-tokens", "60", "--no-tools"]
    result = run_cli(*asked, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    trajectory = Trajectory.model_validate(document["trajectory"])
    assert document["problem"] == "What is 6 * 7?" and trajectory.spans[0].source is SpanSource.PROMPT
    shown = run_cli(*asked)
    assert shown.exit_code == 0 and trajectory.stop_reason.value in shown.stdout


def test_infer_refuses(run_cli: Any, model_folder: Path) -> None:
    assert run_cli("infer", " ", "--model", model_folder).exit_code == 2
    assert run_cli("infer", "x", "--model", model_folder, "--kind", "poem").exit_code == 2
    missing = run_cli("infer", "x", "--model", "/nowhere/at/all")
    assert missing.exit_code == 3 and "was not found" in missing.stderr
    assert run_cli("infer", "x", "--model", model_folder, "--hints", "autoo", "--no-tools").exit_code in (0, 2)


def test_rollout_and_verify(run_cli: Any, model_folder: Path, tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(
        "".join(
            json.dumps({"id": f"p{n}", "problem": f"What is {n} + 1?", "answer": str(n + 1)}) + "\n" for n in range(5)
        )
    )
    out = tmp_path / "run"
    command = [
        "rollout",
        problems,
        "--model",
        model_folder,
        "--out",
        out,
        "--max-tokens",
        "40",
        "--workers",
        "0",
        "--no-tools",
        "--json",
    ]
    result = run_cli(*command)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["num_new"] == 5 and "5/5" in result.stderr
    again = json.loads(run_cli(*command).stdout)
    assert again["num_new"] == 0 and again["num_resumed"] == 5
    assert "5 trajectories" in run_cli("verify", out).stdout
    assert json.loads(run_cli("verify", out, "--json").stdout)["holds"] is True
    file = out / "trajectories.jsonl"
    lines = file.read_text().splitlines()
    record = json.loads(lines[2])
    record["spans"][1]["token_ids"][0] ^= 1
    file.write_text("\n".join([*lines[:2], json.dumps(record), *lines[3:]]) + "\n")
    broken = run_cli("verify", out)
    assert broken.exit_code == 1 and record["id"] in broken.stderr
    other = run_cli(*command, "--seed", "3")
    assert other.exit_code == 2 and "--seed is 0; here it is 3" in other.stderr
