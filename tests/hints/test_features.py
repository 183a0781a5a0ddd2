"""Features of a place: what they count, and that they come out again from a recorded trajectory."""

from __future__ import annotations

import pytest

from selftaught.hints.features import Scored, Situation, trigger_features
from selftaught.records import Problem, ProblemKind

PROBLEM = Problem(id="p", problem="What is 6 times 7?", kind=ProblemKind.MATH, answer="42")


def features(text: str, **changes: object) -> dict[str, object]:
    return dict(trigger_features(PROBLEM, Situation("word", text, 10, 100, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("It is big. Wait", "turns", 0.0),  # the word that the place stands after
        ("Wait, no. Hmm, it is 12. Wait,", "turns", 2.0),
        ("等等，再算一次。或者", "turns", 1.0),
        ("Awaiting. Butter.", "turns", 0.0),
        ("Wait, and then", "since_turn", 10.0),
        ("abcde", "since_turn", 5.0),
        ("a\n\nb\n\n", "paragraphs", 2.0),
        ("ab12", "digits", 0.5),
        ("7 and 1,234.5 and 12", "longest_number", 5.0),
        ("3 + 4 \\times 5 = 23", "operators", 3.0),
        ("so \\boxed{42}", "answer_seen", True),
        ("The answer is 42. Wait", "answer_seen", True),
        ("The answer is near", "answer_seen", False),
        ("The answer is 42. So the answer is 42.", "answer_repeated", True),
        ("The answer is 41. So \\boxed{42}", "answer_repeated", False),
        ("答案是42", "answer_seen", True),
        ("", "digits", 0.0),
        ("x", "budget_used", 0.1),
        ("x", "kind", "math"),
    ],
)
def test_what_each_counts(text: str, name: str, value: object) -> None:
    assert features(text)[name] == value


def test_calls_and_scores() -> None:
    assert features("x")["last_call"] == "none"
    asked = features("x", num_calls=2, calls_left=4, last_call_ok=False)
    assert (asked["calls"], asked["calls_left"], asked["last_call"]) == (2.0, 4.0, "error")
    assert not {"entropy", "margin", "logprob", "mean_entropy"} & features("x").keys()
    scored = features("x", scored=Scored(-0.5, 1.25, 0.25))
    assert (scored["logprob"], scored["entropy"], scored["margin"]) == (-0.5, 1.25, 0.25)
    assert "mean_entropy" not in scored
    assert features("x", scored=Scored(-0.5, 1.25, 0.25, 0.75))["mean_entropy"] == 0.75
