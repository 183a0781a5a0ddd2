"""Curation as a whole: every input lands in kept or dropped once, counts add up, order of the files does not matter."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from selftaught.curation import CurateSettings, Rule, curate
from selftaught.curation.modify import undo
from selftaught.curation.records import FilterSettings, Funnel, KeptRow
from selftaught.errors import ConfigError, DataError
from selftaught.records import ExecStatus, ForkPoint, Outcome, Trajectory
from selftaught.store import read_jsonl, write_records
from selftaught.training.render import LossPolicy, render_row

from .conftest import WriteRollout
from .samples import CODEC, grade, hinted, plain, problem, read_lines, span, tool


def check_partition(out: Path, inputs: list[Trajectory], funnel: Funnel) -> None:
    kept = [row["trajectory"]["id"] for row in read_lines(out / "kept.jsonl")]  # type: ignore[index]
    dropped = [row["trajectory_id"] for row in read_lines(out / "dropped.jsonl")]
    assert sorted([*kept, *dropped]) == sorted(t.id for t in inputs)
    assert funnel.num_in == len(inputs) == funnel.num_kept + sum(funnel.dropped.values())
    left = funnel.num_in
    for step in funnel.steps:
        assert step.num_in == left and step.num_in == step.num_out + step.num_dropped
        left = step.num_out
    assert left == funnel.num_kept == len(kept)


def test_d_seed_wants_greedy_wrong_and_hinted_right(write_rollout: WriteRollout, tmp_path: Path) -> None:
    greedy = write_rollout(
        "greedy", [(plain("p1"), False), (plain("p2"), True), (plain("p3"), False)], candidate=False, reference=True
    )
    rows = [hinted("p1"), hinted("p2"), hinted("p3")]
    source = write_rollout("hinted", [(rows[0], True), (rows[1], True), (rows[2], False)])
    problems = [problem(f"p{i}") for i in (1, 2, 3)]
    funnel = curate([source, greedy], problems, tmp_path / "out", CurateSettings(), codec=CODEC)
    check_partition(tmp_path / "out", rows, funnel)
    assert funnel.dropped == {"greedy_right": 1, "wrong": 1}
    [kept] = read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow)
    assert kept.trajectory == rows[0] and kept.source == "hinted" and "greedy wrong" in kept.why


def test_d_seed_may_hold_rows_that_are_right_before_the_hint(write_rollout: WriteRollout, tmp_path: Path) -> None:
    """Their drafts take loss; a row without a verdict of the greedy run stays out."""
    verdicts = [(plain(f"p{i}"), i > 1) for i in (1, 2, 3)]
    greedy = write_rollout("greedy", verdicts, candidate=False, reference=True)
    rows = [hinted(f"p{i}") for i in (1, 2, 3, 4)]
    source = write_rollout("hinted", [(row, True) for row in rows])
    problems = [problem(f"p{i}") for i in (1, 2, 3, 4)]
    funnel = curate([source, greedy], problems, tmp_path / "out", CurateSettings(greedy_wrong_share=0.5), codec=CODEC)
    check_partition(tmp_path / "out", rows, funnel)
    assert funnel.num_kept == 2 and funnel.dropped == {"greedy_right": 2}
    kept = list(read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow))
    assert {row.trajectory.problem_id for row in kept} > {"p1"}
    assert {row.why.rpartition("; ")[2] for row in kept} == {"greedy wrong", "greedy right"}


def test_a_probe_gives_rows_and_says_what_the_base_solves(write_rollout: WriteRollout, tmp_path: Path) -> None:
    """Only its trajectories without hints are the greedy pass; its branches are rows, but no verdicts on the base."""
    rows = []
    for name, right in (("p1", False), ("p2", True)):
        point = ForkPoint(id=f"{name}#0@0", place="end", token=1, probability=1, prefix_tokens=1, hints=["general"])
        branch = hinted(name).model_copy(update={"id": point.branch_ids()[0], "forks": [point], "shared_tokens": 1})
        rows += [(plain(name).model_copy(update={"forks": [point]}), right), (branch, True)]
    both = write_rollout("probe", rows, reference=True)
    problems = [problem("p1"), problem("p2")]
    funnel = curate([both], problems, tmp_path / "out", CurateSettings(), codec=CODEC)
    check_partition(tmp_path / "out", [row for row, _ in rows], funnel)
    assert funnel.reference == {"right": 1, "wrong": 1}
    [kept] = read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow)
    assert kept.trajectory == rows[1][0]
    mixed = CurateSettings(rule=Rule.D_START, tool_share=0.5)
    texts = curate([replace(both, text_only=True)], problems, tmp_path / "texts", mixed, codec=CODEC)
    assert texts.num_in == 2 and texts.num_kept_with_tool == 0


def test_a_problem_beyond_the_budget_is_dropped_first(write_rollout: WriteRollout, tmp_path: Path) -> None:
    greedy = write_rollout("greedy", [(plain("p1"), False), (plain("p2"), False)], candidate=False, reference=True)
    rows = [hinted("p1"), hinted("p2")]
    source = write_rollout("hinted", [(rows[0], True), (rows[1], True)])
    problems, over = [problem("p1"), problem("p2")], frozenset({"p2"})
    funnel = curate([source, greedy], problems, tmp_path / "out", CurateSettings(), codec=CODEC, over_budget=over)
    check_partition(tmp_path / "out", rows, funnel)
    assert funnel.dropped == {"over_quota": 1} and funnel.steps[0].step == "budget" and funnel.num_kept == 1


def test_a_greedy_run_that_failed_says_nothing(write_rollout: WriteRollout, tmp_path: Path) -> None:
    greedy = write_rollout("greedy", [(plain("p1"), False)], candidate=False, reference=True)
    failed = grade(plain("p1"), False).model_copy(update={"outcome": Outcome.ERROR})
    write_records(greedy.grades, [failed])
    source = write_rollout("hinted", [(hinted("p1"), True)])
    funnel = curate([source, greedy], [problem("p1")], tmp_path / "out", CurateSettings(), codec=CODEC)
    assert funnel.dropped == {"greedy_right": 1} and funnel.reference == {}


def test_d_start_takes_the_best_of_each_problem(write_rollout: WriteRollout, tmp_path: Path) -> None:
    failed = hinted("p1", 0)
    failed.spans[4:4] = [
        tool("NameError", status=ExecStatus.ERROR),
        span("model", "again\n```python\nprint(42)\n```\n"),
    ]
    rows = [failed, hinted("p1", 1), hinted("p1", 2, extra="A longer way round. "), plain("p2", answer="42")]
    source = write_rollout("sampled", [(row, True) for row in rows])
    settings = CurateSettings(rule=Rule.D_START)
    funnel = curate([source], [problem("p1"), problem("p2")], tmp_path / "out", settings, codec=CODEC)
    check_partition(tmp_path / "out", rows, funnel)
    [kept] = read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow)
    assert kept.trajectory.id == "p1#1"
    assert funnel.dropped == {"no_tool_call": 1, "not_best": 2}


@pytest.mark.parametrize("share", [1.0, 0.9, 0.75, 0.5])
def test_tool_share_mixes_in_text_only_rows(write_rollout: WriteRollout, tmp_path: Path, share: float) -> None:
    rows = [hinted(f"p{i}", extra=f"Way {i}. ") for i in range(40)]
    texts = [plain(f"p{i}", 7, answer="42") for i in range(20, 60)]
    greedy = write_rollout("greedy", [(t, True) for t in texts], candidate=share < 1, reference=True)
    source = write_rollout("sampled", [(row, True) for row in rows])
    settings = CurateSettings(rule=Rule.D_START, tool_share=share)
    funnel = curate([source, greedy], [problem(f"p{i}") for i in range(60)], tmp_path / "out", settings, codec=CODEC)
    check_partition(tmp_path / "out", rows + (texts if share < 1 else []), funnel)
    assert 1 - funnel.num_kept_text_only / funnel.num_kept == pytest.approx(share, abs=0.03)
    ids = [row.trajectory.problem_id for row in read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow)]
    assert len(set(ids)) == len(ids)


def test_text_without_ids_is_encoded_only_when_asked_for(write_rollout: WriteRollout, tmp_path: Path) -> None:
    exact, loose = hinted("p1"), hinted("p2").model_copy(update={"text_only": True})
    pieces = [part.model_copy(update={"token_ids": [1, 2]}) for part in loose.spans]  # as a stream happened to be cut
    loose = loose.model_copy(update={"spans": pieces})
    source = write_rollout("sampled", [(exact, True), (loose, True)])
    problems = [problem("p1"), problem("p2")]
    settings = CurateSettings(rule=Rule.D_START)
    assert curate([source], problems, tmp_path / "out", settings, codec=CODEC).dropped == {"text_only": 1}

    settings = CurateSettings(rule=Rule.D_START, filters=FilterSettings(allow_text_only=True))
    with pytest.raises(ConfigError, match="--model"):
        curate([source], problems, tmp_path / "out", settings)
    funnel = curate([source], problems, tmp_path / "out", settings, codec=CODEC)
    check_partition(tmp_path / "out", [exact, loose], funnel)
    assert funnel.num_kept == 2 and funnel.modified["encode_text"] == 1
    rows = {row.trajectory.id: row for row in read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow)}
    row = rows[loose.id]
    assert CODEC.decode(render_row(row, LossPolicy()).input_ids) == "".join(part.text for part in loose.spans)
    assert undo(row.trajectory, row.modifications) == loose
    with pytest.raises(DataError, match="allow-text-only"):
        render_row(row.model_copy(update={"modifications": []}), LossPolicy())


def test_order_of_the_files_does_not_matter(write_rollout: WriteRollout, tmp_path: Path) -> None:
    rng = random.Random(0)
    rows = [(hinted(f"p{i % 7}", i // 7, extra=f"Way {i % 5}. ", calls=1 + i % 2), bool(i % 3)) for i in range(60)]
    settings = CurateSettings(rule=Rule.D_START)
    kept = []
    for attempt in range(3):
        rng.shuffle(rows)
        source = write_rollout(f"sampled{attempt}", rows)
        curate([source], [problem(f"p{i}") for i in range(7)], tmp_path / f"out{attempt}", settings, codec=CODEC)
        kept.append([row.trajectory.id for row in read_jsonl(tmp_path / f"out{attempt}" / "kept.jsonl", KeptRow)])
    assert kept[0] == kept[1] == kept[2]


@pytest.mark.parametrize("seed", range(8))
def test_random_inputs_are_partitioned(write_rollout: WriteRollout, tmp_path: Path, seed: int) -> None:
    """Every input in kept or dropped exactly once, counts adding up at every step, under random settings."""
    rng = random.Random(seed)
    rows: list[tuple[Trajectory, bool | None]] = []
    texts: list[tuple[Trajectory, bool | None]] = []
    for i in range(120):
        name, sample = f"p{rng.randrange(25)}", i
        if rng.random() < 0.3:
            rows.append((plain(name, sample, answer=str(rng.randrange(40, 44))), rng.random() < 0.6))
        else:
            made = hinted(
                name,
                sample,
                calls=rng.randrange(1, 4),
                extra="Let me look at this again now. " * rng.choice([0, 0, 1, 20]),
            )
            if rng.random() < 0.2:
                made.spans[4] = tool("NameError", status=ExecStatus.ERROR)
            rows.append((made, rng.choice([True, True, True, False, None])))
    for i in range(25):
        texts.append((plain(f"p{i}", 999, answer="42"), rng.random() < 0.5))
    share = rng.choice([1.0, 0.8, {"math": 0.5}, {"code": 0.5}])
    mixed = share in (0.8, {"math": 0.5})  # all of these problems are maths
    settings = CurateSettings(
        rule=rng.choice(list(Rule)), tool_share=share, max_per_problem=rng.choice([1, 2]), max_rows=rng.choice([{}, {"all": 9}]),
        require_tool=rng.random() < 0.8, seed=seed,
    )  # fmt: skip
    source = write_rollout("sampled", rows)
    greedy = write_rollout("greedy", texts, candidate=mixed, reference=True)
    funnel = curate([source, greedy], [problem(f"p{i}") for i in range(25)], tmp_path / "out", settings, codec=CODEC)
    inputs = [t for t, _ in rows] + ([t for t, _ in texts] if mixed else [])
    check_partition(tmp_path / "out", inputs, funnel)
    per_problem: dict[str, int] = {}
    for row in read_jsonl(tmp_path / "out" / "kept.jsonl", KeptRow):
        per_problem[row.trajectory.problem_id] = per_problem.get(row.trajectory.problem_id, 0) + 1
    assert all(count <= settings.max_per_problem for count in per_problem.values())


def test_a_rerun_gives_the_same_files(write_rollout: WriteRollout, tmp_path: Path) -> None:
    source = write_rollout("sampled", [(hinted("p1"), True), (hinted("p2"), False)])
    contents = []
    for _ in range(2):
        curate(
            [source], [problem("p1"), problem("p2")], tmp_path / "out", CurateSettings(rule=Rule.D_START), codec=CODEC
        )
        contents.append({path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()})
    record = [json.loads(content.pop("run.json")) for content in contents]
    assert [len(one["attempts"]) for one in record] == [1, 2] and record[0]["digest"] == record[1]["digest"]
    made = {"kept.jsonl", "dropped.jsonl", "funnel.json", ".writer.lock"}
    assert contents[0].keys() == contents[1].keys() == made
    assert all(contents[0][name] == contents[1][name] for name in made - {".writer.lock"})


def test_later_grades_count_and_ungraded_is_dropped(write_rollout: WriteRollout, tmp_path: Path) -> None:
    first, second = hinted("p1"), hinted("p2")
    source = write_rollout("sampled", [(first, True), (second, None)])
    write_records(source.grades, [grade(first, False, Outcome.ERROR), grade(first, True)])
    funnel = curate(
        [source], [problem("p1"), problem("p2")], tmp_path / "out", CurateSettings(rule=Rule.D_START), codec=CODEC
    )
    assert funnel.num_kept == 1 and funnel.dropped == {"errored": 1}


def test_quotas(write_rollout: WriteRollout, tmp_path: Path) -> None:
    rows = [hinted(f"p{i}", extra=f"Way {i}. ") for i in range(10)]
    source = write_rollout("sampled", [(row, True) for row in rows])
    problems = [problem(f"p{i}", family="ab"[i % 2]) for i in range(10)]
    settings = CurateSettings(rule=Rule.D_START, max_rows={"math": 5}, max_per_family=2)
    funnel = curate([source], problems, tmp_path / "out", settings, codec=CODEC)
    assert funnel.num_kept == 4 and funnel.dropped == {"over_quota": 6}


def test_errors_name_what_is_wrong(write_rollout: WriteRollout, tmp_path: Path) -> None:
    source = write_rollout("sampled", [(hinted("p1"), True)])
    with pytest.raises(ConfigError, match="--greedy"):
        curate([source], [problem("p1")], tmp_path / "out", CurateSettings(), codec=CODEC)
    with pytest.raises(DataError, match="p1.*not in the problem file"):
        curate([source], [problem("p9")], tmp_path / "out", CurateSettings(rule=Rule.D_START), codec=CODEC)
    with source.trajectories.open("a") as file:
        file.write("{}\n")
    with pytest.raises(DataError, match=r"trajectories\.jsonl:2"):
        curate([source], [problem("p1")], tmp_path / "out", CurateSettings(rule=Rule.D_START), codec=CODEC)
