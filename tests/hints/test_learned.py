"""The file of a learned policy: what is refused, and which hint it chooses, in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from selftaught.errors import ConfigError
from selftaught.hints import HintPolicy, Occasion, On, load_library, split_name
from selftaught.hints.learned import FORMAT, LearnedHints, choose, read_learned
from selftaught.hints.places import level_of
from selftaught.records import Problem, ProblemKind

MATH = ProblemKind.MATH


def arm(gain: float, loss: float, **changes: Any) -> dict[str, Any]:
    """100 pairs."""
    fates = {"gain": gain, "loss": loss, "both": 40.0, "neither": 60.0 - gain - loss}
    return {"pairs": 100.0, **fates, "extra_tokens": 100.0, "risk": 0.01, "barred": False, **changes}


def content(**changes: Any) -> dict[str, Any]:
    """A policy of design A with two hints at the end of the thinking, and one after a word."""
    cells = [
        {"kind": "math", "place": "end", "arms": {"general": arm(20, 1), "check_logic": arm(10, 0.5)}},
        {"kind": "math", "place": "word", "wait": 0.15, "arms": {"general": arm(12, 0.5)}},
    ]
    words = {"purpose": "a test", "en": ["let me use Python."]}
    return {
        "format": FORMAT,
        "schema_version": 1,
        "design": "cells",
        "learned_from": {"digest": "0" * 16, "num_forks": 9, "num_pairs": 9, "num_problems": 9, "models": ["toy"]},
        "cells": cells,
        "functions": {"general": words, "check_logic": words},
        **changes,
    }


def policy(**changes: Any) -> LearnedHints:
    return LearnedHints.model_validate(content(**changes))


def regression(**changes: Any) -> LearnedHints:
    """Design B: a gain is likely where the entropy is high."""
    columns = [
        {"name": "entropy", "mean": 1.0, "scale": 0.5, "gain": 2.0, "loss": -1.0},
        {"name": "function", "level": "general", "mean": 0.5, "scale": 0.5, "gain": 0.5, "loss": 0.0},
    ]
    model = {"gain_bias": -2.0, "loss_bias": -5.0, "columns": columns, **changes}
    return policy(design="features", features=model)


def test_the_best_mean_is_chosen_and_told() -> None:
    found = choose(policy(), MATH, "end")
    assert found.function == "general"
    assert found.reason == "math at end: general gains 20.0%, loses 1.0%, from 100 pairs, worth +0.170, best of 2"


def test_a_hint_waits_for_a_later_place_that_is_worth_more() -> None:
    found = choose(policy(), MATH, "word")
    assert found.function is None
    assert "worth +0.100; waiting for a later place is worth 0.150" in found.reason


def test_barred_hints_and_unknown_places_get_none() -> None:
    cells = content()["cells"]
    for one in cells[0]["arms"].values():
        one["barred"] = True
    assert "every hint is barred" in choose(policy(cells=cells), MATH, "end").reason
    assert choose(policy(), ProblemKind.CODE, "end").reason == "nothing is known of code at end"
    assert policy().places(MATH) == ["word", "end"] and policy().places(ProblemKind.CODE) == []


def test_a_difficulty_has_its_own_cell_where_it_is_known() -> None:
    cells = [
        *content()["cells"],
        {"kind": "math", "place": "end", "difficulty": "hard", "arms": {"check_logic": arm(30, 0)}},
    ]
    cells[-1]["arms"]["check_logic"]["loss"] = 0.5
    found = policy(cells=cells)
    assert choose(found, MATH, "end", "hard").function == "check_logic"
    assert choose(found, MATH, "end", "easy").function == "general"


def test_the_regression_tells_places_apart_and_says_by_what() -> None:
    found = regression()
    high, low = (choose(found, MATH, "end", features={"entropy": value}) for value in (2.0, 0.2))
    assert high.function == "general" and "by entropy 2 (+4.00), function general (+0.50)" in high.reason
    assert low.function is None and "needed more than 0.000" in low.reason
    # A feature that is missing, as with an engine without log-probabilities, counts as its mean.
    assert choose(found, MATH, "end").utility == choose(found, MATH, "end", features={"entropy": 1.0}).utility
    assert choose(regression(threshold=0.99), MATH, "end", features={"entropy": 2.0}).function is None


def test_same_features_same_choice_and_thompson_draws_by_the_occasion_alone() -> None:
    drawing = policy(choose="thompson")
    first = [choose(drawing, MATH, "end", key=f"0\x00p{i}\x000") for i in range(200)]
    assert first == [choose(drawing, MATH, "end", key=f"0\x00p{i}\x000") for i in range(200)]
    counts = {name: sum(one.function == name for one in first) for name in ("general", "check_logic")}
    assert counts["general"] > counts["check_logic"] > 0
    assert "drew" in first[0].reason
    features = {"entropy": 1.234, "digits": 3}
    assert choose(regression(), MATH, "end", features=features) == choose(regression(), MATH, "end", features=features)


def test_the_file_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "policy.json"
    path.write_text(regression().model_dump_json())
    assert read_learned(path) == regression()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "has no format 'selftaught-learned-hints'"),
        ('{"format": "other"}', "has no format 'selftaught-learned-hints'"),
        (json.dumps(content(schema_version=9)), "schema_version is 9; this selftaught reads up to 1. Upgrade it."),
        (json.dumps(content(design="c")), "design is 'c'; expected one of paper, cells, features."),
        (json.dumps(content(desing="a")), "desing: no such key. Did you mean design?"),
        (json.dumps(content(design="features")), "design is 'features' but features is empty"),
        (json.dumps(content(functions={})), "functions lacks the words of 'check_logic'"),
        (json.dumps(content(utility={"loss_weight": float("nan")})), "utility.loss_weight is"),
        (json.dumps({**content(), "cells": 3}), "cells is 3; expected a list."),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.json"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_learned(path)
    assert message in str(caught.value) and "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_learned(tmp_path / "no.json")
    (tmp_path / "x.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        read_learned(tmp_path / "x.json")


# ------------------------------------------------------------------------------------------------------------ at work


def written(tmp_path: Path, learned: LearnedHints) -> Path:
    path = tmp_path / "policy.json"
    path.write_text(learned.model_dump_json())
    return path


def problem(kind: ProblemKind = MATH, **metadata: Any) -> Problem:
    return Problem(id="p", problem="What is 2 + 3?", kind=kind, metadata=metadata)


def at(on: On, tail: str = "So it is 5.\n", tokens: int = 50, **changes: Any) -> Occasion:
    return Occasion(on=on, tail=tail, num_tokens=tokens, max_tokens=1000, **changes)


def test_hints_takes_the_file_like_any_policy(tmp_path: Path) -> None:
    path = written(tmp_path, policy())
    assert split_name(str(path)) == (path, "learned")
    library = load_library(path)
    found = HintPolicy(library, "learned", problem())
    assert [rule.name for rule in found.rules] == ["word", "end"]
    assert found.consider(at(On.WORD, "Wait")) is None
    choice = found.consider(at(On.END_OF_THINKING))
    assert choice is not None and choice.function == "general" and choice.text.endswith("```python\n")
    assert "Wait, let me use Python." in choice.text
    reasons = [one.reason for one in found.decisions]
    assert "waiting for a later place is worth" in reasons[0]
    assert reasons[1].startswith("end: end_of_thinking, occasion 1, math at end: general gains 20.0%")
    assert found.consider(at(On.END_OF_THINKING)) is None  # one hint a trajectory


def test_kinds_of_which_nothing_is_known_get_the_papers_policy(tmp_path: Path) -> None:
    library = load_library(written(tmp_path, policy()))
    code, paper = (
        HintPolicy(one, name, problem(ProblemKind.CODE))
        for one, name in ((library, "learned"), (load_library(), "auto"))
    )
    assert code.rules == paper.rules
    nothing = load_library(written(tmp_path, policy(design="paper", cells=[], functions={}, why="12 pairs")))
    assert HintPolicy(nothing, "learned", problem()).rules == HintPolicy(load_library(), "auto", problem()).rules
    assert nothing.policies["learned"].purpose == "the paper's: 12 pairs"


def test_the_same_trajectory_gets_the_same_decisions(tmp_path: Path) -> None:
    library = load_library(written(tmp_path, policy(choose="thompson")))

    def decisions(sample: int, seed: int = 0) -> list[str]:
        found = HintPolicy(library, "learned", problem(), seed=seed, sample=sample)
        for number in range(6):
            found.consider(at(On.WORD, "Hm. Wait", tokens=number))
        found.consider(at(On.END_OF_THINKING))
        return [one.reason for one in found.decisions]

    assert decisions(3) == decisions(3)
    assert len({tuple(decisions(sample)) for sample in range(6)}) > 1
    assert decisions(3) != decisions(3, seed=1)


def test_the_digest_of_a_run_holds_the_policy_and_older_digests_stay(tmp_path: Path) -> None:
    library = load_library(written(tmp_path, policy()))
    other = load_library(written(tmp_path, policy(choose="thompson")))
    assert library.content("learned") != other.content("learned")
    assert "learned" not in json.loads(load_library().content("auto"))


def test_a_users_library_cannot_ask_a_learned_policy(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "policies: {p: {rules: [{name: a, when: paragraph, hints: [general], choose: learned, place: end}]}}"
    )
    with pytest.raises(ConfigError, match="only files of hints learn can have that"):
        load_library(path)


def test_levels_are_the_data_sets_own() -> None:
    assert level_of(problem(level="Level 5")) == "Level 5"
    assert level_of(problem(group="hard")) == "hard"
    assert level_of(problem(ProblemKind.CODE, group="code")) == "" == level_of(problem())
