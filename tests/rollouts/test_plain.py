"""The run without hints beside the hinted one: both folders hold what two runs of their own would have written."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.errors import ConfigError
from selftaught.records import Problem, SpanSource, Trajectory
from selftaught.rollouts import PlainRun, RolloutSettings, run_rollout
from selftaught.rollouts.plain import check_plain, plain_run
from selftaught.rollouts.verify_folder import verify_folder
from selftaught.store import read_jsonl
from selftaught.toy.problems import generate

MODEL = "toy"
COMMON = {"max_tokens": 500, "max_rows": 12, "workers": 1, "tool_timeout_s": 5.0, "preload": (), "dtype": "float32"}
RUNS = {
    "a word, greedy, the other without tools": ({"hints": "auto"}, {"tools": False}),
    "a line taken back": ({"hints": "before_conclusion"}, {"tools": False}),
    "sampled": ({"hints": "early", "temperature": 0.8, "top_p": 0.95}, {"temperature": 0.8, "top_p": 0.95}),
    "a budget of its own": ({"hints": "end", "rounds": 2}, {"tools": False, "max_tokens": 60}),
}


@pytest.fixture(scope="session")
def few() -> list[Problem]:
    return generate("dev", counts={"easy": 3, "hard": 2, "code": 2}, seed=5)


def by_id(folder: Path) -> dict[str, Trajectory]:
    return {one.id: one for one in read_jsonl(folder / "trajectories.jsonl", Trajectory)}


HINT_BEFORE_ANY_TOKEN = """
policies:
  eager:
    purpose: a hint where the engine has not been given all tokens yet, before the first one and after a call that failed
    rules:
      - {name: start, when: start, hints: [self_reflection], probability: 0.5, lead: {en: "Wait, ", zh: "等等，"}}
      - {name: failed, when: tool_error, hints: [repair]}
      - {name: end, when: end_of_thinking, hints: [general], lead: {en: "Wait, ", zh: "等等，"}}
