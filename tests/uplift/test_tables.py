"""The uplift tables, on forks that are counted by hand and in a world whose uplifts are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.uplift.worlds import benchmark, fork, probe

from selftaught.errors import DataError
from selftaught.evals.forked import Verdict
from selftaught.records import ProblemKind
from selftaught.store import write_records
from selftaught.uplift.pairs import Fate, fate_of, pairs_of
from selftaught.uplift.records import Place
from selftaught.uplift.tables import read_forks, uplift_rows, uplift_table


def test_counts_tokens_and_the_four_fates() -> None:
    forks = [
        fork("a", False, {"good": True, "bad": False}),
        fork("b", True, {"good": True, "bad": False}),
        fork("c", None, {"good": True}),
        fork("d", False, {"good": None, "bad": False}),
    ]
    assert [pair.fate for pair in pairs_of(forks)] == [Fate.GAIN, Fate.NEITHER, Fate.BOTH, Fate.LOSS, Fate.NEITHER]
    table = uplift_table(forks, "probe")
    assert (table.num_forks, table.num_problems, table.accepted) == (4, 4, 3)
    good = next(row for row in table.by_hint if row.hint == "good")
    assert (good.n, good.gain, good.loss, good.both, good.neither) == (2, 1, 0, 1, 0)
    # Two prefixes of 100, two plain branches of 50, two hinted ones of 80.
    assert good.tokens == 2 * (100 + 50 + 80)
    assert good.tokens_per_accepted == good.tokens / 2
    assert good.extra_tokens == 30
    assert good.verdict is Verdict.TOO_FEW
    assert {(row.hint, row.place, row.kind) for row in table.rows} == {("good", "end", "math"), ("bad", "end", "math")}


def test_two_forks_of_one_trajectory_pay_their_shared_prefix_once() -> None:
    early = fork("a", False, {"good": True}, place=Place.WORD, prefix=100, number=0)
    late = fork("a", False, {"good": True}, place=Place.END, prefix=120, number=1)
    late.branches[0] = late.branches[0].model_copy(update={"sampled_tokens": 30})
    table = uplift_table([early, late])
    # One plain trajectory of 150 tokens and two hinted branches of 80.
    assert table.tokens == 150 + 2 * 80 == table.total[0].tokens
    assert table.total[0].num_problems == 1
    assert table.total[0].test == "sign-flip"


def test_weights_undo_the_choice_of_places() -> None:
    often = [fork(f"a{i}", False, {"good": True}, probability=0.8) for i in range(40)]
    rarely = [fork(f"b{i}", False, {"good": False}, probability=0.2) for i in range(10)]
    row = uplift_rows(pairs_of(often + rarely), ("hint",))[0]
    assert row.gain == 40 and row.gain_rate == pytest.approx(0.5)
    assert row.effective < 50


def test_verdicts_say_what_is_known() -> None:
    by_hint = {row.hint: row for row in uplift_table(probe()).by_hint}
    assert by_hint["good"].verdict is Verdict.HELPS
    assert by_hint["bad"].verdict is Verdict.HARMS
    same = [fork(f"p{i}", i % 2 == 0, {"idle": i % 2 == 0}) for i in range(200)]
    assert uplift_table(same).by_hint[0].verdict is Verdict.NO_CHANGE
    few = uplift_table(probe(20)).by_hint
    assert all(row.verdict is Verdict.TOO_FEW and row.needed for row in few if row.diff)


def test_rows_split_by_kind_and_difficulty() -> None:
    forks = [
        fork(f"{kind.value}{level}{i}", False, {"good": True}, kind=kind, difficulty=level)
        for kind in (ProblemKind.MATH, ProblemKind.CODE)
        for level in ("easy", "hard")
        for i in range(3)
    ]
    assert len(uplift_table(forks).rows) == 2
    finer = uplift_table(forks, by=("hint", "kind", "difficulty")).rows
    assert [(row.kind, row.difficulty, row.n) for row in finer] == [
        ("math", "easy", 3), ("math", "hard", 3), ("code", "easy", 3), ("code", "hard", 3),
    ]  # fmt: skip


def test_a_folder_without_forks_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no forks\.jsonl; expected the folder that `selftaught hints probe"):
        read_forks(tmp_path)
    write_records(tmp_path / "probe" / "forks.jsonl", probe(3))
    assert len(read_forks(tmp_path)) == 3
    (tmp_path / "probe" / "forks.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(DataError, match=r"forks\.jsonl:1: .*a fork, as hints probe writes it"):
        read_forks(tmp_path)


def test_a_world_with_known_uplifts() -> None:
    """The bars of ``benchmarks/uplift_world.py``, on few runs; the figures of 1,000 runs stand in docs/adaptive.md."""
    world = benchmark()
    found = [world.judge_probe(world.draw_probe(np.random.default_rng((7, run)), 250)) for run in range(12)]
    held = [held for one in found for held in one.held.values()]
    assert 0.9 <= sum(held) / len(held) <= 0.99
    assert sum(one.named_best for one in found) >= 11
    assert sum(one.false_alarm for one in found) <= 1


def test_fates_are_named_from_both_verdicts() -> None:
    assert [fate_of(plain, hinted) for plain in (False, True) for hinted in (False, True)] == [
        Fate.NEITHER, Fate.GAIN, Fate.LOSS, Fate.BOTH,
    ]  # fmt: skip
