"""Rows in columns are the rows that were put in, in order of sample; verdicts join trajectories in any order."""

from __future__ import annotations

import random

from selftaught.evals.columns import CORRECT, Columns
from selftaught.evals.rows import CallSummary, Row
from selftaught.grading.seen import SeenIds
from selftaught.records import Outcome


def rows(count: int = 300) -> list[Row]:
    rng = random.Random(5)
    made = []
    for number in range(count):
        problem, sample = f"p{number % 7}", number // 7
        calls = CallSummary({"ok": rng.randrange(1, 3)}, {}, {"math": 1}, rng.random()) if rng.random() < 0.5 else None
        made.append(
            Row(
                trajectory_id=f"{problem}#{sample}" if number % 5 else f"odd-{number}", problem_id=problem, sample=sample,
                round=None if number % 3 else number % 4, seed=rng.randrange(2**62), outcome=rng.choice(list(Outcome)),
                answer=rng.choice([None, 5, -(2**63), 2**63 - 1]), tokens=rng.randrange(10**6), model_tokens=rng.randrange(10**6),
                thinking_tokens=rng.randrange(10**6), num_calls=rng.randrange(7), num_hints=rng.randrange(3), seconds=rng.random(),
                calls=calls,
            )
        )  # fmt: skip
    return made


def test_columns_give_back_what_was_put_in() -> None:
    made = rows()
    shuffled = random.Random(1).sample(made, len(made))
    columns = Columns(shuffled)
    assert columns.num_rows == len(made) and len(columns) == 7
    for problem in {row.problem_id for row in made}:
        wanted = sorted((row for row in made if row.problem_id == problem), key=lambda row: row.sample)
        found = columns[problem]
        usual = [row for row in wanted if row.round is None]
        assert [row for row in found if row.round is None] == usual
        assert [row.trajectory_id for row in found] == [row.trajectory_id for row in wanted]
        assert columns.share(problem) == sum(row.correct for row in wanted) / len(wanted)
    tokens = columns.column("tokens", sorted(columns))
    assert sorted(tokens) == sorted(row.tokens for row in made)
    assert (columns.column("outcome", columns) == CORRECT).sum() == sum(row.correct for row in made)
    assert "p99" not in columns and len(Columns()) == 0


def test_seen_ids() -> None:
    seen = SeenIds()
    assert all(seen.add(f"p{n}") for n in range(5000))
    assert not any(seen.add(f"p{n}") for n in range(5000))
    assert len(seen) == 5000 and seen.add("")
