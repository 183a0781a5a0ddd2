"""The setting logprobs: what is recorded where, that it changes no token, and that the ledger checks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from selftaught.records import Problem, SpanSource, Trajectory
from selftaught.rollouts import PlainRun, RolloutSettings, run_rollout
from selftaught.rollouts.verify import verify_trajectory
from selftaught.rollouts.verify_folder import verify_folder
from selftaught.store import read_jsonl
from selftaught.tokens import Codec, resolve_model
from selftaught.toy.problems import generate

COMMON = {"max_tokens": 300, "dtype": "float32", "hints": "auto", "temperature": 0.7, "workers": 1, "preload": ()}
Found = dict[str, dict[str, Trajectory]]


@pytest.fixture(scope="module")
def few() -> list[Problem]:
    return generate("dev", counts={"easy": 2, "hard": 1}, seed=4)


@pytest.fixture(scope="module")
def found(few: list[Problem], tmp_path_factory: pytest.TempPathFactory) -> Found:
    result: Found = {}
    for logprobs in ("none", "triggers", "tokens"):
        out = tmp_path_factory.mktemp(logprobs)
        run_rollout(few, "toy", out, RolloutSettings(**COMMON, logprobs=logprobs))
        assert verify_folder(out)
        result[logprobs] = {one.id: one for one in read_jsonl(out / "trajectories.jsonl", Trajectory)}
    return result


def test_no_token_changes(found: Found) -> None:
    for name, plain in found["none"].items():
        assert all(found[other][name].token_ids() == plain.token_ids() for other in ("triggers", "tokens"))


def test_what_is_recorded(found: Found) -> None:
    for logprobs, by_id in found.items():
        spans = [span for one in by_id.values() for span in one.spans]
        has_scores = {span.source for span in spans if span.scores is not None}
        assert has_scores == ({SpanSource.MODEL} if logprobs == "tokens" else set())
        decisions = [decision for one in by_id.values() for decision in one.decisions or ()]
        assert decisions
        for decision in decisions:
            if logprobs == "none":
                assert decision.features is None
            else:
                assert decision.features is not None and decision.features["entropy"] >= 0  # type: ignore[operator]
                assert ("mean_entropy" in decision.features) == (logprobs == "tokens")
    assert all(
        span.scores is not None and len(span.scores.logprobs) == len(span.token_ids)
        for one in found["tokens"].values()
        for span in one.spans
        if span.source is SpanSource.MODEL
    )


def test_lines_without_scores_are_as_before(found: Found) -> None:
    line = next(iter(found["none"].values())).to_json()
    assert '"scores"' not in line and '"features"' not in line and '"logprobs"' not in line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda scores: scores.logprobs.pop(), "logprobs for"),
        (lambda scores: scores.logprobs.__setitem__(0, 0.5), "logprobs holds 0.5"),
        (lambda scores: scores.margins.__setitem__(0, 1.5), "margins holds 1.5"),
        (lambda scores: scores.entropies.__setitem__(0, -0.5), "entropies holds -0.5"),
    ],
)
def test_the_ledger_checks_scores(found: Found, change: object, message: str) -> None:
    one = next(iter(found["tokens"].values())).model_copy(deep=True)
    span = next(span for span in one.spans if span.source is SpanSource.MODEL)
    change(span.scores)  # type: ignore[operator]
    mismatch = verify_trajectory(one, Codec(Path(resolve_model("toy"))))
    assert mismatch is not None and message in mismatch.problem


def test_only_sampled_tokens_have_scores(found: Found) -> None:
    one = next(iter(found["tokens"].values())).model_copy(deep=True)
    scored = next(span for span in one.spans if span.scores is not None)
    one.spans[0].scores = scored.scores
    mismatch = verify_trajectory(one, Codec(Path(resolve_model("toy"))))
    assert mismatch is not None and "only sampled tokens have" in mismatch.problem


def test_a_branch_takes_the_scores_of_its_prefix_over(few: list[Problem], tmp_path: Path) -> None:
    hinted = RolloutSettings(**COMMON, logprobs="tokens")
    plain = hinted.changed(hints="none")
    run_rollout(few, "toy", tmp_path / "hinted", hinted, plain=PlainRun(tmp_path / "plain", plain))
    assert verify_folder(tmp_path / "plain")
    for one in read_jsonl(tmp_path / "plain" / "trajectories.jsonl", Trajectory):
        assert one.shared_tokens and all(
            span.scores is not None for span in one.spans if span.source is SpanSource.MODEL
        )
