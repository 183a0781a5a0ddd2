"""The policy of a probe: visits are counted, and the target's hint stands at its visit alone."""

from __future__ import annotations

import pytest

from selftaught.hints import Occasion, On, load_library
from selftaught.hints.places import places_of
from selftaught.hints.probing import MOST_VISITS, PlacePolicy, Target
from selftaught.records import Problem, ProblemKind

MATHS = Problem(id="m", problem="?", kind=ProblemKind.MATH, answer="1")
CODE = Problem(id="c", problem="?", kind=ProblemKind.CODE)


def policy(problem: Problem = MATHS, target: Target | None = None, *places: str) -> PlacePolicy:
    wanted = places or places_of(problem.kind)
    return PlacePolicy(load_library(), problem, wanted, target=target)


def occasion(on: On, tail: str, num_tokens: int = 10, calls_left: int = 3) -> Occasion:
    return Occasion(on, tail, num_tokens, 1000, calls_left=calls_left, features=lambda place: {"place": place})


WALK = [
    occasion(On.START, "", 0),
    occasion(On.WORD, "Big. Wait", 5),
    occasion(On.PARAGRAPH, "Big.\n\n", 8),
    occasion(On.REGEX, "x\nTherefore,", 12),
    occasion(On.REGEX, "no conclusion", 13),
    occasion(On.END_OF_THINKING, "done.", 20),
]


def test_visits_are_counted_in_order() -> None:
    one = policy()
    assert [one.consider(at) for at in WALK] == [None] * len(WALK)
    assert [(visit.place, visit.token) for visit in one.visits] == [
        ("start", 0), ("word", 5), ("paragraph", 8), ("conclusion", 12), ("end", 20),
    ]  # fmt: skip
    assert one.visits[1].features == {"place": "word"} and one.decisions == []


@pytest.mark.parametrize("number", range(5))
def test_the_hint_stands_at_its_visit(number: int) -> None:
    one = policy(MATHS, Target(number, "general", "probe"))
    found = [choice for at in WALK if (choice := one.consider(at)) is not None]
    assert [choice.function for choice in found] == ["general"] and "probe" in found[0].reason
    assert [visit.place for visit in one.visits] == [visit.place for visit in visited()]
    assert found[0].before_line == (one.visits[number].place == "conclusion")


def visited() -> list:  # type: ignore[type-arg]
    one = policy()
    for at in WALK:
        one.consider(at)
    return one.visits


def test_no_more_visits_than_are_counted() -> None:
    one = policy(MATHS, None, "word")
    for _ in range(20):
        one.consider(occasion(On.WORD, "so Wait"))
    assert len(one.visits) == MOST_VISITS["word"] and not one.waits_for(On.WORD)


def test_no_visit_where_a_hint_could_not_act() -> None:
    one = policy()
    one.consider(occasion(On.WORD, "so Wait", calls_left=0))
    one.consider(occasion(On.WORD, "so Wait", num_tokens=990))
    assert one.visits == []


def test_a_program_ends_before_its_last_answer() -> None:
    one = policy(CODE)
    assert one.waits_for(On.BEFORE_FINAL) and not one.waits_for(On.REGEX)
    one.consider(occasion(On.BEFORE_FINAL, "ok"))
    assert [visit.place for visit in one.visits] == ["end"]
