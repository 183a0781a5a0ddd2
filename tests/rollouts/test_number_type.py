"""``auto`` is settled once: the record says what was used, and a folder keeps it."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.engines import dtype as number_types
from selftaught.records import Problem, ProblemKind
from selftaught.rollouts import RolloutSettings, run_rollout
from selftaught.rollouts.number_type import settle_dtype
from selftaught.runs.folders import RolloutFolder
from selftaught.runs.record import read_record


def test_a_run_records_the_type_and_keeps_it(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = Problem(id="p", problem="What is 1 + 1?", kind=ProblemKind.MATH, answer="2")
    settings = RolloutSettings(max_tokens=4, tools=False)
    assert settings.engine.dtype == "auto"
    run_rollout([problem], str(model_folder), tmp_path / "run", settings)
    record = read_record(tmp_path / "run")
    assert record is not None and record.settings["dtype"] == "float32"
    monkeypatch.setattr(number_types, "stored_dtype", lambda folder: "bfloat16")
    monkeypatch.setattr(number_types, "is_bfloat16_fast", lambda: True)
    there, new = RolloutFolder(tmp_path / "run"), RolloutFolder(tmp_path / "new")
    assert settle_dtype(settings, str(model_folder), there).engine.dtype == "float32"
    assert settle_dtype(settings, str(model_folder), new).engine.dtype == "bfloat16"
    assert settle_dtype(settings, "http://127.0.0.1:9/v1", new).engine.dtype == "float32"
    run_rollout([problem], str(model_folder), tmp_path / "run", settings)  # resumes: the same run as before
