"""The page's data blocks."""

from __future__ import annotations

from pathlib import Path

from selftaught.records import SpanSource
from selftaught.report import write_report

from .synthetic import MadeRun, make_run
from .test_write import blocks


def test_trajectories_are_carried_span_by_span(made: MadeRun, tmp_path: Path) -> None:
    run = make_run(tmp_path, num_problems=24)
    found = blocks(write_report(run.folder).html.read_text())
    index = found["index"]
    assert isinstance(index, dict)
    assert index["total"] == index["kept"] == 24 * 7
    by_id = {(t.condition, t.id): t for rows in run.trajectories.values() for t in rows}
    for i, trajectory_id in enumerate(index["t"]["id"]):
        condition = index["conditions"][index["t"]["c"][i]]
        trajectory = by_id[condition, trajectory_id]
        chunk = found[f"chunk-{index['t']['ch'][i]}"]
        assert isinstance(chunk, list)
        entry = chunk[index["t"]["at"][i]]
        assert [span[1] for span in entry["s"]] == [span.text for span in trajectory.spans]
        assert [span[2] for span in entry["s"]] == [len(span.token_ids) for span in trajectory.spans]
        weights = {"p": 0, "m": 1, "h": 1, "t": 0, "c": 0}
        assert all(span[3] == weights[span[0]] for span in entry["s"])
        assert index["t"]["t"][i] == sum(
            len(s.token_ids) for s in trajectory.spans if s.source is not SpanSource.PROMPT
        )
        for span, shown in zip(trajectory.spans, entry["s"], strict=True):
            if span.hint is not None:
                assert shown[4]["id"] == span.hint.id
                assert shown[4]["why"] == span.hint.reason
