"""The words that say which run a report is of."""

from __future__ import annotations

import pytest

from selftaught.evals.records import Provenance, ReportData, RunRef, StageRow
from selftaught.report.identity import files_table, key_facts, models, provenance_rows, run_rows, sandbox_words

from .synthetic import MadeRun


@pytest.mark.parametrize(
    ("tier", "words"),
    [("1", "tier 1, full: namespaces"), ("full", "tier 1, full"), ("2", "tier 2, reduced"), ("0", "tier 0, unsafe")],
)
def test_a_tier_is_said_in_words(tier: str, words: str) -> None:
    assert sandbox_words(tier).startswith(words)
    assert sandbox_words("docker") == "docker"


def _ref(condition: str, model: str, count: int = 3, ungraded: int = 0) -> RunRef:
    return RunRef(
        condition=condition, benchmark="b", problems="p", trajectories=f"{condition}.jsonl", grades="g",
        num_trajectories=count, num_ungraded=ungraded, model=model,
    )  # fmt: skip


def test_models_are_named_with_their_conditions(made: MadeRun) -> None:
    data = made.data.model_copy(update={"runs": [_ref("base", "toy"), _ref("base+hint", "toy"), _ref("start", "m/s")]})
    assert models(data) == "toy (base, base+hint); m/s (start)"
    many = data.model_copy(update={"runs": [_ref(f"c{n}", "toy") for n in range(20)]})
    assert models(many) == "toy"


def test_both_times_are_said() -> None:
    stages = [StageRow(name=name, seconds=60) for name in "ab"]
    provenance = Provenance(command="selftaught demo", hardware={"cores": "2"}, config_digest="d" * 16)
    data = ReportData(stages=stages, wall_s=75.0, provenance=provenance)
    rows = dict(run_rows(data))
    assert rows["time"] == "1 min 15 s wall time, 2 min 00 s summed over 2 stages, on 2 cores"
    assert rows["command"] == "selftaught demo"
    assert rows["configuration"].startswith("d" * 12)
    assert ("command", "selftaught demo") in provenance_rows(data)


def test_a_curve_has_its_trajectories_and_no_empty_column() -> None:
    data = ReportData(runs=[_ref("base", "toy"), _ref("base by rounds (hints)", "toy", 2150)])
    table = files_table(data)
    assert "not graded" not in table.columns
    assert [row[2] for row in table.rows] == ["3", "2,150"]
    waiting = files_table(ReportData(runs=[_ref("base", "toy", 9, 4)]))
    assert waiting.rows[0][3] == "4"


def test_a_run_without_start_shows_what_it_has(made: MadeRun) -> None:
    rows = [row for row in made.data.conditions if row.name == "base+hint"]
    facts = key_facts(made.data.model_copy(update={"conditions": rows, "paired": []}))
    assert [fact[0] for fact in facts] == ["base+hint, all"]
    assert key_facts(ReportData()) == []
