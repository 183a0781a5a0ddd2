from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from selftaught.hints import HintLibrary, HintPolicy, Occasion, On, load_library
from selftaught.records import HintPosition, Problem, ProblemKind


def problem(name: str = "p", kind: ProblemKind = ProblemKind.MATH) -> Problem:
    return Problem(id=name, problem="…", kind=kind)


def at(on: On, tail: str = "Hm. Wait", **changes: object) -> Occasion:
    return Occasion(**{"on": on, "tail": tail, "num_tokens": 500, "max_tokens": 1000, **changes})  # type: ignore[arg-type]


def one_rule(tmp_path: Path, rule: str) -> HintLibrary:
    file = tmp_path / "one.yaml"
    file.write_text(f"policies:\n  one:\n    rules:\n      - {{name: r, {rule}}}\n")
    return load_library(file)


@pytest.mark.parametrize(
    ("tail", "start"),
    [("x. Wait", ", "), ("Wait,", " "), ("Alternatively, ", ""), ("算错了。等等", "，"), ("(Wait", ", ")],
)
def test_words_and_their_joints(tail: str, start: str) -> None:
    library = load_library()
    for sample in range(50):
        choice = HintPolicy(library, "math", problem(), sample=sample).consider(at(On.WORD, tail))
        if choice is not None:
            break
    assert choice is not None and choice.position is HintPosition.AFTER_WORD
    assert choice.text.startswith(start) and choice.text[len(start)].isalpha()
    assert choice.text.endswith("\n```python\n")


@pytest.mark.parametrize("tail", ["Waiting", "await", "wait", "Wait!", "unWait", "Wait and"])
def test_what_is_no_trigger_word(tail: str) -> None:
    policy = HintPolicy(load_library(), "math", problem())
    assert policy.word_at_end(tail) is None
    assert policy.consider(at(On.WORD, tail)) is None and policy.decisions == []


def test_draws_depend_on_seed_problem_and_sample_alone() -> None:
    library = load_library()

    def taken(seed: int, name: str, sample: int) -> list[str]:
        policy = HintPolicy(library, "math", problem(name), seed=seed, sample=sample)
        found = [policy.consider(at(On.WORD)) for _ in range(6)]
        return [choice.id if choice else "" for choice in found]

    base = taken(0, "a", 0)
    assert base == taken(0, "a", 0)
    others = [taken(seed, name, sample) for seed in range(3) for name in "ab" for sample in range(5)]
    assert len({tuple(one) for one in others}) > 15
    first = [bool(taken(0, str(number), 0)[0]) for number in range(1000)]
    assert 430 < sum(first) < 570


def test_choices_follow_weights_and_schedules(tmp_path: Path) -> None:
    library = one_rule(
        tmp_path, "when: paragraph, hints: [general, trust], choose: weighted, weights: {general: 3, trust: 1}"
    )
    counts: Counter[str] = Counter()
    for number in range(800):
        choice = HintPolicy(library, "one", problem(str(number))).consider(at(On.PARAGRAPH))
        assert choice is not None
        counts[choice.function] += 1
    assert 530 < counts["general"] < 670
    policy = HintPolicy(load_library(), "end", problem(), rounds=5)
    schedule = [policy.consider(at(On.END_OF_THINKING, "So.\n")) for _ in range(6)]
    assert [choice.function if choice else None for choice in schedule] == [
        "self_reflection", "check_again", "think_deeper", "think_deeper", "think_deeper", None,
    ]  # fmt: skip
    assert [choice.round for choice in schedule if choice] == [1, 2, 3, 4, 5]
    assert policy.decisions[-1].reason == "cap of 5 reached" and not policy.waits_for(On.END_OF_THINKING)


@pytest.mark.parametrize(
    ("rule", "changes", "reason"),
    [
        ("when: paragraph, hints: [general], not_before_tokens: 600", {}, "not before 600"),
        ("when: paragraph, hints: [general], unless: [called]", {"num_calls": 1}, "unless called"),
        (
            "when: paragraph, hints: [general], unless: [verified]",
            {"num_calls": 1, "last_call_ok": True},
            "unless verified",
        ),
        (
            "when: paragraph, hints: [general], unless: [passed]",
            {"num_calls": 1, "last_call_ok": True, "last_output": "True\nTrue\n"},
            "unless passed",
        ),
        (
            "when: paragraph, hints: [general], only_if: [passed]",
            {"num_calls": 1, "last_call_ok": True, "last_output": "True\nFalse\n"},
            "not passed",
        ),
        ("when: paragraph, hints: [general], only_if: [failed]", {"num_calls": 1, "last_call_ok": True}, "not failed"),
        ("when: paragraph, hints: [general], only_if: [unsure]", {"tail": "It is surely 4."}, "not unsure"),
        ("when: paragraph, hints: [general], probability: 0.000001", {}, "drew"),
        ("when: paragraph, hints: [general]", {"calls_left": 0}, "no calls left"),
    ],
)
def test_gates_give_their_reason(tmp_path: Path, rule: str, changes: dict[str, object], reason: str) -> None:
    policy = HintPolicy(one_rule(tmp_path, rule), "one", problem())
    assert policy.consider(at(On.PARAGRAPH, **{"tail": "text\n\n", **changes})) is None
    (decision,) = policy.decisions
    assert not decision.taken and reason in decision.reason and decision.at_token == 500


def test_cooldown_counts_from_the_last_hint(tmp_path: Path) -> None:
    policy = HintPolicy(
        one_rule(tmp_path, "when: paragraph, hints: [general], cap: 9, cooldown_tokens: 100"), "one", problem()
    )
    taken = [
        policy.consider(at(On.PARAGRAPH, num_tokens=tokens)) is not None for tokens in (10, 50, 109, 110, 200, 210)
    ]
    assert taken == [True, False, False, True, False, True]


def test_unsure_thinking_opens_the_gate() -> None:
    for sample in range(20):
        policy = HintPolicy(load_library(), "careful", problem(), sample=sample)
        assert policy.consider(at(On.WORD, "It is 4. Wait")) is None
        if policy.consider(at(On.WORD, "I am not sure about it. Wait")) is not None:
            return
    raise AssertionError("never taken")


def test_a_fork_remembers_by_itself() -> None:
    policy = HintPolicy(load_library(), "end", problem(), rounds=3)
    policy.consider(at(On.END_OF_THINKING))
    twin = policy.fork()
    assert twin.consider(at(On.END_OF_THINKING)) == policy.consider(at(On.END_OF_THINKING))
    twin.consider(at(On.END_OF_THINKING))
    assert len(policy.decisions) == 2 and len(twin.decisions) == 3


def test_endless_waiting_is_not_written_down_endlessly() -> None:
    policy = HintPolicy(load_library(), "math", problem())
    for _ in range(1000):
        policy.consider(at(On.WORD))
    assert len(policy.decisions) == 64
