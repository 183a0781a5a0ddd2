"""A small finished run for the tests of the command line, made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROBLEMS = [
    {"id": "a", "problem": "What is 7 times 8?", "answer": "56"},
    {"id": "b", "problem": "What is 5 plus 4?", "answer": "9"},
]


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``mine.jsonl``, and in ``run`` its graded rollout of two trajectories. To be copied, not changed."""
    from selftaught.cli.app import main

    folder = tmp_path_factory.mktemp("finished")
    mine, run = folder / "mine.jsonl", folder / "run"
    mine.write_text("".join(json.dumps(row) + "\n" for row in PROBLEMS))
    assert main(["rollout", str(mine), "--model", "toy", "--out", str(run), "--max-tokens", "8", "--workers", "0"]) == 0
    assert main(["grade", str(run)]) == 0
    return folder
