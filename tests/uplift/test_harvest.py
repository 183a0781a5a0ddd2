"""Hints that a model makes itself: what is taken, what is refused, and that no problem text gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from selftaught.errors import DataError
from selftaught.hints import load_library, split_name
from selftaught.hints.lint import lint_library
from selftaught.records import (
    ExecStatus,
    Grade,
    Outcome,
    Problem,
    ProblemKind,
    Span,
    SpanSource,
    StopReason,
    ToolInfo,
    Trajectory,
)
from selftaught.store import write_records
from selftaught.uplift.harvest import (
    SHARED_WORDS,
    Sentence,
    as_library,
    clusters_of,
    harvest,
    harvest_run,
    sentence_before,
    sentences,
    words_of,
)

LIBRARY = load_library()
PROBLEMS = {
    f"p{i}": Problem(
        id=f"p{i}",
        problem=f"A farmer has {i + 3} hens and sells a third of the eggs at the market. How many eggs remain?",
        kind=ProblemKind.MATH,
        answer="7",
    )
    for i in range(12)
}


def span(source: SpanSource, text: str, tool: ToolInfo | None = None) -> Span:
    return Span(source=source, token_ids=[1], text=text, tool=tool)


def trajectory(problem: str, before: str, *, status: ExecStatus = ExecStatus.OK, hinted: bool = False) -> Trajectory:
    """One call, opened by the model after ``before``, or by a hint."""
    tool = ToolInfo(code="print(7)", status=status, output="7\n", wall_s=0.0)
    opening = f"{before}\n```python\n"
    first = (
        [span(SpanSource.HINT, opening), span(SpanSource.MODEL, "print(7)\n```\n")]
        if hinted
        else [span(SpanSource.MODEL, f"{opening}print(7)\n```\n")]
    )
    spans = [span(SpanSource.PROMPT, "q"), *first, span(SpanSource.TOOL, "7", tool), span(SpanSource.MODEL, "7")]
    return Trajectory(
        id=f"{problem}#0", problem_id=problem, condition="start-0", spans=spans, stop_reason=StopReason.ANSWERED
    )


def reaped(texts: list[str], **options: int):  # type: ignore[no-untyped-def]
    """Each text in five problems."""
    found = [Sentence(text, f"p{i}") for text in texts for i in range(5)]
    return harvest(found, PROBLEMS, LIBRARY, **options)


def test_only_blocks_that_the_model_opened_and_that_ran_in_right_trajectories() -> None:
    said = "Wait, a quick script settles this."
    made = [
        trajectory("p0", said),
        trajectory("p1", said, status=ExecStatus.ERROR),
        trajectory("p2", said, hinted=True),
        trajectory("p3", said),
    ]
    found = list(sentences(made, {"p0#0", "p1#0", "p2#0"}))
    assert found == [Sentence("a quick script settles this.", "p0")]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("So 3 + 4 = 8.\nWait, let me run this in Python.\n", "let me run this in Python."),
        ("That gives 10. Wait, is it right? Let me run code:", "is it right? Let me run code."),
        ("It is 7. Python will tell me.", "Python will tell me."),
        ("Alternatively, A script could do it.", "a script could do it."),
        ("", ""),
    ],
)
def test_the_sentence_before_a_fence(text: str, sentence: str) -> None:
    assert sentence_before(text) == sentence


def test_problem_text_numbers_names_and_formulas_never_become_a_hint() -> None:
    leaks = [
        "let me run a script on a third of the eggs.",
        "let me count the hens with a script.",
        "let me compute the sum of 17 numbers with code.",
        "let me run code for Bob and see the result.",
        "let me compute x with a short script.",
        "let me run `solve` in a script and look.",
        "let me run run the script in one go.",
        "the interpreter is sure to be right",
    ]
    found = reaped(leaks)
    assert [one.text for one in found.clusters] == [leaks[-1]]
    assert set(found.refused) == {
        "words of a problem", "a word of its problem", "a number", "a name", "a variable", "a formula or markup",
        "a word twice in a row",
    }  # fmt: skip
    assert found.num_sentences == 5 * len(leaks)


def test_no_run_of_words_of_any_problem_is_left_whatever_the_model_writes() -> None:
    """Every window of every problem, dressed as a hint."""
    texts = []
    for problem in list(PROBLEMS.values())[:3]:
        words = problem.problem.split()
        texts += [f"let me run code for {' '.join(words[i : i + 5])} now" for i in range(len(words) - 5)]
    found = reaped(texts, fewest_problems=1, most=1000)
    runs = {
        tuple(words[i : i + SHARED_WORDS])
        for problem in PROBLEMS.values()
        for words in [words_of(problem.problem)]
        for i in range(len(words) - SHARED_WORDS + 1)
    }
    for cluster in found.clusters:
        words = words_of(cluster.text)
        assert not {tuple(words[i : i + SHARED_WORDS]) for i in range(len(words))} & runs
        assert not any(character.isdigit() for character in cluster.text)
    assert not found.clusters


def test_what_the_library_says_already_is_counted_there() -> None:
    found = reaped(["let me use Python for this.", "let me use Python for all of this."])
    assert not found.clusters
    assert found.known == {"general/en/2": 10}


def test_clusters_join_what_says_the_same_and_need_several_problems() -> None:
    same = ["the interpreter can settle this for me.", "the interpreter can settle this for me now."]
    sentence = [Sentence(same[0], f"p{i}") for i in range(4)] + [Sentence(same[1], "p9")]
    clusters = clusters_of([*sentence, Sentence("a small program could tell both apart.", "p0")])
    assert [(one.text, one.count, len(one.problems)) for one in clusters] == [
        (same[0], 5, 5), ("a small program could tell both apart.", 1, 1),
    ]  # fmt: skip
    found = harvest([Sentence("a small program could tell both apart.", "p0")] * 9, PROBLEMS, LIBRARY)
    assert found.refused == {"fewer than 3 problems": 9}
    assert harvest([Sentence("a script", "nobody")], PROBLEMS, LIBRARY).refused == {"not 4 to 40 words": 1}


def test_a_run_gives_a_library_that_hints_takes(tmp_path: Path) -> None:
    said = "Wait, the interpreter can settle this for me."
    made = [trajectory(f"p{i}", said) for i in range(5)]
    folder = tmp_path / "run"
    write_records(folder / "trajectories.jsonl", made)
    write_records(folder / "problems.jsonl", PROBLEMS.values())
    with pytest.raises(DataError, match="no grades; run grade first"):
        harvest_run(folder, LIBRARY)
    grades = [
        Grade(trajectory_id=one.id, problem_id=one.problem_id, outcome=Outcome.CORRECT, correct=True, path="integer")
        for one in made
    ]
    write_records(folder / "grades.jsonl", grades)
    with pytest.raises(DataError, match="no graded rollout of condition 'start'; it has start-0"):
        harvest_run(folder, LIBRARY, "start")
    found, model = harvest_run(folder, LIBRARY, "start-0")
    assert model == "start-0"
    path = tmp_path / "made.yaml"
    path.write_text(yaml.safe_dump(as_library(found, model), allow_unicode=True))
    library = load_library(path)
    assert split_name(str(path)) == (path, "made")
    assert library.functions["made_1"].en == ["the interpreter can settle this for me."]
    assert library.policy("made", ProblemKind.MATH).rules[0].hints == ["made_1"]
    assert not list(lint_library(library))
