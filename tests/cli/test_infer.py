"""``infer``: whose words are shown, a problem of a run asked again, options, an answer to grade by."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from selftaught.manner import Manner, read_manner, write_manner
from selftaught.toy import MANNER, model_path

QUESTION = "What is the remainder when 7^2023 is divided by 1000?"


@pytest.fixture(scope="module")
def rolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A rollout of two problems with hints; its folder."""
    from selftaught.problems import load_file
    from selftaught.rollouts import RolloutSettings, run_rollout

    folder = tmp_path_factory.mktemp("infer")
    rows = [
        {"id": "a", "problem": QUESTION, "answer": "343"},
        {"id": "b", "problem": "What is 3 plus 4?", "answer": "7"},
    ]
    (folder / "p.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = RolloutSettings.model_validate(
        {"hints": "math", "condition": "mine", "max_tokens": 900, "preload": ["math"]}
    )
    run_rollout(load_file(folder / "p.jsonl"), "toy", folder / "run", settings)
    return folder


def test_the_model_and_the_question_are_named(run_cli: Any) -> None:
    result = run_cli("infer", "--preload", "math", QUESTION)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and lines[0] == "[toy · math · hints auto]" and lines[1] == QUESTION
    assert lines[-1].startswith("[answer 343 · answered · 1 hints · 1 calls")
    assert "notice" not in result.stderr


def test_a_question_outside_the_families_gets_a_notice(run_cli: Any) -> None:
    result = run_cli("infer", "--preload", "math", "Who was the first US president?", "--max-tokens", "20", "--json")
    assert "notice: the embedded model knows nineteen families" in result.stderr
    assert json.loads(result.stdout)["problem"].startswith("Who")


def test_options_and_an_answer(run_cli: Any) -> None:
    asked = ["infer", "--preload", "math", "Which of these is 16^15 modulo 73?", "--choices", "88|69|20|64", "--json"]
    found = [json.loads(run_cli(*asked, "--answer", answer).stdout) for answer in ("D", "64", "A")]
    assert [one["grade"]["correct"] for one in found] == [True, True, False]
    assert "A) 88\nB) 69" in found[0]["trajectory"]["spans"][0]["text"]
    assert "grade" not in json.loads(run_cli(*asked).stdout)
    shown = run_cli("infer", "--preload", "math", QUESTION, "--answer", "342")
    assert "answer 343 · wrong, expected 342 · answered" in shown.stdout and shown.exit_code == 0


def test_code_ends_with_a_program_and_no_stray_fence(run_cli: Any) -> None:
    question = "Write solve(n), which returns how many boxes of 27 n things make. Samples: solve(38) == 1"
    result = run_cli("infer", "--preload", "math", question, "--kind", "code")
    assert "[program of 2 lines · answered" in result.stdout and "```" not in result.stdout


def test_a_problem_of_a_run_is_asked_again(rolled: Path, run_cli: Any) -> None:
    before = {}
    for line in (rolled / "run" / "trajectories.jsonl").read_text().splitlines():
        record = json.loads(line)
        before[record["problem_id"]] = [span["token_ids"] for span in record["spans"]]
    for problem, answer in (("a", "343"), ("b", "7")):
        result = run_cli("infer", "--preload", "math", "--problem", problem, "--from", rolled / "run", "--json")
        document = json.loads(result.stdout)
        assert [span["token_ids"] for span in document["trajectory"]["spans"]] == before[problem], result.stderr
        assert document["answer"] == answer and document["grade"]["correct"]
    other = run_cli(
        "infer", "--preload", "math", "--problem", "a", "--from", rolled / "run", "--hints", "none", "--json"
    )
    assert json.loads(other.stdout)["trajectory"]["condition"] == "infer+none"
    file = run_cli("infer", "--preload", "math", "--problem", "b", "--from", rolled / "p.jsonl")
    assert "[answer 7 · right · answered" in file.stdout


def test_what_the_folder_says_decides_not_its_name(tmp_path: Path, run_cli: Any) -> None:
    """The same weights in three folders: the question is asked as each folder's own file says."""
    asked = {}
    for name, manner in (("toy", Manner()), ("other", MANNER), ("third", Manner(question="plain", hints="none"))):
        folder = tmp_path / name
        shutil.copytree(model_path(), folder)
        write_manner(folder, manner)
        assert read_manner(folder) == manner
        result = run_cli("infer", "--preload", "math", QUESTION, "--model", folder, "--json", "--max-tokens", "30")
        trajectory = json.loads(result.stdout)["trajectory"]
        asked[name] = (trajectory["spans"][0]["text"], trajectory["condition"])
    assert "boxed" in asked["toy"][0] and "boxed" not in asked["other"][0] + asked["third"][0]
    assert asked["other"][1] == "infer+auto" and asked["third"][1] == "infer+none"


def test_a_library_with_one_policy_needs_no_name(tmp_path: Path, run_cli: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "policies:\n  mine:\n    rules:\n"
        "      - {name: last, when: end_of_thinking, hints: [general], lead: {en: 'Wait, '}}\n"
    )
    result = run_cli("infer", "--preload", "math", QUESTION, "--hints", file, "--json")
    hints = [span["hint"] for span in json.loads(result.stdout)["trajectory"]["spans"] if span.get("hint")]
    assert [hint["id"].split("/")[0] for hint in hints] == ["general"], result.stderr


def test_stdin(run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("What is 3 plus 4?\n"))
    assert "[answer 7 · answered" in run_cli("infer", "--preload", "math", "-", "--hints", "none").stdout
