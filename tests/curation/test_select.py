"""Selection on compact keys: shares of text-only rows, for all rows or by kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from selftaught.curation.records import CurateSettings, DropReason, Rule
from selftaught.curation.select import Survivor, select
from selftaught.records import ProblemKind


def survivor(problem: str, kind: ProblemKind, num_calls: int) -> Survivor:
    return Survivor(
        trajectory_id=f"{problem}#{num_calls}",
        problem_id=problem,
        source="sampled",
        offset=0,
        kind=kind,
        family=None,
        num_calls=num_calls,
        num_errors=0,
        num_tokens=100,
        text_hash=num_calls,
        greedy_right=not num_calls,
    )


def rows() -> list[Survivor]:
    """Of each kind 40 problems right with a call, half of them right without one, too; and 20 only without."""
    found = []
    for kind in (ProblemKind.MATH, ProblemKind.CODE):
        found += [survivor(f"{kind.value}{i}", kind, 1) for i in range(40)]
        found += [survivor(f"{kind.value}{i}", kind, 0) for i in range(20, 60)]
    return found


def chosen(share: object) -> tuple[Counter[tuple[str, bool]], Counter[DropReason]]:
    dropped: list[tuple[Survivor, DropReason]] = []
    wanted = CurateSettings(rule=Rule.D_START, tool_share=share)  # type: ignore[arg-type]
    kept = select(rows(), wanted, lambda row, step, reason, detail: dropped.append((row, reason)))
    assert len(kept) + len(dropped) == len(rows())
    assert len({row.problem_id for row, _ in kept}) == len(kept)
    return Counter((row.kind.value, row.num_calls > 0) for row, _ in kept), Counter(reason for _, reason in dropped)


def test_one_share_holds_for_all_rows_together() -> None:
    kept, _ = chosen(0.8)
    assert sum(kept.values()) == 100 and kept["math", False] + kept["code", False] == 20


def test_shares_by_kind_hold_for_each_kind_and_are_one_for_the_others() -> None:
    kept, reasons = chosen({"math": 0.5})
    assert kept == {("math", True): 30, ("math", False): 30, ("code", True): 40}
    assert reasons == {DropReason.NO_TOOL_CALL: 40, DropReason.NOT_BEST: 10, DropReason.OVER_QUOTA: 10}
    kept, _ = chosen({"math": 0.5, "code": 0.9})
    assert kept["code", False] / (kept["code", False] + kept["code", True]) == pytest.approx(0.1, abs=0.03)
    assert kept["math", False] == 30


@pytest.mark.parametrize("share", [0, 1.5, {"maths": 0.5}, {"math": 0}])
def test_a_share_that_is_none_is_refused(share: object) -> None:
    with pytest.raises(ValidationError, match="expected a share above 0 and at most 1"):
        CurateSettings(tool_share=share)  # type: ignore[arg-type]


def test_one_id_in_two_sources_is_chosen_whatever_the_order_of_the_files() -> None:
    """The greedy run and a sample may share an id and everything else that counts, but not the text."""
    greedy, sample = (
        replace(survivor("p", ProblemKind.MATH, 1), source=source, text_hash=number)
        for number, source in enumerate(("a", "b"))
    )
    wanted = CurateSettings(rule=Rule.D_START)
    for order in ([greedy, sample], [sample, greedy]):
        kept = select(order, wanted, lambda *dropped: None)
        assert [row.source for row, _ in kept] == ["a"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.05, 1), st.randoms(use_true_random=False))
def test_d_seed_holds_its_share_of_rows_that_the_greedy_run_gets_wrong(
    num_wrong: int, num_right: int, share: float, random: Random
) -> None:
    """All of these stay, with as many others as fit; the order of the rows changes nothing."""
    found = [replace(survivor(f"w{i}", ProblemKind.MATH, 1), greedy_right=False) for i in range(num_wrong)]
    found += [replace(survivor(f"r{i}", ProblemKind.MATH, 1), greedy_right=True) for i in range(num_right)]
    dropped: list[tuple[str, DropReason]] = []
    chosen = CurateSettings(greedy_wrong_share=share)
    if share == 1:  # then the first pass refuses the others
        found = found[:num_wrong]
    kept = select(found, chosen, lambda row, step, reason, detail: dropped.append((row.problem_id, reason)))
    wrong = [row for row, _ in kept if not row.greedy_right]
    right = len(kept) - len(wrong)
    assert len(wrong) == num_wrong and len(kept) + len(dropped) == len(found)
    assert num_wrong >= share * len(kept) - 1e-6
    if right < num_right and share < 1:
        assert num_wrong < share * (len(kept) + 1) + 1e-6
    assert all(reason is DropReason.GREEDY_RIGHT for _, reason in dropped)
    random.shuffle(found)
    assert select(found, chosen, lambda *dropped: None) == kept
