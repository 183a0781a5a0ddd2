"""Inspect AI over 50 problems: it comes to its end, and its texts are those of our own rollouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import NUM_PROBLEMS, SCRIPTS, Own, program, run

pytestmark = pytest.mark.clients


def test_a_benchmark(url: str, own: Own, tmp_path: Path) -> None:
    command = [program("inspect", "bin/inspect"), "eval", "inspect_task.py", "-T", f"problems={own.problems}"]
    options = [
        "--model",
        "openai-api/ours/toy",
        "--max-connections",
        "4",
        "--log-dir",
        tmp_path,
        "--log-format",
        "json",
    ]
    run([*command, *options, "--display", "plain"], 600, cwd=SCRIPTS, OURS_API_KEY="none", OURS_BASE_URL=url)
    log = json.loads(next(tmp_path.glob("*.json")).read_text())
    assert log["status"] == "success" and log["results"]["completed_samples"] == NUM_PROBLEMS
    for sample in log["samples"]:
        content = sample["output"]["choices"][0]["message"]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = "".join(part.get("reasoning", "") + part.get("text", "") for part in parts)
        answer = "".join(part.get("text", "") for part in parts)
        name = sample["id"]
        assert text.split() == own.texts[name].replace("</think>", "").split(), name
        assert own.regrade(name, answer) == own.outcomes[name]
