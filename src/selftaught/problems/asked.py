"""One problem that somebody types: a question, perhaps with options and the right answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from selftaught.errors import ConfigError
from selftaught.problems.formats import LETTERS, problem_from_row
from selftaught.records import Problem, ProblemKind, question_hash


def asked_problem(
    question: str,
    *,
    kind: str | None = None,
    choices: Sequence[str] = (),
    answer: str | None = None,
    raw: bool = False,
    name: Callable[[str], str] = str,
) -> Problem:
    """The problem that is spelled out: of kind choice when there are options, else math, unless ``kind`` says
    otherwise.

    ``answer`` of a choice problem is its letter or its text; ``raw`` asks in exactly these words. ``name`` gives the
    name of an argument for messages. ConfigError says what is wrong.
    """
    text = question.strip()
    if not text:
        raise ConfigError("the problem is empty; expected its text.")
    if kind is not None and kind not in list(ProblemKind):
        raise ConfigError(f"{name('kind')} is {kind!r}; expected math, choice or code.")
    options = list(choices)
    _check_fit(kind, options, answer, name)
    row: dict[str, Any] = {
        "problem": text,
        "kind": kind or ("choice" if options else "math"),
        "metadata": {"rendered": raw},
    }
    if options:
        row["choices"] = options
        row["answer"] = _letter(answer, options)
    elif answer is not None:
        row["answer"] = answer
    try:
        if answer is not None and row["kind"] != "code":
            return problem_from_row(row)
        if options and not 2 <= len(options) <= len(LETTERS):
            raise ValueError(f"choices has {len(options)} entries; expected 2 to {len(LETTERS)} texts")
    except ValueError as error:
        raise ConfigError(f"{error}.") from None
    metadata = {"rendered": True} if raw else {}
    return Problem(
        id=question_hash(text), problem=text, kind=ProblemKind(row["kind"]), choices=options or None, metadata=metadata
    )


def _check_fit(kind: str | None, options: list[str], answer: str | None, name: Callable[[str], str]) -> None:
    """ConfigError for what the problem's kind has no use for, or lacks."""
    if kind == "choice" and not options:
        raise ConfigError(f"{name('kind')} is choice, but {name('choices')} is missing; give the options.")
    if options and kind not in (None, "choice"):
        raise ConfigError(f"{name('choices')} is for choice problems; {name('kind')} is {kind}. Leave one of them out.")
    if kind == "code" and answer is not None:
        raise ConfigError(
            f"{name('answer')} is not for code, which is judged by tests; ask a problem of a file that has them."
        )


def _letter(answer: str | None, options: list[str]) -> str | None:
    """The letter of an answer that may be given as a letter or as an option's text."""
    if answer is not None and answer.strip() in options:
        return LETTERS[options.index(answer.strip())]
    return answer
