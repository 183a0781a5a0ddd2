"""Each filter drops what it is for and lets a good trajectory pass."""

from __future__ import annotations

import pytest

from selftaught.curation.filters import FILTERS
from selftaught.curation.records import DropReason, FilterSettings
from selftaught.curation.score import Candidate
from selftaught.records import ExecStatus, Outcome, ProblemKind, StopReason, Trajectory

from .samples import grade, hint, hinted, plain, span, tool


def first_objection(
    trajectory: Trajectory, settings: FilterSettings | None = None, **fields: object
) -> DropReason | None:
    verdict = fields.pop("grade", grade(trajectory, True))
    candidate = Candidate(trajectory, verdict, ProblemKind.MATH, "x", **fields)  # type: ignore[arg-type]
    for check in FILTERS:
        if check.check(candidate, settings or FilterSettings()) is not None:
            return check.reason
    return None


def with_model(trajectory: Trajectory, index: int, text: str) -> Trajectory:
    spans = list(trajectory.spans)
    spans[index] = span("model", text)
    return trajectory.model_copy(update={"spans": spans})


def test_a_good_one_passes() -> None:
    assert first_objection(hinted()) is None
    assert first_objection(plain()) is None


def test_every_filter_has_its_case() -> None:
    good = hinted()
    truncated = good.model_copy(update={"stop_reason": StopReason.MAX_TOKENS})
    failed = good.model_copy(
        update={"spans": [*good.spans[:4], tool("NameError", status=ExecStatus.ERROR), *good.spans[5:]]}
    )
    silent = good.model_copy(update={"spans": [*good.spans[:4], tool("", code="x = 6 * 7"), *good.spans[5:]]})
    only_comment = good.model_copy(update={"spans": [*good.spans[:4], tool("", code="# nothing"), *good.spans[5:]]})
    template = "\n```python\ndef solve(a):\n    ...\nprint(solve(1))\n```\nSample: solve(1) == 2\n```python\n"
    copied = tool("2", code="def solve(a):\n    ...\nprint(solve(1))\n")
    copy = good.model_copy(update={"spans": [*good.spans[:2], hint(template), good.spans[3], copied, good.spans[5]]})
    cases = {
        DropReason.ERRORED: first_objection(good, grade=None),
        DropReason.TEXT_ONLY: first_objection(good.model_copy(update={"text_only": True})),
        DropReason.TRUNCATED: first_objection(truncated, grade=grade(truncated, False, Outcome.TRUNCATED)),
        DropReason.WRONG: first_objection(good, grade=grade(good, False)),
        DropReason.CONTAMINATED: first_objection(good, contaminated=True),
        DropReason.TOO_LONG: first_objection(good, FilterSettings(max_tokens=20)),
        DropReason.FAILED_EXECUTION: first_objection(failed),
        DropReason.FAKE_OUTPUT: first_objection(with_model(good, 1, "I run it. ```output\n42\n```\n")),
        DropReason.VOID_TURN: first_objection(silent),
        DropReason.TEMPLATE_COPY: first_objection(copy),
        DropReason.ANSWER_BEFORE_CALL: first_objection(with_model(good, 1, "So the answer is 42. Wait")),
        DropReason.REPETITIVE: first_objection(with_model(good, 1, "Let me compute this again. " * 12)),
    }
    assert {reason: found for reason, found in cases.items() if reason is not found} == {}
    assert set(cases) == {check.reason for check in FILTERS}
    assert first_objection(only_comment) is DropReason.VOID_TURN


@pytest.mark.parametrize(
    ("policy", "statuses", "kept"),
    [
        ("last", "eo", True), ("last", "oe", False), ("any", "eo", False), ("all", "oe", True), ("all", "ee", False),
        ("off", "ee", True),
    ],
)  # fmt: skip
def test_failed_execution_policies(policy: str, statuses: str, kept: bool) -> None:
    trajectory = hinted()
    outputs = [tool("1", status=ExecStatus.OK if s == "o" else ExecStatus.ERROR) for s in statuses]
    trajectory = trajectory.model_copy(update={"spans": [*trajectory.spans[:4], *outputs, trajectory.spans[-1]]})
    settings = FilterSettings.model_validate({"failed_execution": policy})
    assert (first_objection(trajectory, settings) is None) == kept


def test_stating_another_number_first_is_fine() -> None:
    trajectory = with_model(hinted(), 1, "The answer is 420, or 42.5, I think. Wait")
    assert first_objection(trajectory) is None


def test_an_answer_before_the_call_may_be_let_pass_where_the_whole_turn_is_thinking() -> None:
    tagged = with_model(hinted(), 1, "So the answer is 42. Wait")
    spans = [one.model_copy(update={"text": one.text.replace("</think>", "")}) for one in tagged.spans]
    whole_turn = tagged.model_copy(update={"spans": spans})
    only_tags = FilterSettings(answer_before_call="tags")
    assert first_objection(whole_turn) is DropReason.ANSWER_BEFORE_CALL
    assert first_objection(whole_turn, only_tags) is not DropReason.ANSWER_BEFORE_CALL
    assert first_objection(tagged, only_tags) is DropReason.ANSWER_BEFORE_CALL
    assert first_objection(tagged, FilterSettings(answer_before_call=False)) is None