"""


@pytest.mark.parametrize("plain", [{"tools": False}, {}])
def test_a_hint_before_the_first_token_leaves_the_plain_run_whole(
    plain: dict[str, bool], few: list[Problem], tmp_path: Path
) -> None:
    (tmp_path / "eager.yaml").write_text(HINT_BEFORE_ANY_TOKEN)
    hinted = RolloutSettings(**COMMON, hints=f"{tmp_path}/eager.yaml")
    alone = RolloutSettings(**COMMON, **plain)
    run_rollout(few, MODEL, tmp_path / "hinted", hinted)
    run_rollout(few, MODEL, tmp_path / "plain", alone)
    run_rollout(few, MODEL, tmp_path / "forked", hinted, plain=PlainRun(tmp_path / "beside", alone))
    first = [one.spans[1].hint is not None for one in by_id(tmp_path / "forked").values()]
    assert any(first) and not all(first)
    for apart, forked in (("hinted", "forked"), ("plain", "beside")):
        mine, other = by_id(tmp_path / apart), by_id(tmp_path / forked)
        assert mine.keys() == other.keys() and all(same(mine[one], other[one]) for one in mine)


def same(one: Trajectory, other: Trajectory) -> bool:
    """Everything but the times and the note on what was shared."""
    apart = {"created_at": "", "wall_s": 0.0, "shared_tokens": None}

    def settled(trajectory: Trajectory) -> Trajectory:
        spans = [
            span.model_copy(update={"tool": span.tool and span.tool.model_copy(update={"wall_s": 0, "cached": False})})
            for span in trajectory.spans
        ]
        return trajectory.model_copy(update={**apart, "spans": spans})

    return settled(one) == settled(other)


@pytest.mark.parametrize("name", RUNS)
def test_both_are_what_two_runs_give(name: str, few: list[Problem], tmp_path: Path) -> None:
    hinted, plain = (RolloutSettings(**{**COMMON, **changes}) for changes in RUNS[name])
    sampled = sum(
        run_rollout(few, MODEL, tmp_path / folder, settings).model_tokens
        for folder, settings in (("hinted", hinted), ("plain", plain))
    )
    beside = PlainRun(tmp_path / "beside", plain)
    summary = run_rollout(few, MODEL, tmp_path / "forked", hinted, plain=beside)
    for apart, forked in (("hinted", "forked"), ("plain", "beside")):
        mine, other = by_id(tmp_path / apart), by_id(tmp_path / forked)
        assert mine.keys() == other.keys() and len(mine) == len(few)
        assert all(same(mine[one], other[one]) for one in mine)
        assert verify_folder(tmp_path / forked)
    assert summary.model_tokens + summary.shared_tokens == sampled
    assert 0 < summary.shared_tokens < sampled and summary.num_beside == len(few)
    shared = [one.shared_tokens for one in by_id(tmp_path / "beside").values()]
    assert sum(one or 0 for one in shared) == summary.shared_tokens and None not in shared
    assert all(one.shared_tokens is None for one in by_id(tmp_path / "forked").values())


def test_it_resumes_without_loss(few: list[Problem], tmp_path: Path) -> None:
    hinted, plain = (RolloutSettings(**{**COMMON, **changes}) for changes in RUNS["a line taken back"])
    beside = PlainRun(tmp_path / "beside", plain)
    run_rollout(few, MODEL, tmp_path / "run", hinted, plain=beside)
    whole = by_id(tmp_path / "run"), by_id(tmp_path / "beside")
    for folder, cut in (("run", 2), ("beside", 4)):  # a kill leaves the two files at different places
        file = tmp_path / folder / "trajectories.jsonl"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:cut]) + lines[cut][:40])
    run_rollout(few, MODEL, tmp_path / "run", hinted.changed(workers=0), plain=beside)
    for folder, before in zip(("run", "beside"), whole, strict=True):
        after = list(read_jsonl(tmp_path / folder / "trajectories.jsonl", Trajectory))
        assert sorted(one.id for one in after) == sorted(before)
        assert all(same(one, before[one.id]) for one in after)
    again = run_rollout(few, MODEL, tmp_path / "run", hinted, plain=beside)
    assert again.num_new == again.num_beside == 0


def test_a_hinted_run_that_fails_leaves_the_plain_one_whole(few: list[Problem], tmp_path: Path) -> None:
    """Hints past the budget: the hinted run stops without one, the plain one goes on by itself."""
    hinted = RolloutSettings(**COMMON, hints="end", rounds=1).changed(max_tokens=12)
    plain = RolloutSettings(**COMMON, tools=False)
    run_rollout(few, MODEL, tmp_path / "apart", plain)
    run_rollout(few, MODEL, tmp_path / "forked", hinted, plain=PlainRun(tmp_path / "beside", plain))
    mine, other = by_id(tmp_path / "apart"), by_id(tmp_path / "beside")
    assert all(same(mine[one], other[one]) for one in mine)
    assert max(one.num_tokens(SpanSource.MODEL) for one in mine.values()) > 12


@pytest.mark.parametrize(
    ("hinted", "plain", "message"),
    [
        ({"hints": "auto"}, {"hints": "end"}, "has hints 'end'"),
        ({"hints": "auto"}, {"seed": 1}, "seed is 0 with hints and 1 without"),
        ({"hints": "auto", "temperature": 0.5}, {"temperature": 0.5, "tools": False}, "temperature is 0.5"),
        ({"hints": "auto"}, {"max_tool_calls": 2}, "other tool settings"),
        ({"hints": "end", "rounds": 1, "record_rounds": True}, {}, "record_rounds"),
        ({"hints": "auto"}, {"dtype": "bfloat16"}, "another engine"),
    ],
)
def test_runs_that_share_no_tokens_are_refused(
    hinted: dict[str, object], plain: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        check_plain(RolloutSettings(**hinted), RolloutSettings(**plain))


def test_what_the_option_makes(tmp_path: Path) -> None:
    settings = RolloutSettings(hints="auto", rounds=1, condition="rollout+auto")
    beside = plain_run(tmp_path, settings, no_tools=True)
    assert beside.settings == RolloutSettings(tools=False, condition="rollout") and beside.out == tmp_path
    for given, message in (
        ({"out": None, "no_tools": True}, "without plain"),
        ({"out": tmp_path, "ray": 2}, "do not go together"),
    ):
        with pytest.raises(ConfigError, match=message):
            plain_run(settings=settings, **given)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="hints is none"):
        plain_run(tmp_path, RolloutSettings())
