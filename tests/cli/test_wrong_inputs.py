"""Wrong inputs, a line each: one clear line on stderr, the right exit code, no traceback, nothing made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PROBLEM = {"id": "a", "problem": "What is 2 plus 2?", "answer": "4"}
TOY = ("--model", "toy")

INPUTS: dict[str, tuple[int, str]] = {
    # settings out of bounds, each verb
    "rollout P --model toy --out X --top-p 2": (2, "--top-p is 2; expected above 0, at most 1"),
    "infer x --top-p 0": (2, "--top-p is 0"),
    "eval --model toy -b P --out X --top-p -1": (2, "--top-p is -1"),
    "infer x --temperature nan": (2, "--temperature is nan"),
    "infer x --temperature hot": (2, "--temperature"),
    "rollout P --model toy --out X --samples 0": (2, "--samples is 0; expected at least 1"),
    "eval --model toy -b P --out X --samples -3": (2, "--samples is -3"),
    "infer x --max-tokens 0": (2, "--max-tokens is 0"),
    "infer x --max-tool-calls -1": (2, "--max-tool-calls is -1"),
    "infer x --tool-timeout 0": (2, "--tool-timeout is 0"),
    "infer x --tool-memory 3": (2, "--tool-memory is 3; expected at least 16"),
    "infer x --dtype fp99": (2, "--dtype is 'fp99'; expected one of"),
    "eval --model toy -b P --out X --dtype int4": (2, "--dtype is 'int4'"),
    "infer x --language fr": (2, "--language is 'fr'; expected one of en, zh"),
    "rollout P --model toy --out X --language de": (2, "--language is 'de'"),
    "infer x --device banana": (2, "--device is 'banana'; expected cpu, cuda"),
    "infer x --think-style loud": (2, "--think-style is 'loud'"),
    "infer x --at-call-cap shout": (2, "--at-call-cap is 'shout'"),
    "rollout P --model toy --out X --workers -1": (2, "--workers is -1"),
    "rollout P --model toy --out X --max-rows 0": (2, "--max-rows is 0"),
    "infer x --sandbox-workers 0": (2, "--sandbox-workers is 0"),
    "infer x --threads -1": (2, "--threads is -1"),
    "infer x --seed 1.5": (2, "--seed"),
    "infer x --repetition-window -1": (2, "--repetition-window is -1"),
    "infer x --trajectory-timeout 0": (2, "--trajectory-timeout is 0"),
    "infer x --no-such-option": (2, "No such option"),
    # hints
    "infer x --hints mth": (2, "Did you mean math?"),
    "rollout P --model toy --out X --hints autoo": (2, "Did you mean auto?"),
    "eval --model toy -b P --out X --hints earli": (2, "Did you mean early?"),
    "infer x --hints nowhere.yaml": (2, "nowhere.yaml cannot be read"),
    "infer x --hints TWO": (2, "say which"),
    "infer x --hints ONE:other": (2, "no policy 'other'"),
    "rollout P --model toy --out X --hints math --no-tools": (2, "tools are off"),
    "rollout P --model toy --out X --hints math --record-rounds": (2, "record_rounds needs"),
    "hints show mth": (2, "Did you mean math?"),
    "hints show nowhere.yaml": (2, "cannot be read"),
    "hints show math --language fr": (2, "--language is 'fr'"),
    # one problem
    "infer": (2, "the problem is missing"),
    "infer EMPTY": (2, "the problem is empty"),
    "infer x --kind poem": (2, "--kind is 'poem'"),
    "infer x --choices 3": (2, "expected 2 to 26"),
    "infer x --choices 3,4 --answer 9": (2, "expected a letter from A to B"),
    "infer --problem a": (2, "go together"),
    "infer x --from P": (2, "go together"),
    "infer x --problem a --from P": (2, "leave its text"),
    "infer --problem b --from P": (2, "no problem 'b' among 1"),
    "infer --problem a --from nowhere": (2, "expected a run's folder or a problem file"),
    # models
    "infer x --model /nowhere": (3, "was not found"),
    "rollout P --model /nowhere --out X": (3, "was not found"),
    "infer x --model http://127.0.0.1:9/v1": (3, "no model server answers"),
    "infer x --model BROKEN": (2, "selftaught.json: question is 'loud'"),
    # the other verbs
    "exec -c 1 P": (2, "exec takes one thing"),
    "exec -c 1/0 --timeout 0": (2, "--timeout"),
    "exec nowhere.py": (2, "nowhere.py"),
    "ls nothing": (2, "expected one of benchmarks"),
    "eval --model toy -b nothing-500 --out X": (2, "is not known"),
    "rollout nowhere.jsonl --model toy --out X": (2, "nowhere.jsonl"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    (folder / "p.jsonl").write_text(json.dumps(PROBLEM) + "\n")
    rule = "rules: [{name: r, when: end_of_thinking, hints: [general]}]"
    (folder / "one.yaml").write_text(f"policies:\n  mine: {{{rule}}}\n")
    (folder / "two.yaml").write_text(f"policies:\n  mine: {{{rule}}}\n  yours: {{{rule}}}\n")
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text("{}")
    (folder / "broken" / "selftaught.json").write_text('{"question": "loud"}')
    return folder


@pytest.mark.parametrize("command", INPUTS)
def test_a_wrong_input_ends_in_one_line(command: str, place: Path, run_cli: Any) -> None:
    names = {
        "P": place / "p.jsonl",
        "X": place / "out",
        "ONE:other": f"{place / 'one.yaml'}:other",
        "TWO": place / "two.yaml",
        "BROKEN": place / "broken",
        "EMPTY": " ",
    }
    exit_code, message = INPUTS[command]
    result = run_cli(*(names.get(word, word) for word in command.split()))
    assert result.exit_code == exit_code, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("selftaught: error: ")]
    assert len(errors) == 1 and message in errors[0], result.stderr
    assert "Traceback" not in result.stderr and "bug:" not in errors[0]
    assert not (place / "out" / "trajectories.jsonl").exists() and not result.stdout.startswith("{")


def test_a_device_that_is_not_there_is_a_missing_part(place: Path, run_cli: Any) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    for command in (["infer", "x"], ["rollout", place / "p.jsonl", *TOY, "--out", place / "gpu"]):
        result = run_cli(*command, "--device", "cuda")
        assert result.exit_code == 3 and "--device is cuda, but torch sees no cuda device" in result.stderr
    assert not (place / "gpu").exists()


def test_a_missing_extra_is_noticed_before_the_work(place: Path, run_cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "inspect_ai" else find(name, *a))
    result = run_cli("eval", *TOY, "-b", place / "p.jsonl", "--out", place / "inspected", "--inspect")
    assert result.exit_code == 3 and "pip install 'selftaught[inspect]'" in result.stderr
    assert not (place / "inspected").exists()
