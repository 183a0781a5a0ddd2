"""The HTTP engine against a real vLLM, SGLang or llama.cpp server, when one is given; ``benchmarks/served.py`` says how to start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "served.py"


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["SELFTAUGHT_VLLM_URL", "SELFTAUGHT_SGLANG_URL", "SELFTAUGHT_LLAMACPP_URL"])
def test_served_trajectories_are_the_local_ones(variable: str) -> None:
    if variable not in os.environ:
        pytest.skip(f"{variable} names no server, e.g. http://127.0.0.1:8000/v1")
    command = [
        sys.executable,
        SCRIPT,
        "--base-url",
        os.environ[variable],
        "--model",
        os.environ.get("SELFTAUGHT_SERVED_MODEL", "toy"),
        "--only",
        "parity",
        "--count",
        "50",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)["measures"]["parity"]
    assert found["trajectories"] == 50 and found["tool_calls"] > 0 and found["hints"] > 0
    assert max(found["echoed"], found["lengths_told"]) == found["streams"] > 0
    assert found["share"] >= 0.98
    assert found["different_not_at_a_sampled_token"] == []
    assert all(gap < 1e-4 for gap in found["logit_gaps_where_different"])
    assert found["ledger_holds"]
